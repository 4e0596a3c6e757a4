"""Real processes: workers killed, paused and cut off, Valkey killed, emptied, rolled back and paused, all at random."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.storage.redis.conftest import Server

pytestmark = pytest.mark.anyio
PROGRAM = Path(__file__).with_name("worker.py")
ROOT = Path(__file__).parents[3]
SECONDS = 12.0


class Relay:
    """A socket of a worker's own before the server's, so that one worker can be cut off."""

    def __init__(self, server: Server, path: Path):
        self.url, self._server, self._path = f"unix://{path}", server, path
        self._listening: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def heal(self) -> None:
        if self._listening is None:
            self._listening = await asyncio.start_unix_server(self._serve, self._path)

    async def cut(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None
            self._path.unlink(missing_ok=True)
            for writer in tuple(self._open):
                writer.transport.abort()
            while self._open:  # those who served see that it is over
                await asyncio.sleep(0.001)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            there_reader, there = await asyncio.open_unix_connection(str(self._server.socket))
            await asyncio.gather(self._pump(reader, there), self._pump(there_reader, writer))
        except OSError:
            writer.transport.abort()
        finally:
            self._open.discard(writer)

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.transport.abort()


class Chaos:
    """Three workers and a server, and what is done to them."""

    def __init__(self, server: Server, folder: Path, how: str, seed: int):
        self.server, self.folder, self.how = server, folder, how
        self.rng = random.Random(seed)
        self.relays = [Relay(server, folder / f"r{n}.sock") for n in range(3)]
        self.processes: list[subprocess.Popen[bytes]] = []
        self.started = 0
        self.done: Counter[str] = Counter()

    def start(self, at: int) -> None:
        self.started += 1
        arguments = [f"w{self.started}", self.relays[at].url, str(self.folder), self.how]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen([sys.executable, PROGRAM, *arguments], env=environment)
        self.processes[at : at + 1] = [process]

    async def run(self, seconds: float, enough: Callable[[], bool]) -> None:
        """For some seconds, and on until enough has happened (but not for ever)."""
        for at, relay in enumerate(self.relays):
            await relay.heal()
            self.start(at)
        start = time.monotonic()
        while (spent := time.monotonic() - start) < seconds or (spent < 120 and not enough()):
            await asyncio.sleep(self.rng.choice((0.1, 0.5, 3.0)))
            act = self.rng.choice([self.kill, self.pause, self.cut, self.empty, self.roll_back, self.save, self.stall])
            self.done[act.__name__] += 1
            await act()
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        for relay in self.relays:
            await relay.cut()

    async def kill(self) -> None:
        at = self.rng.randrange(3)
        self.processes[at].kill()
        self.processes[at].wait()
        self.start(at)

    async def pause(self) -> None:
        process = self.rng.choice(self.processes)
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(self.rng.choice((0.1, 0.5, 2.0)))
        process.send_signal(signal.SIGCONT)

    async def cut(self) -> None:
        relay = self.rng.choice(self.relays)
        await relay.cut()
        await asyncio.sleep(self.rng.choice((0.05, 1.0)))
        await relay.heal()

    async def empty(self) -> None:
        self.server.kill()
        (self.folder / "dump.rdb").unlink(missing_ok=True)
        self.server.start()

    async def save(self) -> None:
        self.server.command("SAVE")
        if (self.folder / "dump.rdb").exists():
            shutil.copy(self.folder / "dump.rdb", self.folder / "older.rdb")

    async def roll_back(self) -> None:
        self.server.kill()
        if (self.folder / "older.rdb").exists():
            shutil.copy(self.folder / "older.rdb", self.folder / "dump.rdb")
        self.server.start()

    async def stall(self) -> None:
        assert self.server.process is not None
        self.server.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(self.rng.choice((0.05, 0.6)))
        self.server.process.send_signal(signal.SIGCONT)


def rarest(folder: Path) -> int:
    """How often the rarest kind of thing happened."""
    counts = Counter(line.partition(" ")[0] for path in folder.glob("*.log") for line in path.read_text().splitlines())
    return min(counts[kind] for kind in ("got", "read", "acknowledged"))


def judge(folder: Path) -> tuple[list[str], dict[str, int]]:
    """What was read too old, and the newest version that was acknowledged of each game."""
    lines: list[tuple[str, str, int, int, int]] = []
    for path in folder.glob("*.log"):
        for line in path.read_text().splitlines():
            kind, game, version, begin, end = line.split()
            lines.append((kind, game, int(version), int(begin), int(end)))
    stale: list[str] = []
    newest: dict[str, int] = {}
    for game in {line[1] for line in lines}:
        mine = sorted((line for line in lines if line[1] == game), key=lambda line: line[4])
        ends, highest, top = [line[4] for line in mine], [0], 0
        for line in mine:
            top = max(top, line[2])
            highest.append(top)
        for kind, _, version, begin, _ in mine:
            floor = highest[bisect_left(ends, begin)]
            if kind != "acknowledged" and version < floor:
                stale.append(f"{kind} {game} {version} after {floor}")
        acknowledged = [line[2] for line in mine if line[0] == "acknowledged"]
        if len(set(acknowledged)) < len(acknowledged):
            stale.append(f"{game}: a version was acknowledged twice")
        newest[game] = max(acknowledged, default=0)
    return stale, newest


def truth_of(folder: Path) -> Any:
    spec = importlib.util.spec_from_file_location("chaos_worker", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Truth(str(folder))


@pytest.mark.requirement("1.08", "2.13")
async def test_whatever_is_killed_paused_cut_off_or_rolled_back_no_read_is_stale(
    server: Server, tmp_path: Path
) -> None:
    truth = truth_of(tmp_path)
    truth.make()
    chaos = Chaos(server, tmp_path, "fenced", seed=7)
    await chaos.run(SECONDS, lambda: rarest(tmp_path) >= 30)
    stale, newest = judge(tmp_path)
    assert not stale, (stale[:5], chaos.done)
    assert rarest(tmp_path) >= 30
    for game, version in newest.items():
        assert (await truth.load(game)).version >= version, "an acknowledged write is lost"
    truth.db.close()


async def test_the_same_chaos_shows_what_the_dual_write_does(server: Server, tmp_path: Path) -> None:
    truth = truth_of(tmp_path)
    truth.make()
    await Chaos(server, tmp_path, "naive", seed=7).run(0, lambda: bool(judge(tmp_path)[0]))
    stale, _ = judge(tmp_path)
    assert stale
    truth.db.close()
