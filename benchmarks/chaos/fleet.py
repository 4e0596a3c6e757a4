"""Owns the workers of a run and the faults that are done to them and to their servers.

`async with Fleet(folder, naive=…) as fleet: await fleet.fault("kill worker")`. Whoever is killed comes back, as under a service
manager. It must not know what is played.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from benchmarks.chaos import worker as program
from benchmarks.chaos.servers import Postgres, Relay, Valkey

PROCESSES = get_context("forkserver")
"""Workers are copies of a process that has everything imported, so that one that was killed is back at once."""
PROCESSES.set_forkserver_preload([program.__name__])
Json = dict[str, Any]


class Gone(Exception):
    """The worker did not answer: it was killed, or took too long."""


class Worker:
    """One place for a worker, in which a process runs after the other."""

    def __init__(self, name: str, folder: Path, given: Json):
        self.name = name
        self._socket = folder / f"{name}.sock"
        self._given = {**given, "socket": str(self._socket), "log": str(folder / f"{name}.log")}
        self._process: ForkServerProcess | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[Json]] = {}
        self._asked = 0
        self._keeper: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()
        self.ends = 0
        """How often it ended by itself."""

    async def ask(self, seconds: float, **what: str) -> Json:
        """A request's answer. Raises `Gone`."""
        if self._writer is None:
            raise Gone(f"{self.name} is not there")
        self._asked += 1
        id, future = self._asked, asyncio.get_running_loop().create_future()
        self._waiting[id] = future
        try:
            self._writer.write(json.dumps({"id": id, "do": what}).encode() + b"\n")
            return await asyncio.wait_for(future, seconds)
        except (OSError, TimeoutError) as error:
            raise Gone(f"{self.name}: {error or type(error).__name__}") from error
        finally:
            self._waiting.pop(id, None)

    def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Ends it for good."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self.kill()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.is_alive():
            os.kill(self._process.pid or 0, number)

    async def _keep(self) -> None:
        """Starts it, over and over."""
        while True:
            self._socket.unlink(missing_ok=True)
            self._process = PROCESSES.Process(target=program.run, args=(self._given,), daemon=True)
            self._process.start()
            while self._process.is_alive():
                with suppress(OSError):
                    reader, self._writer = await asyncio.open_unix_connection(self._socket)
                    await self._read(reader)
                await asyncio.sleep(0.02)
            self.ends += self._process.exitcode != -signal.SIGKILL

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Hands out the answers until the connection ends."""
        self.ready.set()
        try:
            while line := await reader.readline():
                answer: Json = json.loads(line)
                if (future := self._waiting.get(answer["id"])) is not None and not future.done():
                    future.set_result(answer)
        finally:
            self.ready.clear()
            assert self._writer is not None, "it was just connected"
            self._writer.close()
            self._writer = None
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(ConnectionResetError("the worker ended"))


class Fleet:
    """Workers over one PostgreSQL and one Valkey; each has relays of its own before both."""

    def __init__(self, folder: Path, *, workers: int, naive: bool, rng: random.Random):
        self._rng = rng
        self._folder, self._home = folder, folder / "home"
        self.valkey, self.postgres = Valkey(folder), Postgres(self._home)
        self.faults: Counter[str] = Counter()
        self._naive, self._count = naive, workers
        self.workers: list[Worker] = []
        self._redis: list[Relay] = []
        self._database: list[Relay] = []
        self.database_url = ""
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self.valkey.start()
        self.database_url = await self.postgres.start()
        for number in range(self._count):
            place = self._folder / f"{number}"
            place.mkdir()
            self._redis.append(Relay(self.valkey.socket, place / "v.sock"))
            self._database.append(Relay(self.postgres.socket, place / self.postgres.socket.name))
            given = {
                "home": str(self._home), "naive": self._naive, "redis_url": f"unix://{place}/v.sock",
                "database_url": f"postgresql://rulebound@/rulebound?host={quote(str(place))}&port=5432",
            }  # fmt: skip
            self.workers.append(Worker(f"w{number}", self._folder, given))
        for each in (*self._redis, *self._database):
            await each.heal()
        for worker in self.workers:
            worker.start()
        await asyncio.gather(*(worker.ready.wait() for worker in self.workers))
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in self.workers:
            await worker.stop()
        for each in (*self._redis, *self._database):
            await each.cut()
        self.valkey.kill()
        await self.postgres.stop()

    async def fault(self, name: str) -> None:
        """Does one thing to somebody, and mends it."""
        self.faults[name] += 1
        await FAULTS[name](self)

    def _pause(self, most: float) -> Awaitable[None]:
        return asyncio.sleep(self._rng.uniform(0.05, most))

    async def kill_worker(self) -> None:
        self._rng.choice(self.workers).kill()

    async def pause_worker(self) -> None:
        worker = self._rng.choice(self.workers)
        worker.signal(signal.SIGSTOP)
        await self._pause(4)
        worker.signal(signal.SIGCONT)

    async def cut_redis(self) -> None:
        await self._cut(self._rng.choice(self._redis), 4)

    async def cut_database(self) -> None:
        await self._cut(self._rng.choice(self._database), 2)

    async def _cut(self, relay: Relay, most: float) -> None:
        await relay.cut()
        await self._pause(most)
        await relay.heal()

    async def kill_valkey(self) -> None:
        self.valkey.kill()
        await self._pause(2)
        await self.valkey.start()

    async def roll_back_valkey(self) -> None:
        self.valkey.kill()
        self.valkey.roll_back()
        await self.valkey.start()

    async def pause_valkey(self) -> None:
        self.valkey.signal(signal.SIGSTOP)
        await self._pause(2)
        self.valkey.signal(signal.SIGCONT)

    async def kill_postgres(self) -> None:
        self.postgres.kill()
        await self._pause(3)
        await self.postgres.start()

    async def kill_backend(self) -> None:
        await asyncio.to_thread(self.postgres.kill_backend)


FAULTS: dict[str, Callable[[Fleet], Awaitable[None]]] = {
    "kill a worker": Fleet.kill_worker,
    "pause a worker": Fleet.pause_worker,
    "cut a worker off from Redis": Fleet.cut_redis,
    "cut a worker off from PostgreSQL": Fleet.cut_database,
    "kill Valkey": Fleet.kill_valkey,
    "roll Valkey back": Fleet.roll_back_valkey,
    "pause Valkey": Fleet.pause_valkey,
    "kill PostgreSQL": Fleet.kill_postgres,
    "kill a backend of PostgreSQL": Fleet.kill_backend,
}
