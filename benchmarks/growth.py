"""Whether a worker grows: many mixed players at one worker over PostgreSQL and Redis, game after game. Its memory at the end beside that
after the first quarter (the floor), with what its own metrics say: response times and hits of its caches. An error ends it.

`python3 tasks.py bench growth [MESSAGES]`.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
from pathlib import Path

from agents.access import Principal
from agents.worlds import Where
from benchmarks.measure import percentiles, row
from evals.simulated.hour import Clock, Hour
from evals.simulated.knowing import Knowing
from rulebound.app import build
from rulebound.settings import Settings
from storage.fenced import FencedStore
from storage.testing import database, migrated, running

REQUIREMENTS = ("3.15",)
WORLDS = ("cloak", "tavern", "lending-desk", "west-of-house", "wylding-woods")
MESSAGES = 20_000
ROUNDS = 20
PLAYERS = 50


def resident() -> float:
    """Resident memory of this process now, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


async def measure(url: str, redis: str, home: Path, messages: int) -> None:
    clock = Clock()
    async with FencedStore.opened(url, redis) as store:
        app = build(Settings(home), store=store, now=clock)
        router = app.router(app.knowledge({}))

        async def say(principal: str, handle: str, message: str, key: str):
            return await router.answer(Principal.of(principal, "player"), message, handle=handle, key=key)

        sizes: list[float] = []
        seconds: list[float] = []
        count = 0
        for number in range(ROUNDS):
            # Each round has players and games of its own, as a new day has.
            hour = Hour(store, app.games, say, Knowing(), clock, seed=number)
            wanted = max(1, messages // ROUNDS // PLAYERS)
            report = await hour.run([Where.of(each) for each in WORLDS], players=PLAYERS, minutes=wanted)
            seconds += report.seconds
            count += report.messages
            del hour
            gc.collect()
            sizes.append(resident())
        floor, end = sizes[ROUNDS // 4 - 1], sizes[-1]
        row("messages, rounds of new players and games", f"{count:,}, {ROUNDS}")
        row("memory after a quarter (floor)", f"{floor:.1f} MiB")
        row("memory at the end (target 10 % growth)", f"{end:.1f} MiB", f"{end / floor - 1:+.1%}")
        p50, p95, p99 = percentiles(seconds)
        row("response p50, p95, p99", f"{p50 * 1e3:.1f}, {p95 * 1e3:.1f}, {p99 * 1e3:.1f} ms")
        told = app.answering.metrics()
        for line in told.splitlines():
            if line.startswith("decision_cache_hit_rate"):
                row("share of answers from the cache", line.split()[-1])
        await app.close()


def main() -> None:
    """Starts servers of its own and prints the figures."""
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as servers, database(servers) as url:
        asyncio.run(migrated(url))
        asyncio.run(measure(url, servers.redis_url, Path(folder) / "home", messages))


if __name__ == "__main__":
    main()
