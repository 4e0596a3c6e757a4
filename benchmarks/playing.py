"""Whole turns of `GameService` over the bundled `cloak` at 1, 20 and 200 players, from the line to the durable answer: the
part of `benchmarks.storage` about what players wait for. Also what a game in memory weighs, and how long a cold one takes."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from agents.worlds import Where
from benchmarks.measure import percentiles, row
from benchmarks.processes import Watch
from rulebound.app import App, build
from rulebound.settings import Settings
from storage.embedded import Servers
from storage.fenced import FencedStore

LOADS = {1: 500, 20: 100, 200: 25}
"""Turns of a player, by how many players there are."""
LINES = ("w", "x hook", "i", "e", "look")
HELD = 500
"""Games of which the weight is taken."""


async def _play(app: App, handles: Sequence[str], turns: int) -> list[float]:
    """Seconds of each turn."""
    latencies: list[float] = []

    async def one(handle: str) -> None:
        for number in range(turns):
            start = time.perf_counter()
            await app.games.act(handle, "bench", LINES[number % len(LINES)])
            latencies.append(time.perf_counter() - start)

    await asyncio.gather(*map(one, handles))
    return latencies


async def playing(servers: Servers, url: str, server: int, home: Path, update: float) -> None:
    """Prints rates, latencies and costs. `server` is the process id of PostgreSQL, `update` a bare UPDATE's seconds."""
    where = Where.of("cloak")
    async with FencedStore.opened(url, servers.redis_url) as store:
        app = build(Settings(home), store=store)
        handles = [(await app.games.start(where, "bench", name=f"player {n}"))[0] for n in range(max(LOADS))]
        await _play(app, handles, 2)
        for number, turns in LOADS.items():
            watch = Watch(server)
            p50, p95, p99 = percentiles(await _play(app, handles[:number], turns))
            spent, count = watch.spent(), number * turns
            name = f"{number} player{'s' * (number > 1)}"
            row(f"{name}: whole turns in cloak", f"{count / spent.wall:,.0f}/s")
            row(
                f"{name}: p50, p95, p99",
                f"{p50 * 1e3:.2f}, {p95 * 1e3:.2f}, {p99 * 1e3:.2f} ms",
                f"{p50 / update:.1f} bare UPDATEs; µs a turn: this process {spent.own / count * 1e6:.0f}, PostgreSQL "
                f"{spent.server / count * 1e6:.0f}; others used {spent.others / spent.wall:.1f} cores",
            )
        gc.collect()
        tracemalloc.start()
        more = [(await app.games.start(where, "bench", name=f"held {n}"))[0] for n in range(HELD)]
        gc.collect()
        row("a game held in memory", f"{tracemalloc.get_traced_memory()[0] / len(more) / 1024:.1f} KiB")
        tracemalloc.stop()
        await app.games.close()
        other = build(Settings(home), store=store)
        await other.games.game(handles[0], "bench")
        latencies: list[float] = []
        for handle in islice(more, 200):
            start = time.perf_counter()
            await other.games.game(handle, "bench")
            latencies.append(time.perf_counter() - start)
        p50, p95, p99 = percentiles(latencies)
        row(
            "a game that this process does not hold: p50, p95, p99",
            f"{p50 * 1e3:.2f}, {p95 * 1e3:.2f}, {p99 * 1e3:.2f} ms",
        )
        await other.games.close()
