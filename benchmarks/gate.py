"""How often the gate fails though nothing but chance changed, and how often it finds a drop of five points, by sample size."""

from __future__ import annotations

import random
import sys
import time
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


SIZES = (Size(350, 5, 5), Size(600, 5, 5), Size(350, 20, 5))
"""Those that docs/evaluators/statistics.md tells of."""


class Rates(NamedTuple):
    """Of so many simulations each: where nothing changed, every case became harder, some cases broke, the gate failed."""

    runs: int
    nothing: int
    everywhere: int
    broken: int


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


def simulated(size: Size, spread: tuple[float, float], runs: int, seed: int = 0) -> Rates:
    """How often the gate fails."""
    seeds = range(seed, seed + runs)
    return Rates(runs, *(sum(fails(change, size, spread, each) for each in seeds) for change in CHANGES))


CHANGES = (unchanged, everywhere, broken)


def main(runs: int) -> None:
    """Prints the rates of each sample size and spread."""
    row("cases × epochs (baseline, run), spread", "false alarms", "found everywhere, found broken")
    begin = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        for size in SIZES:
            for name, spread in SPREADS.items():
                found = Rates(runs, 0, 0, 0)
                for part in pool.map(partial(simulated, size, spread, runs // 10), range(0, runs, runs // 10)):
                    found = Rates(runs, *(one + more for one, more in zip(found[1:], part[1:], strict=True)))
                what = f"{size.cases} × ({size.kept}, {size.epochs}), {name}"
                row(what, f"{found.nothing} of {runs}", f"{found.everywhere} of {runs}, {found.broken} of {runs}")
    row("simulated runs a second", f"{9 * 3 * runs / (time.perf_counter() - begin):.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
