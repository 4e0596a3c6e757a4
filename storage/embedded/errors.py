"""Owns the errors of the embedded servers: each says what, and its `hint` what to do. It must not know the servers."""

from __future__ import annotations

from storage.store import StoreError

BY_URL = "set RULEBOUND_DATABASE_URL and RULEBOUND_REDIS_URL to servers of your own"


class ServiceError(StoreError):
    """An embedded server cannot be used."""

    hint = f"Read what the server said, or {BY_URL}."


class NoBinary(ServiceError):
    """There is no server program for this machine."""

    hint = f"Install rulebound again on Linux (glibc) or macOS, or {BY_URL}."


class DiskFull(ServiceError):
    """There is no room for a server's files; what was there is as it was."""

    hint = "Make room on the disk, or set RULEBOUND_HOME to a folder on another one."


class DamagedData(ServiceError):
    """A data folder is not what PostgreSQL left there."""

    hint = "Restore it from a backup, or move it away to start with an empty database."


class OtherVersion(ServiceError):
    """A data folder was written by another major version of PostgreSQL."""

    hint = "Dump it with that version and load it into this one, or install the rulebound that wrote it."


class InUse(ServiceError):
    """A server that we did not start uses the data folder."""

    hint = f"Stop that server, or {BY_URL}."


class NotAnswering(ServiceError):
    """A server of ours runs and does not answer."""

    hint = "Stop it with `rulebound services stop --force` and try again; committed data is safe."


class StillUsed(ServiceError):
    """The servers are not stopped under processes that use them."""

    hint = "End those processes, or stop the servers all the same with --force."
