"""Owns the servers that chaos is done to: a PostgreSQL of a temporary home, a Valkey with files that can be rolled back, and
relays before them, so that one worker can be cut off while others are not.

It must not know workers.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from storage.embedded import Supervisor, binaries, process
from storage.embedded.wire import Refused, ask_postgres, ask_valkey


class Relay:
    """A socket of one worker's own before a server's."""

    def __init__(self, server: Path, path: Path):
        self._server, self._path = server, path
        self._listening: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def heal(self) -> None:
        if self._listening is None:
            self._listening = await asyncio.start_unix_server(self._serve, self._path)

    async def cut(self) -> None:
        """What is on its way is lost, in both directions."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None
            self._path.unlink(missing_ok=True)
            for writer in tuple(self._open):
                writer.transport.abort()
            while self._open:  # those who served see that it is over
                await asyncio.sleep(0.001)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there = await asyncio.open_unix_connection(self._server)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, there}
        try:
            await asyncio.gather(self._pump(reader, there), self._pump(there_reader, writer))
        finally:
            self._open -= {writer, there}

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


class Valkey:
    """A Valkey that keeps files. The fleet starts it again, as a service manager does."""

    def __init__(self, folder: Path):
        self.folder, self.socket = folder, folder / "v.sock"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Starts it where it does not run, and waits until it answers."""
        if self._process is not None:
            return
        command = [binaries.valkey(), "--port", "0", "--unixsocket", self.socket, "--dir", self.folder, "--save", ""]
        self._process = subprocess.Popen(
            [*command, "--loglevel", "warning"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while True:
            with suppress(OSError, Refused):
                ask_valkey(self.socket, "PING")
                return
            await asyncio.sleep(0.01)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    async def save(self) -> None:
        """Keeps a file to roll back to."""
        with suppress(OSError, Refused):
            await asyncio.to_thread(ask_valkey, self.socket, "SAVE")
            shutil.copy(self.folder / "dump.rdb", self.folder / "older.rdb")

    def roll_back(self) -> None:
        """Puts the older file in place, for the next start."""
        if (self.folder / "older.rdb").exists():
            shutil.copy(self.folder / "older.rdb", self.folder / "dump.rdb")


class EmbeddedValkey(Valkey):
    """The Valkey of a home, which keeps no files. Workers start it."""

    def __init__(self, home: Path):
        super().__init__(home)
        self._lock = home.resolve() / "services" / "valkey.lock"

    async def start(self) -> None:
        return

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        process.send(self._lock, number)

    async def save(self) -> None:
        return


class Postgres:
    """The embedded PostgreSQL of a home. Killed, it comes back by `start`, or by whoever's supervisor comes first."""

    def __init__(self, home: Path, *, with_valkey: bool = False):
        self._supervisor = Supervisor(home, redis_url=None if with_valkey else "unix:///none")
        self._services = home.resolve() / "services"
        self.socket = Path()

    async def start(self) -> str:
        """Its URL."""
        url = (await asyncio.to_thread(self._supervisor.acquire)).database_url
        self.socket = Path(parse_qs(urlsplit(url).query)["host"][0]) / ".s.PGSQL.5432"
        return url

    async def stop(self) -> None:
        await asyncio.to_thread(self._supervisor.release)

    def kill(self) -> None:
        """The postmaster alone; its children notice."""
        process.send(self._services / "postgres.lock", signal.SIGKILL)

    def pause(self) -> list[int]:
        """Stops all its processes; gives their ids."""
        found = [process.pid_of(self._services / "postgres.lock")]
        with suppress(OSError, Refused):
            found += [int(pid or 0) for (pid,) in ask_postgres(self.socket, "SELECT pid FROM pg_stat_activity")]
        return [pid for pid in found if pid and self._signal(pid, signal.SIGSTOP)]

    def go_on(self, paused: Iterable[int]) -> None:
        for pid in paused:
            self._signal(pid, signal.SIGCONT)

    def _signal(self, pid: int, number: signal.Signals) -> bool:
        """Signals one of its processes and nobody else."""
        with suppress(ProcessLookupError):
            if process.works_in(pid, self._services / "postgres"):
                os.kill(pid, number)
                return True
        return False

    def kill_backend(self) -> None:
        """A process of some connection, most likely a writer; the postmaster restarts everything."""
        busy = "SELECT pid FROM pg_stat_activity WHERE datname = 'rulebound' ORDER BY state_change DESC LIMIT 1"
        with suppress(OSError, Refused):
            for (pid,) in ask_postgres(self.socket, busy):
                self._signal(int(pid or 0), signal.SIGKILL)
