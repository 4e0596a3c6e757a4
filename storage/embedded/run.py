"""Owns where the sockets are: in the services folder, or in a short folder elsewhere when a socket cannot be there.

A socket's path has at most 103 bytes, and some file systems hold none. It must not know the servers.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
from pathlib import Path

from storage.embedded.errors import ServiceError

LONGEST = 103


def run_folder(services: Path) -> Path:
    """The folder of the sockets, the same for every process, where it is or would be."""
    folder = services / "run"
    return folder if folder.exists() or not services.exists() else _elsewhere(services)


def make_run_folder(services: Path) -> Path:
    """The folder of the sockets, made when it is not there. Raises `ServiceError`."""
    folder = services / "run"
    if folder.exists() or _holds_sockets(folder):
        return folder
    folder = _elsewhere(services)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if (found.st_uid, found.st_mode) != (os.geteuid(), stat.S_IFDIR | 0o700):
        raise ServiceError(f"{folder} belongs to someone else, and the path of {services} is too long for a socket")
    return folder


def forget(services: Path) -> None:
    """Removes a folder elsewhere when no server needs it any more."""
    if not (services / "run").exists():
        shutil.rmtree(_elsewhere(services), ignore_errors=True)


def _elsewhere(services: Path) -> Path:
    """A short name that only this folder has, whichever path leads to it."""
    found = services.stat()
    return Path(f"/tmp/rulebound-{os.geteuid()}-{found.st_dev:x}-{found.st_ino:x}")  # noqa: S108


def _holds_sockets(folder: Path) -> bool:
    """Makes the folder if a socket can be bound in it."""
    probe = folder / ".s.PGSQL.5432"
    if len(os.fsencode(probe)) > LONGEST:
        return False
    folder.mkdir(mode=0o700)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(probe))
        probe.unlink()
    except OSError:
        folder.rmdir()
        return False
    return True
