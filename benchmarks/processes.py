"""Owns who spent which processor time: this process, the servers of a folder, everybody else on the machine (Linux)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds: `wall` of the clock, the others of processors."""

    wall: float
    own: float
    server: float
    others: float


class Watch:
    """`watch = Watch(pid)`, then `watch.spent()` is what was spent since. `pid` is the server's first process."""

    def __init__(self, pid: int):
        self._pid = pid
        self._start = self._now()

    def spent(self) -> Spent:
        wall, own, server, all_ = (after - before for after, before in zip(self._now(), self._start, strict=True))
        return Spent(wall, own, server, max(0.0, all_ - own - server))

    def _now(self) -> tuple[float, float, float, float]:
        busy = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
        # user, nice, system, irq, softirq; without idle, waiting and what a host took.
        machine = sum(int(busy[at]) for at in (1, 2, 3, 6, 7)) / os.sysconf("SC_CLK_TCK")
        return time.perf_counter(), time.process_time(), sum(map(_seconds, _family(self._pid))), machine


def _family(pid: int) -> Iterator[int]:
    """A process and its children; PostgreSQL's have no children of their own."""
    yield pid
    yield from map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split())


def _seconds(pid: int) -> float:
    """How long a process has run on processors."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9
    except FileNotFoundError:
        return 0.0
