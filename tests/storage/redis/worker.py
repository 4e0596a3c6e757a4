"""A worker process for `test_chaos`: reads and writes games by `HotCopies`, and logs what it saw and when.

Run as `python worker.py NAME REDIS_URL FOLDER HOW`. The truth and the fence are tables in an SQLite file, because it has to
outlive every process. `HOW` is `fenced`, or `naive` for the dual write of the sources.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import sys
import time
from contextlib import suppress

from storage.redis import Backoff, Breaker, Change, Copy, FenceState, HotCopies, PubSub, RedisClient, Times
from storage.store import StoreError

TIMES = Times(fresh=0.3, lease=0.3, mark=1.5, hush=3.0)
GAMES = ("a", "b", "c")


class Truth:
    """The games, and the fence."""

    def __init__(self, folder: str):
        self.db = sqlite3.connect(f"{folder}/truth.db", timeout=60, isolation_level=None)
        self.db.execute("PRAGMA synchronous = OFF")

    def make(self) -> None:
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("CREATE TABLE games (id TEXT PRIMARY KEY, version INTEGER)")
        self.db.execute("CREATE TABLE fence (epoch INTEGER, run TEXT, until REAL)")
        self.db.execute("INSERT INTO fence VALUES (1, '', 0)")
        self.db.executemany("INSERT INTO games VALUES (?, 1)", [(game,) for game in GAMES])

    async def load(self, game: str) -> Copy:
        await asyncio.sleep(random.random() / 200)
        (version,) = self.db.execute("SELECT version FROM games WHERE id = ?", (game,)).fetchone()
        await asyncio.sleep(random.random() / 200)
        return Copy(version, b"%d" % version)

    async def commit(self, game: str, base: int, deadline: float) -> bool:
        await asyncio.sleep(random.random() / 200)
        done = self.db.execute(
            "UPDATE games SET version = version + 1 WHERE id = ? AND version = ? AND ? < ?",
            (game, base, time.monotonic(), deadline),
        )
        await asyncio.sleep(random.random() / 200)
        return done.rowcount == 1

    async def look(self) -> FenceState:
        now = time.monotonic()
        epoch, run, until = self.db.execute("SELECT epoch, run, until FROM fence").fetchone()
        return FenceState(epoch, run, max(0.0, until - now), now)

    async def hush(self, seconds: float, run: str | None = None) -> FenceState:
        until = time.monotonic() + seconds
        change = "UPDATE fence SET epoch = epoch + 1, run = coalesce(?, run), until = max(until, ?)"
        self.db.execute(change, (run, until))
        return await self.look()


class Log:
    """One line for what was read or acknowledged: kind, game, version, begin and end in ns of the machine."""

    def __init__(self, path: str):
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(self, kind: str, game: str, version: int, begin: int) -> None:
        os.write(self._file, f"{kind} {game} {version} {begin} {time.monotonic_ns()}\n".encode())


async def fenced(hot: HotCopies, truth: Truth, log: Log) -> None:
    while True:
        await asyncio.sleep(random.random() / 100)
        game, begin = random.choice(GAMES), time.monotonic_ns()
        if (copy := hot.get(game)) is not None:
            log.note("got", game, copy.version, begin)
        if random.random() < 0.8:
            copy = await hot.read(game, lambda game=game: truth.load(game))
            log.note("read", game, copy.version, begin)
            continue
        base = (await hot.read(game, lambda game=game: truth.load(game))).version
        async with hot.writing(game) as writes:
            if await truth.commit(game, base, writes.deadline):
                writes.committed(game, Change(base, base + 1, b"%d" % (base + 1)))
            else:
                writes.refused(game)
        if writes.changes:
            log.note("acknowledged", game, base + 1, begin)


async def naive(redis: RedisClient, truth: Truth, log: Log) -> None:
    """The cache first, the database after; a miss fills."""
    while True:
        await asyncio.sleep(random.random() / 100)
        game, begin = random.choice(GAMES), time.monotonic_ns()
        with suppress(StoreError):
            found = await redis.call("GET", game)
            version = int(found) if found else (await truth.load(game)).version
            if random.random() < 0.8:
                log.note("read", game, version, begin)
                if not found:
                    await redis.call("SET", game, version)
                continue
            await redis.call("SET", game, version + 1)
            if await truth.commit(game, version, time.monotonic() + 60):
                log.note("acknowledged", game, version + 1, begin)


async def main() -> None:
    name, url, folder, how = sys.argv[1:]
    truth, log = Truth(folder), Log(f"{folder}/{name}.log")
    async with (
        RedisClient(url, timeout=0.3, breaker=Breaker(seconds=0.1), backoff=Backoff(0.01, 0.1)) as redis,
        PubSub(url, timeout=0.3, backoff=Backoff(0.01, 0.1)) as pubsub,
    ):
        if how == "naive":
            await asyncio.gather(*(naive(redis, truth, log) for _ in range(4)))
        async with HotCopies(redis, pubsub, truth, name, times=TIMES) as hot:
            await asyncio.gather(*(fenced(hot, truth, log) for _ in range(4)))


if __name__ == "__main__":
    asyncio.run(main())
