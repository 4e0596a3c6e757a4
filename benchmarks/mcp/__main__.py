"""MCP: tool calls over HTTP and standard input at 1 and 50 clients, 10,000 requests a minute, and the start of a client.

`python -m benchmarks.mcp [CALLS]`. The floor is a bare server of the SDK with an echo tool, in the same run.
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.mcp.clients import Caller, OverHttp, OverStdio, first_list
from benchmarks.measure import percentiles, row
from mcp_server.daemon.place import Place

REQUIREMENTS = ("0.20", "2.07", "4.42")
CALLS = 2_000
RATE = 10_000 / 60
"""Requests a second that a server must bear."""
PYTHON = sys.executable
ECHO = [PYTHON, "-m", "benchmarks.mcp.echo"]
BRIDGE = [PYTHON, "-m", "rulebound", "mcp"]
Tool = Callable[[Caller], Awaitable[Any]]


def cpu(pids: Sequence[int]) -> float:
    """Seconds of processor time that processes have used (Linux)."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def load(callers: Sequence[Caller], tool: Tool, calls: int) -> list[float]:
    """Each caller asks as soon as it is answered; seconds of each call."""
    spent: list[float] = []

    async def one(caller: Caller) -> None:
        for _ in range(calls // len(callers)):
            began = time.perf_counter()
            await tool(caller)
            spent.append(time.perf_counter() - began)

    await asyncio.gather(*map(one, callers))
    return spent


async def steady(callers: Sequence[Caller], tool: Tool, seconds: float) -> list[float]:
    """`RATE` calls a second, whatever becomes of them; seconds from the moment that each was due."""
    spent: list[float] = []
    free: asyncio.Queue[Caller] = asyncio.Queue()
    for caller in callers:
        free.put_nowait(caller)

    async def one(due: float) -> None:
        caller = await free.get()
        await tool(caller)
        spent.append(time.perf_counter() - due)
        free.put_nowait(caller)

    began, tasks = time.perf_counter(), list[asyncio.Task[None]]()
    for number in range(int(RATE * seconds)):
        due = began + number / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(due)))
    await asyncio.gather(*tasks)
    return spent


def told(name: str, spent: Sequence[float], used: float = 0.0, floor: float | None = None) -> float:
    """A line for one load; gives its median. `used` is the server's processor time for all of it."""
    p50, p95, p99 = percentiles(spent)
    each = f"{used / len(spent) * 1000:.2f} ms CPU a call" if used else ""
    ratio = f"  {p50 / floor:.1f} × echo" if floor else ""
    row(name, f"{p50 * 1000:.2f} / {p95 * 1000:.2f} / {p99 * 1000:.2f} ms", each + ratio)
    return p50


async def echo(caller: Caller) -> Any:
    return await caller.call("echo", {"text": "go west"})


async def read(caller: Caller) -> Any:
    return await caller.call("kb_search", {"query": "velvet cloak hook"})


class Player:
    """Plays games: `act` and `observe` for whoever calls."""

    def __init__(self, handles: dict[int, str]):
        self._handles = handles

    @staticmethod
    async def of(callers: Sequence[Caller]) -> Player:
        handles: dict[int, str] = {}
        for caller in callers:
            handles[id(caller)] = (await caller.call("start", {"world": "cloak"}))["handle"]
        return Player(handles)

    async def act(self, caller: Caller) -> Any:
        return await caller.call("act", {"handle": self._handles[id(caller)], "text": "look"})

    async def observe(self, caller: Caller) -> Any:
        return await caller.call("observe", {"handle": self._handles[id(caller)], "since": 10**6})


async def over_http(floor: tuple[int, int], ours: tuple[int, int], calls: int) -> None:
    print("\nHTTP, the protocol without sessions: p50 / p95 / p99")
    for clients in (1, 50):
        bare = [await OverHttp.to(floor[0]) for _ in range(clients)]
        callers = [await OverHttp.to(ours[0]) for _ in range(clients)]
        player = await Player.of(callers)
        await load(bare, echo, calls // 10)
        before = cpu([floor[1]])
        spent = await load(bare, echo, calls)
        median = told(f"echo of the bare SDK, {clients} clients", spent, cpu([floor[1]]) - before)
        for name, tool in (("kb_search", read), ("observe", player.observe), ("act", player.act)):
            await load(callers, tool, calls // 10)
            before = cpu([ours[1]])
            spent = await load(callers, tool, calls // (1 if clients > 1 else 2))
            told(f"{name}, {clients} clients", spent, cpu([ours[1]]) - before, median)
        if clients > 1:
            told("act, 10,000 requests a minute for 15 s", await steady(callers, player.act, 15.0))
        for caller in (*bare, *callers):
            await caller.close()


async def over_stdio(environment: dict[str, str], calls: int) -> None:
    print("\nStandard input and output: p50 / p95 / p99")
    for clients in (1, 50):
        bare = [await OverStdio.of(ECHO, environment) for _ in range(min(clients, 10))]
        await load(bare, echo, len(bare) * 10)
        median = told(f"echo of the bare SDK, {len(bare)} servers", await load(bare, echo, calls))
        for caller in bare:
            await caller.close()
        callers = [await OverStdio.of(BRIDGE, environment) for _ in range(clients)]
        player = await Player.of(callers)
        for name, tool in (("kb_search", read), ("act", player.act)):
            await load(callers, tool, clients * 4)
            told(f"{name}, {clients} clients of one daemon", await load(callers, tool, calls), floor=median)
        for caller in callers:
            await caller.close()


async def starts(environment: dict[str, str], home: Path) -> None:
    print("\nFrom the start of a client's command to its answer to tools/list: median of 5")

    async def median(command: Sequence[str], *, alone: bool = False) -> float:
        spent: list[float] = []
        for _ in range(5):
            if alone:
                Place(home).stop()
            spent.append(await first_list(command, environment))
        return statistics.median(spent)

    floor = await median(ECHO)
    row("bare SDK", f"{floor * 1000:.0f} ms")
    cold = await median(BRIDGE, alone=True)
    row("rulebound mcp, no daemon runs (target 1,500 ms)", f"{cold * 1000:.0f} ms", f"{cold / floor:.1f} × bare SDK")
    warm = await median(BRIDGE)
    row("rulebound mcp, a daemon runs (target 200 ms)", f"{warm * 1000:.0f} ms", f"{warm / floor:.2f} × bare SDK")


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


async def answering(port: int) -> None:
    while True:
        try:
            await (await OverHttp.to(port)).close()
        except OSError:
            await asyncio.sleep(0.02)
        else:
            return


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        home = Path(folder) / "home"
        environment = {**os.environ, "RULEBOUND_HOME": str(home)}
        port = free_port()
        bare = stack.enter_context(subprocess.Popen([*ECHO, str(port)]))
        stack.callback(bare.terminate)
        serve = [PYTHON, "-m", "rulebound", "serve", "--port", "0", "--trust-loopback"]
        ours = stack.enter_context(subprocess.Popen(serve, stdout=subprocess.PIPE, env=environment))
        stack.callback(ours.terminate)
        assert ours.stdout is not None
        found = re.search(r":(\d+)/mcp", ours.stdout.readline().decode())
        assert found, "the daemon did not start"

        async def every() -> None:
            await answering(port)
            await over_http((port, bare.pid), (int(found[1]), ours.pid), calls)
            await over_stdio(environment, calls)
            ours.terminate()
            ours.wait()
            await starts(environment, home)

        uvloop.run(every())
        Place(home).stop()


if __name__ == "__main__":
    main()
