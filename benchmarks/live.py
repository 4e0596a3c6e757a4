"""1,000 players on WebSockets, each with a command every few seconds, and 10,000 requests a minute; the floor is a bare Starlette
echo under the same load in the same run. `python3 tasks.py bench live [PLAYERS]`."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.measure import percentiles, row
from mcp_server.web.metrics import Measures
from mcp_server.web.requests import Errors, Requests
from storage.embedded import Supervisor
from storage.testing import database

REQUIREMENTS = ("2.06", "2.07", "2.12", "4.42")
PLAYERS, SHARED, WORKERS = 1_000, 50, 2
EVERY, SECONDS = 4.0, 16.0
RATE = 10_000 / 60


@contextmanager
def worker(kind: str, *rest: str) -> Generator[tuple[str, subprocess.Popen[bytes]]]:
    """A worker in a process of its own: its address, and it."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as port:
        command = [sys.executable, "-m", "benchmarks.live_worker", kind, str(port.fileno()), *rest]
        with subprocess.Popen(command, pass_fds=[port.fileno()]) as process:
            try:
                yield f"127.0.0.1:{port.getsockname()[1]}", process
            finally:
                process.terminate()


def load(addresses: list[str], pids: list[int], players: int, seconds: float) -> dict[str, Any]:
    """What the load found."""
    asked = {
        "addresses": addresses, "pids": pids, "players": players, "shared": min(SHARED, players), "every": EVERY,
        "seconds": seconds, "rate": RATE,
    }  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.live_load", json.dumps(asked)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def shown(found: dict[str, Any], floor: dict[str, Any]) -> None:
    """Latencies, what went wrong, and who used the processors."""
    names = {"paced": "commands (target 250, 500)", "http": "requests (target 250, 500)", "burst": "commands at once"}
    for name, what in names.items():
        figures = [", ".join(f"{each * 1e3:,.1f}" for each in percentiles(of[name])) for of in (found, floor)]
        row(f"{len(found[name]):,} {what}: p50, p95, p99", f"{figures[0]} ms", f"floor {figures[1]}")
    done = sum(len(found[name]) for name in names)
    errors, codes = sum(found["errors"].values()), ", ".join(f"{code}: {n}" for code, n in found["errors"].items())
    row("errors (target under 5 %), lost (target 0)", f"{errors / done:.2%} {found['lost']}", codes)
    row("events of others that were told", f"{found['events']:,}")
    *workers, postgres = (each / len(found["paced"]) for each in found["processors"])
    (bare,) = (each / len(floor["paced"]) for each in floor["processors"])
    row(
        "processor time a command, with its requests", f"{sum(workers) * 1e3:.2f} ms",
        f"{sum(workers) / bare:.1f} floors; PostgreSQL {postgres * 1e3:.2f} ms; others used {found['others']:.1f} cores",
    )  # fmt: skip


def histogram(text: str, name: str, share: float) -> float:
    """The upper bound, in seconds, of the bucket in which a share of what was measured lies."""
    samples = [
        each for family in text_string_to_metric_families(text) if family.name == name for each in family.samples
    ]
    counts = {float(each.labels["le"]): each.value for each in samples if each.name.endswith("_bucket")}
    return next(bound for bound, count in sorted(counts.items()) if count >= share * max(counts.values()))


def value(text: str, name: str) -> float:
    """A metric of one sample."""
    (found,) = re.findall(rf"^{name} (\S+)$", text, re.MULTILINE)
    return float(found)


def scraped(address: str) -> str:
    request = urllib.request.Request(f"http://{address}/metrics", headers={"x-who": "admin"})
    with urllib.request.urlopen(request) as response:
        return response.read().decode()


async def around() -> float:
    """Seconds that the middleware adds to a request."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        pass

    async def receive() -> Any:
        raise AssertionError("there is no body")

    measures = Measures()
    scope = {"type": "http", "method": "GET", "headers": [(b"host", b"x")] * 8, "client": ("127.0.0.1", 1)}

    async def cost(call: Callable[..., Awaitable[None]]) -> float:
        rounds: list[float] = []
        for _ in range(5):
            begin = time.perf_counter()
            for _ in range(2_000):
                await call(dict(scope), receive, send)
            rounds.append((time.perf_counter() - begin) / 2_000)
        return min(rounds)

    return await cost(Requests(app, measures, Errors(measures), lambda _: None)) - await cost(app)


def main(players: int = PLAYERS) -> None:
    """Prints latencies, losses and what the workers measured of themselves."""
    row("the middleware: a request (target 50)", f"{asyncio.run(around()) * 1e6:.1f} µs")
    with worker("echo") as (address, process):
        floor = load([address], [process.pid], players, SECONDS / 2)
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        supervisor = Supervisor(Path(home))
        servers = supervisor.acquire()
        stack.callback(supervisor.release)
        postgres = next(each.pid for each in supervisor.status().servers if each.name == "postgres")
        assert postgres is not None, "it was started just now"
        url = stack.enter_context(database(servers))
        workers = [stack.enter_context(worker("serve", url, servers.redis_url, home)) for _ in range(WORKERS)]
        addresses = [address for address, _ in workers]
        found = load(addresses, [*(process.pid for _, process in workers), postgres], players, SECONDS)
        texts = [scraped(address) for address in addresses]
    row(f"{players:,} players, {WORKERS} workers, a command each {EVERY:g} s", f"{len(found['paced']) / SECONDS:.0f}/s")
    shown(found, floor)
    for name, what in {
        "database_query_duration_seconds": "queries: p95 (target 20)",
        "player_progress_write_latency_seconds": "commits: p95",
        "event_propagation_seconds": "a turn until others are told: p95",
    }.items():
        row(what, f"≤ {max(histogram(text, name, 0.95) for text in texts) * 1e3:g} ms")
    for number, text in enumerate(texts):
        row(f"worker {number}: memory", f"{value(text, 'process_resident_memory_bytes') / 2**20:.0f} MiB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
