"""64 players in one world want one thing at the same time, at two worker processes on one PostgreSQL and Redis, over and over.

`python3 tasks.py bench contention [ROUNDS]`; 1,000 rounds where nothing is said. Each round must have one owner, and every
other player must be told who it is. The floor is 64 bare conditional UPDATEs of one row.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from agents.worlds import Where
from benchmarks.measure import percentiles, row
from rulebound.app import build
from rulebound.settings import Settings
from storage.embedded import Supervisor
from storage.fenced import FencedStore
from storage.testing import database

REQUIREMENTS = ("0.36", "2.17", "4.27")
CLIENTS = 64
WORKERS = 2
PATIENCE = 120.0
"""Seconds after which a round counts as a deadlock."""
PAGES = {
    "world.md": "---\nexperience: arena\nuses: [adventure]\nstart: ring\nworld: shared\n---\n# Arena\nOne prize.\n",
    "ring.md": "---\nplace: ring\n---\n# Ring\nSand.\n",
    "prize.md": "---\nitem: prize\nin: ring\n---\n# Prize\nA cup.\n",
}


@dataclass
class Result:
    """What became of all rounds; `faults` are empty where everything was as it must be."""

    rounds: list[float] = field(default_factory=list[float])
    """Seconds each."""
    faults: list[str] = field(default_factory=list[str])
    owners: set[str] = field(default_factory=set[str])


async def contend(folder: Path, database_url: str, redis_url: str, rounds: int) -> Result:
    """Lets the players of two worker processes reach for the prize so often."""
    for name, text in PAGES.items():
        (folder / name).write_text(text, encoding="utf-8")
    result = Result()
    async with _worker(folder, database_url, redis_url, 0) as one, _worker(folder, database_url, redis_url, 1) as two:
        workers = (one, two)
        for number in range(rounds):
            begin = time.perf_counter()
            answers = await asyncio.wait_for(asyncio.gather(*(each.ask("take prize") for each in workers)), PATIENCE)
            result.rounds.append(time.perf_counter() - begin)
            _judge(number, {name: reply for answer in answers for name, reply in answer.items()}, result)
            # The owner gives it back, at whichever worker they are.
            await asyncio.gather(*(each.ask("drop prize") for each in workers))
    return result


def _judge(number: int, replies: dict[str, list[str]], result: Result) -> None:
    """Looks whether there is one owner, and whether the others know who."""
    owners = [name for name, (status, _) in replies.items() if status == "done"]
    if len(owners) != 1 or len(replies) != CLIENTS:
        result.faults.append(f"round {number}: {len(owners)} owners among {len(replies)}")
        return
    result.owners.update(owners)
    for name, (status, text) in replies.items():
        if status != "done" and text != f"{owners[0]} has the prize.":
            result.faults.append(f"round {number}: {name} was told {text!r} and {owners[0]} has it")


class _Process:
    """A worker process; each line to it is said by all of its players at once."""

    def __init__(self, process: asyncio.subprocess.Process):
        self._process = process

    async def ask(self, line: str) -> dict[str, list[str]]:
        """What each player is answered: status and text."""
        assert self._process.stdin is not None, "it is a pipe"
        assert self._process.stdout is not None, "it is a pipe"
        self._process.stdin.write(f"{line}\n".encode())
        answer = await self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the worker process ended")
        return json.loads(answer)


@asynccontextmanager
async def _worker(folder: Path, database_url: str, redis_url: str, number: int) -> AsyncGenerator[_Process]:
    words = (sys.executable, "-m", "benchmarks.contention", "worker", str(folder), database_url, redis_url, str(number))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, limit=2**20)
    try:
        worker = _Process(process)
        await asyncio.wait_for(worker.ask("look"), PATIENCE)
        yield worker
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


async def _serve(folder: Path, database_url: str, redis_url: str, number: int) -> None:
    """A worker process: its share of the players say what is read, all at once."""
    async with FencedStore.opened(database_url, redis_url) as store:
        games = build(Settings(folder / f"home-{number}"), store=store).games
        where, names = Where.of(str(folder)), [f"P{at}" for at in range(number, CLIENTS, WORKERS)]
        seats = [((await games.start(where, name, name=name))[0], name) for name in names]
        while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
            random.shuffle(seats)  # so that nobody is always the first
            replies = await asyncio.gather(*(games.act(handle, name, line) for handle, name in seats))
            shown = {name: [reply.status, reply.text] for (_, name), reply in zip(seats, replies, strict=True)}
            print(json.dumps(shown), flush=True)
        await games.close()


async def _floor(url: str, rounds: int) -> list[float]:
    """Seconds of rounds in which as many callers update one row where nobody has it yet."""
    spent: list[float] = []
    async with asyncpg.create_pool(url, min_size=20, max_size=20) as pool:
        await pool.execute("CREATE TABLE prize (id int PRIMARY KEY, owner int)")
        await pool.execute("INSERT INTO prize VALUES (1, NULL)")
        query = "UPDATE prize SET owner = $1 WHERE id = 1 AND owner IS NULL"
        for _ in range(rounds):
            begin = time.perf_counter()
            await asyncio.gather(*(pool.execute(query, client) for client in range(CLIENTS)))
            spent.append(time.perf_counter() - begin)
            await pool.execute("UPDATE prize SET owner = NULL")
    return spent


def main(arguments: Sequence[str]) -> int:
    """Prints the rounds; 1 where one of them was not as it must be."""
    if arguments[:1] == ["worker"]:
        _, folder, database_url, redis_url, number = arguments
        asyncio.run(_serve(Path(folder), database_url, redis_url, int(number)))
        return 0
    rounds = int(arguments[0]) if arguments else 1000
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as folder:
        supervisor = Supervisor(Path(home))
        servers = supervisor.acquire()
        try:
            with database(servers) as url:
                result = asyncio.run(contend(Path(folder), url, servers.redis_url, rounds))
                floor = percentiles(asyncio.run(_floor(url, min(rounds, 100))))
        finally:
            supervisor.release()
    _show(result, floor)
    return int(bool(result.faults))


def _show(result: Result, floor: tuple[float, float, float]) -> None:
    p50, p95, p99 = percentiles(result.rounds)
    row("rounds, each with one owner and 63 who know why", f"{len(result.rounds) - len(result.faults):,}")
    row("rounds that were not", f"{len(result.faults):,}")
    row("players who owned it at some time", f"{len(result.owners)}")
    row("64 turns, p50", f"{p50 * 1000:.1f} ms", f"{p50 / floor[0]:.1f} × 64 bare updates")
    row("64 turns, p95 and p99", f"{p95 * 1000:.1f}, {p99 * 1000:.1f} ms", f"{p95 / floor[1]:.1f} × p95")
    for fault in result.faults[:10]:
        print(fault)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
