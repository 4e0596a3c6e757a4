"""Owns measuring: how often a call can be made in a second, and the peak memory of the process."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence


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


def percentiles(seconds: Sequence[float]) -> tuple[float, float, float]:
    """The median, the 95th and the 99th percentile."""
    ordered = sorted(seconds)
    p50, p95, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.95, 0.99))
    return p50, p95, p99


def row(name: str, value: str, ratio: str = "") -> None:
    """One line of a report."""
    print(f"{name:<52}{value:>18}  {ratio}")
