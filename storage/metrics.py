"""Owns numbers for operators, written as Prometheus reads them (text format 0.0.4).

`Histogram(name, help)` is fed by who measures; `gauge(…)` and `counter(…)` write a number; `process()` is about this process.
No client library: importing one costs a tenth of a second at every start. It must not know what is measured.
"""

from __future__ import annotations

import os
import resource
import sys
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Literal

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""


class Histogram:
    """How long something took, in seconds; `name` ends in the unit."""

    def __init__(self, name: str, help: str, bounds: Iterable[float] = BUCKETS):
        self.name, self.help, self.bounds = name, help, tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    @property
    def count(self) -> int:
        return sum(self.counts)

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds

    def render(self) -> str:
        names = [*(f"{bound:g}" for bound in self.bounds), "+Inf"]
        rows = [
            f'{self.name}_bucket{{le="{name}"}} {count}'
            for name, count in zip(names, accumulate(self.counts), strict=True)
        ]
        return _metric(self.name, "histogram", self.help, [
            *rows, f"{self.name}_sum {self.sum:.9g}", f"{self.name}_count {self.count}",
        ])  # fmt: skip


def gauge(name: str, help: str, value: float) -> str:
    """A number that goes up and down."""
    return _metric(name, "gauge", help, [f"{name} {value:.9g}"])


def counter(name: str, help: str, value: float) -> str:
    """A number that only grows; its name ends in `_total`."""
    return _metric(name, "counter", help, [f"{name} {value:.9g}"])


def family(
    name: str, kind: Literal["counter", "gauge"], help: str, samples: Iterable[tuple[Mapping[str, str], float]]
) -> str:
    """Numbers that labels tell apart; labels are names of ours or of an operator's, never of players."""
    rows = list[str]()
    for labels, value in samples:
        told = ",".join(f'{label}="{_escaped(each)}"' for label, each in labels.items())
        rows.append(f"{name}{{{told}}} {value:.9g}")
    return _metric(name, kind, help, rows)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def process() -> str:
    """CPU time, memory and open files of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    memory = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    files = Path("/proc/self/fd" if sys.platform == "linux" else "/dev/fd")
    statm = Path("/proc/self/statm")
    if statm.exists():
        memory = int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return "".join(
        (
            counter("process_cpu_seconds_total", "CPU time used, seconds.", used.ru_utime + used.ru_stime),
            gauge("process_resident_memory_bytes", "Memory in use.", memory),
            gauge("process_open_fds", "Open files and sockets.", len(os.listdir(files))),
        )
    )


def _metric(name: str, kind: str, help: str, rows: list[str]) -> str:
    return "\n".join((f"# HELP {name} {help}", f"# TYPE {name} {kind}", *rows, ""))
