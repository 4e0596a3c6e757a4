"""Hot reads: a game in this process, a game in Redis, coalesced commands; the floor is a bare GET by redis-py, alone and in a pool."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from redis.asyncio import BlockingConnectionPool, Redis

from benchmarks.measure import peak, row
from storage.embedded import binaries
from storage.redis import Change, Copy, HotCopies, MemoryFence, PubSub, RedisClient, Times

REQUIREMENTS = ("1.09", "1.15")
CALLERS = 200
GAME = Copy(1, b"h" * 500, {f"part{n}": b"p" * 250 for n in range(6)})
"""Two kilobytes."""


async def cost(call: Callable[[], Awaitable[object]], *, callers: int = 1, calls: int = 4000) -> float:
    """Seconds of the machine for one call, while so many callers wait at once: the median of rounds."""
    each = max(1, calls // callers)

    async def caller() -> None:
        for _ in range(each):
            await call()

    rounds: list[float] = []
    for _ in range(5):
        start = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(callers)))
        rounds.append((time.perf_counter() - start) / (each * callers))
    return statistics.median(rounds)


def line(name: str, seconds: float, floor: float | None = None) -> None:
    row(name, f"{seconds * 1e6:,.2f} µs", f"{seconds / floor:.2f} floors" if floor else "")


async def measure(url: str) -> None:
    async with AsyncExitStack() as stack:
        bare = await stack.enter_async_context(Redis.from_url(url))
        pool = BlockingConnectionPool.from_url(url, max_connections=20)
        pooled = await stack.enter_async_context(Redis(connection_pool=pool))
        client = await stack.enter_async_context(RedisClient(url))
        pubsub = await stack.enter_async_context(PubSub(url))
        fence = MemoryFence()
        await fence.hush(0, client.run_id)
        hot = await stack.enter_async_context(HotCopies(client, pubsub, fence, times=Times(lease=3600, fresh=3600)))
        far = await stack.enter_async_context(HotCopies(client, pubsub, fence, limit=0))
        await client.call("SET", "key", b"v" * 2000)

        async def load() -> Copy:
            return GAME

        while hot.get("game") is None:
            await hot.read("game", load)
            await asyncio.sleep(0.01)

        floor = await cost(lambda: bare.get("key"), calls=1000)
        line("bare GET by redis-py, one caller (floor)", floor)
        line("GET, one caller", await cost(lambda: client.call("GET", "key"), calls=2000), floor)
        line("a game in Redis, one caller", await cost(lambda: far.read("game", load), calls=2000), floor)
        many = await cost(lambda: pooled.get("key"), callers=CALLERS, calls=2000)
        line(f"bare GET by redis-py, {CALLERS} callers, pool of 20 (floor)", many)
        line(
            f"GET, {CALLERS} callers (target 30)", await cost(lambda: client.call("GET", "key"), callers=CALLERS), many
        )
        line(f"a game in Redis, {CALLERS} callers", await cost(lambda: far.read("game", load), callers=CALLERS), many)

        start, count = time.perf_counter(), 200_000
        for _ in range(count):
            hot.get("game")
        line("a game in this process (target 1)", (time.perf_counter() - start) / count, floor)

        version = 1

        async def write() -> None:
            nonlocal version
            async with hot.writing("game") as writes:
                writes.committed("game", Change(version, version + 1, GAME.head, {"part0": b"q" * 250}))
                version += 1

        line("mark and publish a write, one caller", await cost(write, calls=1000), floor)
        found = hot.stats.hit_rate
    row("reads that PostgreSQL did not see", f"{found:.1%}")
    row("peak memory", f"{peak()} MiB")


def main() -> None:
    """Starts a Valkey of its own and prints the cost of each kind of read."""
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "v.sock"
        settings = ["--port", "0", "--unixsocket", str(socket), "--dir", folder, "--save", "", "--loglevel", "warning"]
        with subprocess.Popen([binaries.valkey(), *settings], stdout=subprocess.DEVNULL) as server:
            try:
                while not socket.exists():
                    time.sleep(0.01)
                asyncio.run(measure(f"unix://{socket}"))
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
