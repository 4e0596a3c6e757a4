"""Owns the report of a chaos run: `python3 tasks.py bench chaos [SECONDS]`."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.chaos.run import Report, run
from benchmarks.measure import row

REQUIREMENTS = ("1.07", "2.01", "2.13", "2.14", "2.15", "3.08", "3.16")

RUNS = (
    ("Servers by URL, each worker with its own ways to them:", False, False),
    ("Embedded servers, which the workers bring back:", False, True),
    ("The dual write, which must fail:", True, False),
)


def show(report: Report) -> None:
    history, verdict = report.history, report.verdict
    row("turns acknowledged", f"{len({(seen.game, seen.key) for seen in history.seen if seen.key}):,}")
    row("looks", f"{sum(1 for seen in history.seen if not seen.key):,}")
    row("looks marked as maybe old", f"{sum(seen.stale for seen in history.seen):,}")
    row("turns promised while PostgreSQL was away", f"{len(history.promised):,}")
    row("turns kept, replayed", f"{verdict.turns:,} {verdict.replayed:,}")
    for name, count in report.faults.items():
        row(name, f"{count}")
    for name, seconds in history.outages.items():
        row(f"longest wait for a {name}", f"{seconds:.1f} s")
    for name, count in history.errors.most_common(12):
        row(f"answered: {name[:60]}", f"{count}")
    row("workers that ended by themselves", f"{report.ends}")
    row("lines in their logs", f"{len(report.said)}")
    print(*report.said[-20:], sep="\n")
    for name, count in verdict.broken.items():
        row(f"BROKEN: {name}", f"{count}")
    for each in verdict.examples:
        print(each)
    if not verdict.broken:
        row("lost, twice, stale, not replayed", "0")


def main() -> int:
    seconds = float(sys.argv[1]) if sys.argv[1:] else 60.0
    seed = int(sys.argv[2]) if sys.argv[2:] else 1
    status = 0
    for name, naive, embedded in RUNS:
        print(name, flush=True)
        folder = Path(tempfile.mkdtemp(prefix="rb-"))
        report = asyncio.run(run(folder, seconds=seconds, seed=seed, naive=naive, embedded=embedded))
        show(report)
        if bool(report.verdict.broken) == naive:
            shutil.rmtree(folder)
        else:
            print(f"What is left of it: {folder}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
