"""Owns the servers that come with the package: PostgreSQL and Valkey, started and stopped by `Supervisor`.

    servers = Supervisor(home).acquire()
It must not know what is kept in them. Servers given by URL need nothing of this package.
"""

from storage.embedded.errors import (
    DamagedData,
    DiskFull,
    InUse,
    NoBinary,
    NotAnswering,
    OtherVersion,
    ServiceError,
    StillUsed,
)
from storage.embedded.supervisor import Servers, ServerStatus, Shared, Status, Supervisor

__all__ = [
    "DamagedData",
    "DiskFull",
    "InUse",
    "NoBinary",
    "NotAnswering",
    "OtherVersion",
    "ServerStatus",
    "Servers",
    "ServiceError",
    "Shared",
    "Status",
    "StillUsed",
    "Supervisor",
]
