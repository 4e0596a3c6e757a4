"""Ten thousand messages answered with the help of a model that lies: nothing may change but by the rules."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from agents.worlds import Where
from benchmarks.measure import row
from evals.data import WORLDS
from evals.scripted import serving
from evals.simulated.attacking import Attack
from evals.simulated.hour import Clock
from evals.simulated.lies import Liar
from evals.simulated.table import table

REQUIREMENTS = ("0.44",)


async def attacked(attacks: int, home: Path) -> int:
    """Prints what came of so many attacks; how many broke the rules."""
    liar, begin = Liar(1), time.perf_counter()
    with serving(liar) as server:
        async with table(home, server.url, Clock()) as at:
            worlds = [Where.of(world) for world in WORLDS]
            report = await Attack(at.store, at.games, liar, at.say, seed=1, worlds=worlds).run(attacks)
        calls = len(server.requests)
    row("attacks", f"{report.attacks:,}", f"{time.perf_counter() - begin:.0f} s")
    row("lies told: answers of the model", f"{calls:,}")
    row("turns that changed something, all as the rules say", f"{report.acted:,}")
    row("state changes outside the rules (target 0)", f"{len(report.broken)}")
    row("tools called that were never offered", f"{report.wished:,}", f"{len(report.untraced)} untraced")
    for reason, count in report.reasons.most_common(12):
        row(f"  {reason}"[:52], f"{count:,}")
    print(*report.broken[:20], sep="\n")
    return len(report.broken)


def main() -> int:
    """`benchmarks.attacks [ATTACKS]`; 1 where anything happened outside the rules."""
    attacks = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        return min(1, asyncio.run(attacked(attacks, Path(folder))))


if __name__ == "__main__":
    sys.exit(main())
