"""An hour of a hundred mixed players: tiers, calls saved, final states, our own time; a hundred agent runs a second."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from agents.models.model import Answer, Model, Piece, Request
from agents.worlds import Where
from benchmarks.measure import peak, percentiles, row
from evals.data import WORLDS
from evals.scripted import serving
from evals.simulated.hour import Clock, Hour, Report
from evals.simulated.knowing import Instant, Knowing
from evals.simulated.mixed import WORDINGS
from evals.simulated.table import PRICES, table

REQUIREMENTS = ("0.18", "3.13", "3.17", "4.23", "4.24")
PLAYERS = 100
RUNS = 1_000
FULL = PRICES.cost(1_500, 60)
"""A full call as agents' frameworks make one for each message: the prompt with rules, state and tools, and a short answer."""


class Timed:
    """A model, and how long it was waited for."""

    def __init__(self, model: Model):
        self._model = model
        self.seconds = 0.0
        self.lengths: list[int] = []

    async def chat(self, request: Request) -> Answer:
        self.lengths.append(sum(len(each.text) for each in request.messages))
        begin = time.perf_counter()
        try:
            return await self._model.chat(request)
        finally:
            self.seconds += time.perf_counter() - begin

    async def stream(self, request: Request) -> AsyncIterator[Piece]:
        begin = time.perf_counter()
        async for piece in self._model.stream(request):
            yield piece
        self.seconds += time.perf_counter() - begin

    async def embed(
        self, texts: Sequence[str], *, principal: str = "local", deadline: float = 10.0
    ) -> list[list[float]]:
        return await self._model.embed(texts, principal=principal, deadline=deadline)


async def hour(minutes: int, home: Path) -> None:
    """Prints what an hour of play took, beside one full call for each message."""
    knowing, clock = Knowing(), Clock()
    timed: list[Timed] = []

    def through(model: Model) -> Model:
        timed.append(Timed(model))
        return timed[0]

    with serving(knowing) as server:
        async with table(home, server.url, clock, through=through) as at:
            play = Hour(at.store, at.games, at.say, knowing, clock)
            worlds = [Where.of(world) for world in WORLDS]
            report = await play.run(worlds, players=PLAYERS, minutes=minutes)
        counted = len(server.requests)
    told(report, counted, timed[0])


def told(report: Report, counted: int, timed: Timed) -> None:
    row(f"{PLAYERS} players, messages", f"{report.messages:,}", f"{report.games} games")
    saved = 1 - counted / report.messages
    row("calls counted at the server (one a message: 0%)", f"{counted:,}", f"{saved:.1%} fewer (target 85%)")
    row("calls told by the answers", f"{report.calls:,}")
    for tier, count in report.tiers.most_common():
        row(f"tier {tier}", f"{count:,}", f"{count / report.messages:.1%}")
    for route, count in report.routes.most_common():
        row(f"route {route}", f"{count:,}", f"{count / report.messages:.1%}")
    for kind, count in report.kinds.most_common():
        row(f"said: {kind}", f"{count:,}", f"{report.calls_of[kind] / count:.2f} calls each")
    row("cost", f"${report.cost:.2f}", f"a full call each: ${FULL * report.messages:.2f}")
    row("games that ended otherwise than by the rules alone", f"{len(report.differing)}", "target 0")
    row("messages that meant a command and led to no turn", f"{len(report.missed)}")
    _, whole, _ = percentiles(report.seconds)
    row("an answer, p95, with calls", f"{whole * 1e3:.1f} ms")
    own = (sum(report.seconds) - timed.seconds) / report.messages
    row("our own time of a message, mean", f"{own * 1e3:.2f} ms")
    if timed.lengths:
        row(
            "prompt, median and longest",
            f"{sorted(timed.lengths)[len(timed.lengths) // 2]:,}",
            f"{max(timed.lengths):,} characters",
        )
    print(
        *[f"  differs: {each}" for each in report.differing[:5]],
        *[f"  missed: {each}" for each in report.missed[:5]],
        sep="\n",
    )


async def burst(home: Path) -> None:
    """Prints how many messages that take a call are answered in a second, where the model takes no time."""
    knowing, clock = Knowing(), Clock()
    knowing.meant = "look"
    instant = Instant(knowing)
    async with table(home, "http://127.0.0.1:9", clock, through=lambda _: instant) as at:
        where, handles = Where.of("west-of-house"), dict[str, str]()
        for number in range(PLAYERS):
            handles[f"p-{number}"], _ = await at.games.start(where, f"p-{number}", seed=number)

        async def plays(principal: str, handle: str) -> Counter[str]:
            tiers: Counter[str] = Counter()
            for number in range(RUNS // PLAYERS):
                said = f"{WORDINGS[number % len(WORDINGS)].format('look about')}, {principal}"
                tiers[(await at.say(principal, handle, said, f"{principal}-{number}")).tier] += 1
            return tiers

        begin = time.perf_counter()
        tiers = sum(await asyncio.gather(*(plays(*each) for each in handles.items())), Counter[str]())
        spent = time.perf_counter() - begin
    row(
        f"agent runs a second, {PLAYERS} at once (target 100)",
        f"{RUNS / spent:,.0f}",
        f"{instant.calls:,} calls, {dict(tiers)}",
    )


def main() -> None:
    """`benchmarks.router [MINUTES]`."""
    minutes = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(hour(minutes, Path(folder)))
        asyncio.run(burst(Path(folder)))
    row("peak memory", f"{peak()} MiB")


if __name__ == "__main__":
    main()
