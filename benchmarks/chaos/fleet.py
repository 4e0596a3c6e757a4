"""Owns the workers of a run, their servers, and the faults that are done to them.

`async with Fleet(folder, rng) as fleet: await fleet.fault("kill a worker")`. Servers that are given by URL come back after a while,
as under a service manager; embedded ones are brought back by the workers. It must not know what is played.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import asyncpg

from benchmarks.chaos.places import Worker
from benchmarks.chaos.servers import EmbeddedValkey, Postgres, Relay, Valkey


class Fleet:
    """`embedded`: the workers start the servers, and no fault is possible that needs to get between them."""

    def __init__(
        self,
        folder: Path,
        rng: random.Random,
        *,
        workers: int = 3,
        naive: bool = False,
        embedded: bool = False,
        longest: float = 4.0,
    ):
        self._longest = longest
        self._folder, self._rng, self._count, self._naive = folder, rng, workers, naive
        self.home = folder / "home"
        self.embedded = embedded
        self.valkey = EmbeddedValkey(self.home) if embedded else Valkey(folder)
        self.postgres = Postgres(self.home, with_valkey=embedded)
        self.faults: Counter[str] = Counter()
        self.workers: list[Worker] = []
        self.database_url = ""
        self._redis: list[Relay] = []
        self._database: list[Relay] = []

    async def __aenter__(self) -> Self:
        await self.valkey.start()
        self.database_url = await self.postgres.start()
        for number in range(self._count):
            place = self._folder / f"{number}"
            place.mkdir()
            given: dict[str, Any] = {
                "home": str(self.home),
                "naive": self._naive,
                "database_url": None,
                "redis_url": None,
            }
            if not self.embedded:
                self._redis.append(Relay(self.valkey.socket, place / "v.sock"))
                self._database.append(Relay(self.postgres.socket, place / self.postgres.socket.name))
                given["redis_url"] = f"unix://{place}/v.sock"
                given["database_url"] = f"postgresql://rulebound@/rulebound?host={quote(str(place))}&port=5432"
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

    @property
    def possible(self) -> list[str]:
        """The faults that may be done here."""
        return [name for name in FAULTS if not self.embedded or name not in BETWEEN]

    async def fault(self, name: str) -> None:
        """Does one thing to somebody, and mends it after a while."""
        self.faults[name] += 1
        await FAULTS[name](self)

    def _while(self, share: float = 1.0) -> Awaitable[None]:
        return asyncio.sleep(self._rng.uniform(0.05, share * self._longest))

    async def kill_worker(self) -> None:
        self._rng.choice(self.workers).kill()

    async def pause_worker(self) -> None:
        worker = self._rng.choice(self.workers)
        worker.signal(signal.SIGSTOP)
        await self._while()
        worker.signal(signal.SIGCONT)

    async def cut_redis(self) -> None:
        await self._cut(self._rng.choice(self._redis), 1.0)

    async def cut_database(self) -> None:
        await self._cut(self._rng.choice(self._database), 0.5)

    async def _cut(self, relay: Relay, share: float) -> None:
        await relay.cut()
        await self._while(share)
        await relay.heal()

    async def kill_valkey(self) -> None:
        self.valkey.kill()
        await self._while(0.5)
        await self.valkey.start()

    async def roll_back_valkey(self) -> None:
        self.valkey.kill()
        self.valkey.roll_back()
        await self.valkey.start()

    async def pause_valkey(self) -> None:
        self.valkey.signal(signal.SIGSTOP)
        await self._while(0.5)
        self.valkey.signal(signal.SIGCONT)

    async def kill_postgres(self) -> None:
        self.postgres.kill()
        await self._while()
        if not self.embedded:
            await self.postgres.start()

    async def long_outage(self) -> None:
        """Longer than anybody's patience."""
        self.postgres.kill()
        await asyncio.sleep(12)
        await self.postgres.start()

    async def kill_backend(self) -> None:
        await asyncio.to_thread(self.postgres.kill_backend)

    async def pause_postgres(self) -> None:
        paused = await asyncio.to_thread(self.postgres.pause)
        await self._while(0.5)
        self.postgres.go_on(paused)

    async def kill_everything(self) -> None:
        for worker in self.workers:
            worker.kill()
        self.valkey.kill()
        await self.kill_postgres()
        await self.valkey.start()

    async def crowd(self) -> None:
        """Takes every connection that PostgreSQL has left."""
        taken: list[asyncpg.Connection[Any]] = []
        try:
            while len(taken) < 120:
                taken.append(await asyncpg.connect(self.database_url, timeout=5))
        except (asyncpg.PostgresError, asyncpg.InternalClientError, OSError, TimeoutError):
            pass  # there is none left, or PostgreSQL was killed meanwhile
        await self._while(0.5)
        for connection in taken:
            connection.terminate()


FAULTS: dict[str, Callable[[Fleet], Awaitable[None]]] = {
    "kill a worker": Fleet.kill_worker,
    "pause a worker": Fleet.pause_worker,
    "cut a worker off from Redis": Fleet.cut_redis,
    "cut a worker off from PostgreSQL": Fleet.cut_database,
    "kill Valkey": Fleet.kill_valkey,
    "roll Valkey back": Fleet.roll_back_valkey,
    "pause Valkey": Fleet.pause_valkey,
    "kill PostgreSQL": Fleet.kill_postgres,
    "keep PostgreSQL away": Fleet.long_outage,
    "kill a backend of PostgreSQL": Fleet.kill_backend,
    "pause PostgreSQL": Fleet.pause_postgres,
    "take all connections": Fleet.crowd,
    "kill everything": Fleet.kill_everything,
}
BETWEEN = frozenset({
    "cut a worker off from Redis", "cut a worker off from PostgreSQL", "roll Valkey back", "keep PostgreSQL away",
})  # fmt: skip
"""What needs to get between the workers and their servers."""
