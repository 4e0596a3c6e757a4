"""What durable turns cost, against floors measured in the same run; servers of its own, in a folder that it removes.

`python3 tasks.py bench storage`.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from benchmarks.commits import commits
from benchmarks.measure import peak, row
from benchmarks.playing import playing
from storage.embedded import Supervisor
from storage.testing import database

REQUIREMENTS = ("0.10", "1.10", "2.08", "2.10", "2.18", "3.17", "4.37", "4.42")


def main() -> None:
    """Prints figures, floors and ratios."""
    with tempfile.TemporaryDirectory() as name:
        supervisor = Supervisor(Path(name))
        servers = supervisor.acquire()
        try:
            server = next(each.pid for each in supervisor.status().servers if each.name == "postgres")
            assert server is not None, "it was started just now"
            with database(servers) as url:
                update = asyncio.run(commits(url, server))
            with database(servers) as url:
                asyncio.run(playing(servers, url, server, Path(name), update))
        finally:
            supervisor.release()
    row("peak memory of this process", f"{peak()} MiB")


if __name__ == "__main__":
    main()
