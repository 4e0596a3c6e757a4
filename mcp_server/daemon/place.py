"""Owns where the daemon of a home is: its lock, its socket, its address and its log.

`Place(home)`. The bridge starts in milliseconds because this needs the standard library alone. It must not know what is
served.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

if sys.platform != "win32":  # there `--standalone` is all there is
    import fcntl

LONGEST = 103
"""Bytes that a socket's path may have."""
PATIENCE = 60.0
"""Seconds that a daemon may take to start; a first start makes a database."""
LINE_LIMIT = 4 * 1024 * 1024
"""Bytes of one message."""


class DaemonError(Exception):
    """The daemon cannot be had: `args[0]` says why, `hint` what to do."""

    def __init__(self, message: str, hint: str):
        super().__init__(message)
        self.hint = hint


class Place:
    """The daemon's files, in `daemon/` of a home."""

    def __init__(self, home: Path):
        self.folder = home / "daemon"
        self.lock = self.folder / "lock"
        self.address = self.folder / "address.json"
        self.log = self.folder / "log"

    def sockets(self) -> Path:
        """A folder for sockets that no one else can open, made where it is not there. Raises `DaemonError`."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        near = self.folder / "run"
        found = self.folder.stat()
        # A socket's path is short; the folder's inode names it, whichever path leads to it.
        far = Path(f"/tmp/rulebound-{os.geteuid()}-{found.st_dev:x}-{found.st_ino:x}-mcp")  # noqa: S108
        folder = near if len(os.fsencode(near / "worker-00.sock")) <= LONGEST else far
        folder.mkdir(mode=0o700, exist_ok=True)
        about = folder.lstat()
        if (about.st_uid, stat.S_IFMT(about.st_mode)) != (os.geteuid(), stat.S_IFDIR) or about.st_mode & 0o077:
            raise DaemonError(f"{folder} is open to others", "Remove it, or choose another RULEBOUND_HOME.")
        return folder

    @property
    def socket(self) -> Path:
        """Where bridges connect."""
        return self.sockets() / "mcp.sock"

    def serving(self) -> dict[str, Any] | None:
        """What the daemon that runs now says of itself: `pid`, `url` (empty without a port), `local`, `version`."""
        try:
            with self.lock.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
        except FileNotFoundError:
            return None
        except BlockingIOError:
            with suppress(OSError, ValueError):
                return json.loads(self.address.read_text())
            return {}

    @contextmanager
    def held(self) -> Generator[None]:
        """This process is the daemon of the home, for as long as it lasts. Raises `DaemonError` where there is one."""
        self.sockets()
        with self.lock.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                about = self.serving() or {}
                where = about.get("url") or "on this machine's socket"
                raise DaemonError(
                    f"A daemon serves this home already, {where} (process {about.get('pid', 'unknown')})",
                    "Use that one, or end it with `rulebound serve --stop`.",
                ) from None
            try:
                yield
            finally:
                self.address.unlink(missing_ok=True)

    def tell(self, **about: Any) -> None:
        """Writes what `serving` gives."""
        new = self.address.with_suffix(".new")
        new.write_text(json.dumps({"pid": os.getpid(), **about}))
        new.replace(self.address)

    def connect(self) -> socket.socket:
        """A connection to the daemon that runs. Raises OSError, `DaemonError`."""
        path = str(self.socket)
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
            raise
        return connection

    def reach(self, command: Sequence[str]) -> socket.socket:
        """A connection to the daemon; where none runs, one is started by a command, by the first of many who ask.

        Raises `DaemonError`.
        """
        with suppress(OSError):
            return self.connect()
        self.sockets()
        with (self.folder / "starting").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            return self._started(command)

    def _started(self, command: Sequence[str]) -> socket.socket:
        began, process = time.monotonic(), None
        while True:
            with suppress(OSError):
                return self.connect()
            if process is None and self.serving() is None:
                with self.log.open("ab") as log:
                    process = subprocess.Popen(  # noqa: S603
                        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
                    )
            if process is not None and process.poll() is not None and self.serving() is None:
                raise DaemonError(f"The daemon ended while it started: {self.last_words()}", f"See {self.log}.")
            if time.monotonic() - began > PATIENCE:
                raise DaemonError(f"The daemon does not answer after {PATIENCE:.0f} s", f"See {self.log}.")
            time.sleep(0.01)

    def stop(self) -> bool:
        """Ends the daemon that runs and waits for it; False where none does. Raises `DaemonError`."""
        about = self.serving()
        if about is None:
            return False
        if pid := about.get("pid"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + PATIENCE
        while self.serving() is not None:
            if time.monotonic() > end:
                raise DaemonError(f"Process {pid} does not end", f"End it yourself: kill -9 {pid}")
            time.sleep(0.02)
        return True

    def last_words(self) -> str:
        """The end of the log."""
        with suppress(OSError):
            lines = self.log.read_text(errors="replace").strip().splitlines()
            return lines[-1][:300] if lines else "it said nothing"
        return "it said nothing"
