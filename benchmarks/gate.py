"""How often the gate fails though nothing but chance changed, and how often it finds a drop of five points, by sample size."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NamedTuple

from benchmarks.measure import row
from evals.gate import Baseline, gate
from evals.results import Row

REQUIREMENTS = ("4.52",)
DROP = 0.05
SPREADS = {"sure": (0.8, 0.2), "level": (1.0, 1.0), "hard": (0.3, 0.7)}
"""How likely cases are solved (beta distributions): most of them always, every chance alike, most of them never."""


Change = Callable[[Sequence[float], random.Random], list[float]]
"""What becomes of the chances of cases."""


class Size(NamedTuple):
    """A sample: cases, their epochs when the baseline was written, and in the run that is judged."""

    cases: int
    kept: int
    epochs: int


SAMPLES = (
    (Size(400, 5, 5), "sure"),
    (Size(400, 5, 5), "hard"),
    (Size(650, 5, 5), "level"),
    (Size(400, 20, 5), "level"),
)
"""Those that docs/evaluators/statistics.md tells of."""


def everywhere(chances: Sequence[float], rng: random.Random) -> list[float]:
    """Every case is solved less often in the same proportion, five points less on average."""
    share = 1 - DROP * len(chances) / sum(chances)
    return [chance * share for chance in chances]


def broken(chances: Sequence[float], rng: random.Random) -> list[float]:
    """Cases drawn at random are never solved any more, until five points are lost."""
    left, told = DROP * len(chances), list(chances)
    for at in rng.sample(range(len(told)), len(told)):
        lost = min(left, told[at])
        told[at] -= lost
        left -= lost
    return told


def unchanged(chances: Sequence[float], rng: random.Random) -> list[float]:
    return list(chances)


def played(chances: Sequence[float], epochs: int, rng: random.Random) -> list[Row]:
    """A run's rows, each epoch drawn by its case's chance."""
    return [
        Row(f"case-{number}", epoch, "system:simulated", rng.random() < chance)
        for number, chance in enumerate(chances)
        for epoch in range(1, epochs + 1)
    ]


def fails(change: Change, size: Size, spread: tuple[float, float], seed: int) -> bool:
    """Whether the gate fails a run after `change` beside a baseline of before it."""
    rng = random.Random(seed)
    chances = [rng.betavariate(*spread) for _ in range(size.cases)]
    baseline = Baseline.of(played(chances, size.kept, rng))
    return not gate(baseline, played(change(chances, rng), size.epochs, rng)).passed


def main(runs: int) -> None:
    """Prints the rates of each sample size and spread, of so many simulations each."""
    row("cases × epochs (baseline, run), chances", "false alarms", "found everywhere, found broken")
    with ProcessPoolExecutor(2) as pool:
        for size, name in SAMPLES:
            found = [
                sum(pool.map(partial(fails, change, size, SPREADS[name]), range(runs), chunksize=10))
                for change in (unchanged, everywhere, broken)
            ]
            what = f"{size.cases} × ({size.kept}, {size.epochs}), {name}"
            row(what, f"{found[0]} of {runs}", f"{found[1]} of {runs}, {found[2]} of {runs}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
