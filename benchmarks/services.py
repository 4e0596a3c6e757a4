"""Embedded servers: cold start (a new home), warm start, attach, stop, and idle memory; the floor is the bare programs by hand."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import row, seconds
from storage.embedded import Supervisor, binaries
from storage.embedded.process import held, run, send, wait
from storage.embedded.wire import Refused, ask_postgres, ask_valkey


def answers(ask: Callable[[], object]) -> bool:
    """Whether a server answers."""
    try:
        ask()
    except (OSError, Refused):
        return False
    return True


class ByHand:
    """`initdb`, `postgres` and `valkey-server` with their own defaults and nothing else."""

    def __init__(self, folder: Path):
        self.data, self.locks = folder / "data", [folder / "postgres.lock", folder / "valkey.lock"]
        self.folder = folder

    def initdb(self) -> None:
        run([binaries.postgres("initdb"), "-D", self.data, "-U", "postgres", "-A", "trust"], data=self.data)

    def start(self) -> None:
        """Starts both and waits until they answer."""
        postgres, valkey = self.folder / ".s.PGSQL.5432", self.folder / "valkey.sock"
        command = [binaries.postgres(), "-D", self.data, "-k", self.folder, "-c", "listen_addresses="]
        run(command, data=self.data, lock=self.locks[0], log=self.folder / "postgres.log")
        command = [binaries.valkey(), "--port", "0", "--unixsocket", valkey, "--save", ""]
        run(command, lock=self.locks[1], log=self.folder / "valkey.log")
        wait(lambda: answers(lambda: ask_postgres(postgres, "SELECT 1")), 60)
        wait(lambda: answers(lambda: ask_valkey(valkey, "PING")), 60)

    def stop(self) -> None:
        for lock, number in zip(self.locks, (signal.SIGINT, signal.SIGTERM), strict=True):
            send(lock, number)
        wait(lambda: not any(map(held, self.locks)), 60)


def memory(locks: list[Path]) -> float:
    """MiB of the processes that hold the locks: each page counted once (Linux)."""
    pids = [lock.read_text().split()[0] for lock in locks]
    below = subprocess.run(["ps", "-o", "pid=", "--ppid", ",".join(pids)], capture_output=True, text=True, check=False)
    total = 0
    for pid in [*pids, *below.stdout.split()]:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def main() -> None:
    """Prints times and memory, and their ratio to the floor."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        rounds = [ByHand(Path(name) / f"hand-{n}") for n in range(3)]
        homes = [Path(name) / f"home-{n}" for n in range(3)]
        floors: list[float] = []
        colds: list[float] = []
        for hand, home in zip(rounds, homes, strict=True):
            hand.folder.mkdir(mode=0o700)
            floors.append(timed(hand.initdb) + timed(hand.start))
            hand.stop()
            supervisor = Supervisor(home)
            colds.append(timed(supervisor.acquire))
            supervisor.release()
        report(
            "cold start (target 2 s)", sorted(colds)[1], "initdb, postgres, valkey-server by hand", sorted(floors)[1]
        )
        hand, supervisor = rounds[0], Supervisor(homes[0])
        warm_floor: list[float] = []
        warm: list[float] = []
        stop: list[float] = []
        for _ in range(5):
            warm_floor.append(timed(hand.start))
            hand.stop()
            warm.append(timed(supervisor.acquire))
            stop.append(timed(supervisor.release))
        report("warm start (target 300 ms)", sorted(warm)[2], "postgres, valkey-server by hand", sorted(warm_floor)[2])
        row("stop, data flushed", f"{sorted(stop)[2] * 1000:,.0f} ms")
        supervisor.acquire()
        hand.start()
        postgres, valkey = hand.folder / ".s.PGSQL.5432", hand.folder / "valkey.sock"
        floor = seconds(lambda: (ask_postgres(postgres, "SELECT 1"), ask_valkey(valkey, "PING")), rounds=20)
        attach = seconds(lambda: Supervisor(homes[0]).acquire(), rounds=20)
        report("attach to running servers (target 20 ms)", attach, "one query to each", floor)
        if sys.platform == "linux":
            mine = memory([homes[0] / "services/postgres.lock", homes[0] / "services/valkey.lock"])
            bare = memory(hand.locks)
            row("idle memory by hand, defaults (floor)", f"{bare:.1f} MiB")
            row("idle memory (target 50 MiB)", f"{mine:.1f} MiB", f"{mine / bare:.2f}x the floor")
        hand.stop()
        Supervisor(homes[0]).stop(force=True)


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def report(what: str, spent: float, floor_is: str, floor: float) -> None:
    """Two lines: the floor and ours."""
    row(f"{floor_is} (floor)", f"{floor * 1000:,.1f} ms")
    row(what, f"{spent * 1000:,.1f} ms", f"{spent / floor:.2f}x the floor")


if __name__ == "__main__":
    main()
