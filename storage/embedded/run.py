"""Owns where the sockets are: in the services folder, or in a short folder elsewhere when a socket cannot be there.

A socket's path has at most 103 bytes, and some file systems hold none. It must not know the servers.
"""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from pathlib import Path

LONGEST = 103


def run_folder(services: Path) -> Path:
    """The folder of the sockets, the same for every process; made when it is not there."""
    elsewhere = services / "run.elsewhere"
    if elsewhere.exists():
        folder = Path(elsewhere.read_text(encoding="utf-8"))
        if _private(folder):
            return folder
    folder = services / "run"
    if folder.exists() or _holds_sockets(folder):
        return folder
    folder = Path(tempfile.mkdtemp(prefix="rulebound-", dir="/tmp"))
    new = services / "run.new"
    new.write_text(str(folder), encoding="utf-8")
    new.replace(elsewhere)
    return folder


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


def _private(folder: Path) -> bool:
    """Whether a folder is there, ours, and closed to others."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) == 0o700
