"""Owns who uses the embedded servers: they start with the first user and stop with the last.

`Supervisor(home).acquire()` gives the addresses, `release()` leaves; `Shared` does the same for servers of any kind. A user
is a locked file, so the kernel counts one out that was killed. It must not know how a server works.
"""

from __future__ import annotations

import atexit
import errno
import os
import secrets
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from storage.embedded import process
from storage.embedded.errors import DiskFull, NoBinary, ServiceError, StillUsed
from storage.embedded.postgres import Postgres
from storage.embedded.run import forget, make_run_folder, run_folder
from storage.embedded.server import Server
from storage.embedded.valkey import Valkey

if sys.platform != "win32":  # where servers by URL are all there is
    import fcntl


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the two servers are, embedded or not."""

    database_url: str
    redis_url: str


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What is known of one embedded server."""

    name: str
    state: str
    """`ready`, `starting`, `silent` (it lives and does not answer) or `stopped`."""
    version: str
    """Empty when it is not ready."""
    address: str
    pid: int | None
    log: Path
    folder: Path | None
    """Where it keeps its data; None: nowhere."""


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of the embedded servers: those not given by URL."""

    servers: tuple[ServerStatus, ...]
    users: tuple[int, ...]
    """The processes that use them."""
    pinned: bool
    """Whether they stay when the last user leaves."""


class Shared:
    """Servers of one folder that processes share, for one process.

    All methods block (milliseconds to attach, seconds to start) and may be called from any thread.
    """

    def __init__(self, folder: Path, servers: Sequence[Server]):
        self._services = folder
        self._servers = servers
        if servers and sys.platform == "win32":
            raise NoBinary("there are no embedded servers on Windows")
        self._user: tuple[int, int, Path] | None = None

    def start(self) -> dict[str, str]:
        """The addresses of running servers by name, of which this process is a user from now on.

        Call it again at any time: it brings back a server that died, also where another one hangs. Raises `ServiceError`.
        """
        urls: dict[str, str] = {}
        if self._servers:
            with self._locked():
                run = make_run_folder(self._services)
                joined = self._join()
                begun: list[Server] = []
                problems: list[ServiceError] = []
                try:
                    for server in self._servers:
                        try:
                            if server.begin(run):
                                begun.append(server)
                        except ServiceError as error:
                            problems.append(error)
                    for server in begun:
                        server.finish(run)
                    if problems:
                        raise problems[0]
                except BaseException:
                    if joined:
                        with suppress(ServiceError, OSError):  # the first error is the one to tell
                            self._leave(begun)
                    raise
                urls.update((server.name, server.url(run)) for server in self._servers)
        return urls

    def release(self) -> None:
        """Leaves; the last user stops the servers unless they are pinned. Nothing when this process is no user."""
        if self._user is None or self._user[0] != os.getpid():
            return
        if not self._services.exists():  # home was deleted, and the servers with it
            os.close(self._user[1])
            self._user = None
            return
        with self._locked():
            self._leave(self._servers)

    def pin(self) -> None:
        """Starts the servers and lets them stay when the last user leaves."""
        self.start()
        if self._servers:
            with self._locked():
                (self._services / "pinned").touch()
        self.release()

    def stop(self, *, force: bool = False) -> None:
        """Stops the servers and unpins them. Raises `StillUsed` when others use them, unless forced."""
        if not self._servers or not self._services.exists():
            return
        with self._locked():
            users = self._users()
            if users and not force:
                raise StillUsed(f"the servers are used by {len(users)} processes: {', '.join(map(str, users))}")
            (self._services / "pinned").unlink(missing_ok=True)
            self._end(self._servers, 2.0 if force else 30.0)

    def status(self) -> Status:
        """What runs now; nothing is started."""
        if not self._services.exists():
            return Status(self._look(run_folder(self._services)), (), pinned=False)
        with self._locked():
            servers = self._look(run_folder(self._services))
            return Status(servers, self._users(), (self._services / "pinned").exists())

    def _look(self, run: Path) -> tuple[ServerStatus, ...]:
        return tuple(self._status(server, run) for server in self._servers)

    def _status(self, server: Server, run: Path) -> ServerStatus:
        state, version = server.look(run)
        if state == "silent" and not process.held(server.lock):
            state = "stopped"
        folder = server.folder if isinstance(server, Postgres) else None
        return ServerStatus(
            server.name, state, version, str(server.socket(run)), process.pid_of(server.lock), server.log, folder
        )

    @contextmanager
    def _locked(self) -> Generator[None]:
        """One process at a time looks, starts and stops."""
        try:
            (self._services / "users").mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self._services / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
            finally:
                os.close(file)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(f"there is no room in {self._services}") from error
            raise

    def _join(self) -> bool:
        """Counts this process in, unless it is a user already."""
        if self._user is not None and self._user[0] == os.getpid():
            return False
        path = self._services / "users" / f"{os.getpid()}.{secrets.token_hex(4)}"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        self._user = (os.getpid(), file, path)
        atexit.register(self.release)
        return True

    def _leave(self, servers: Iterable[Server]) -> None:
        """Counts this process out; stops the given servers when nobody is left."""
        if self._user is not None:
            _, file, path = self._user
            self._user = None
            path.unlink(missing_ok=True)
            os.close(file)
            atexit.unregister(self.release)
        if not self._users() and not (self._services / "pinned").exists():
            self._end(servers, 30.0)

    def _end(self, servers: Iterable[Server], patience: float) -> None:
        for server in servers:
            server.stop(patience)
        if not any(process.held(server.lock) for server in self._servers):
            forget(self._services)

    def _users(self) -> tuple[int, ...]:
        """The processes whose file is locked; files of others are removed."""
        users: list[int] = []
        for path in (self._services / "users").iterdir():
            if process.held(path):
                users.append(int(path.name.partition(".")[0]))
            else:
                path.unlink(missing_ok=True)
        return tuple(sorted(users))


class Supervisor(Shared):
    """The servers of one home; a URL stands for a server that is never touched."""

    def __init__(self, home: Path, *, database_url: str | None = None, redis_url: str | None = None):
        folder = home.resolve() / "services"
        servers: list[Server] = []
        if redis_url is None:
            servers.append(Valkey(folder))
        if database_url is None:
            servers.append(Postgres(folder))
        super().__init__(folder, servers)
        self._urls = {"postgres": database_url or "", "valkey": redis_url or ""}

    def acquire(self) -> Servers:
        """`start`, with the addresses of those given by URL."""
        urls = {**self._urls, **self.start()}
        return Servers(urls["postgres"], urls["valkey"])
