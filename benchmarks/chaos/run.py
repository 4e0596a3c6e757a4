"""Owns one chaos run from beginning to end. It must not know how it is shown."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos import worlds
from benchmarks.chaos.check import Verdict, judge
from benchmarks.chaos.fleet import Fleet
from benchmarks.chaos.players import History, Player


@dataclass(frozen=True, slots=True)
class Report:
    """What happened, and what became of it."""

    history: History
    faults: Counter[str]
    verdict: Verdict
    ends: int
    """How often a worker ended by itself."""
    said: Sequence[str]
    """What the workers wrote to their logs: nothing, unless something went wrong."""


async def run(
    folder: Path,
    *,
    seconds: float = 0.0,
    faults: Sequence[str] = (),
    seed: int = 1,
    naive: bool = False,
    embedded: bool = False,
    workers: int = 3,
    players: tuple[int, int] = (6, 6),
    longest: float = 4.0,
) -> Report:
    """Plays under the given faults in order and then under others at random for some seconds, none much longer than `longest`;
    then judges. Raises TimeoutError where nobody gets an answer for a minute."""
    rng, history, over = random.Random(seed), History(), asyncio.Event()
    where = worlds.write(folder / "pages")
    async with Fleet(folder, rng, workers=workers, naive=naive, embedded=embedded, longest=longest) as fleet:
        everybody: list[Player] = []
        for world, count in zip(where, players, strict=True):
            for _ in range(count):
                player = Player(f"p{len(everybody)}", fleet, history, random.Random(rng.random()))
                await player.join(world)
                everybody.append(player)
        await fleet.valkey.save()
        playing = [asyncio.create_task(player.play(over)) for player in everybody]
        for name in faults:
            await _some_answers(history)
            await fleet.fault(name)
        await _at_random(fleet, rng, seconds)
        await _some_answers(history)
        over.set()
        async with asyncio.timeout(60):
            await asyncio.gather(*playing)
        ends = sum(worker.ends for worker in fleet.workers)
        for worker in fleet.workers:
            await worker.stop()
        verdict = await judge(history, fleet.database_url, fleet.home)
    said = [line for worker in fleet.workers for line in worker.log.read_text().splitlines()]
    return Report(history, fleet.faults, verdict, ends, said)


async def _some_answers(history: History) -> None:
    """Waits until there are a few more, whoever is away."""
    enough = len(history.seen) + 20
    async with asyncio.timeout(60):
        while len(history.seen) < enough:
            await asyncio.sleep(0.02)


async def _at_random(fleet: Fleet, rng: random.Random, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        await asyncio.sleep(rng.uniform(0.1, 2))
        if rng.random() < 0.3:
            await fleet.valkey.save()
        # Now and then two things happen at once.
        await asyncio.gather(*(fleet.fault(name) for name in rng.sample(fleet.possible, rng.choice((1, 1, 2)))))
