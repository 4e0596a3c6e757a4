"""The long form of `test_model`: `python -m tests.storage.redis.explore [SCHEDULES] [FIRST]` prints every schedule with a stale read.

About 60 schedules a second. With `flushes` as a third argument Redis also forgets marks, and only acknowledged versions count.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

from redis import Redis

from tests.storage.redis.conftest import Server
from tests.storage.redis.world import World

STEPS = 400


def main(schedules: int = 10_000, first: int = 0, flushes: bool = False) -> int:
    """Explores, and returns how many schedules showed a stale read."""
    happened: Counter[str] = Counter()
    stale = 0
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        server.start()
        databases = [Redis(unix_socket_path=str(server.socket), db=number) for number in range(16)]
        try:
            for seed in range(first, first + schedules):
                world = World(seed, databases.__getitem__, flushes=flushes)
                found = asyncio.run(world.run(STEPS, workers=2 + seed % 2))
                found = [each for each in found if not flushes or each.startswith("acknowledged")]
                stale += bool(found)
                for violation in found:
                    print(f"schedule {seed}: {violation}")
                happened["acknowledged"] += world.acked - 1
                for hot in world.hots:
                    for what in ("process", "redis", "loaded", "filled", "marked", "unmarked", "waited", "lost"):
                        happened[what] += getattr(hot.stats, what)
        finally:
            server.kill()
    print(
        f"{schedules:,} schedules, {stale} with a stale read;",
        ", ".join(f"{n:,} {what}" for what, n in happened.items()),
    )
    return stale


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:3]]
    sys.exit(min(1, main(*numbers, flushes="flushes" in sys.argv)))
