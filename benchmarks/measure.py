"""Owns measuring: how often a call can be made in a second, and the peak memory of the process."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable


def rate(call: Callable[[], object], *, seconds: float = 1.0, rounds: int = 5) -> float:
    """Calls a second: the median of rounds, after a warm-up of one round."""
    count = 1
    while True:
        start = time.perf_counter()
        for _ in range(count):
            call()
        spent = time.perf_counter() - start
        if spent > seconds / rounds / 4:
            break
        count *= 2
    count = max(1, int(count * (seconds / rounds) / spent))
    rates: list[float] = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(count):
            call()
        rates.append(count / (time.perf_counter() - start))
    return statistics.median(rates)


def seconds(call: Callable[[], object], *, rounds: int = 3) -> float:
    """Seconds of one call: the median of rounds."""
    spent: list[float] = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


def peak() -> int:
    """Peak resident memory of this process in MiB."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size // (1024 * 1024 if sys.platform == "darwin" else 1024)


def row(name: str, value: str, ratio: str = "") -> None:
    """One line of a report."""
    print(f"{name:<52}{value:>18}  {ratio}")
