"""Replay of 100,000 stored turns on two cores: time, hashes, and the blast radius of a planted one-line change; the floor is bare
`Session.say` on the same turns in one process.

`python3 tasks.py bench replay`; with an argument `TURNS` it plays and replays fewer.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import orjson
from git import Actor, Repo

from agents.game import GameService
from agents.replay import Archive, Head, Recorded, Report, StoredGames, Tape, Wanted, replay
from agents.worlds import Where, World
from benchmarks.measure import peak, row
from evals.simulated.players import RandomPlayer
from kb import library
from kb.referee import Inputs, parts
from kb.session import Session
from kb.understand import Dialogue
from storage import MemoryStore, new_id

REQUIREMENTS = ("3.16",)
WORLDS = ("tavern", "cloak", "wylding-woods", "tavern", "west-of-house", "lending-desk")
LENGTH = 100
"""Turns of a game."""
JOBS = 2
PAGE, LINE, PLANTED = "tavern/tables/prices.md", "| stew | >= 6 | 3 |", "| stew | >= 6 | 4 |"
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


class Lines:
    """An archive of files: a game each, a turn a line."""

    def __init__(self, folder: Path, pages: Path):
        self._folder, self._pages = folder, pages

    async def heads(self, wanted: Wanted) -> AsyncIterator[Head]:
        for file in sorted(self._folder.glob("*.jsonl")):
            _, world, turns = file.stem.split(".")
            yield Head(file.name, Where(str(self._pages / world), "main"), int(turns))

    async def tape(self, head: Head) -> Tape:
        return Tape(_each(read(self._folder / head.id)))


@asynccontextmanager
async def lines_of(folder: Path, pages: Path) -> AsyncGenerator[Archive]:
    yield Lines(folder, pages)


def read(file: Path) -> Iterator[Recorded]:
    """A game's turns, one after the other."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            turn: dict[str, Any] = orjson.loads(line)
            turn["at"] = datetime.fromisoformat(turn["at"])
            yield Recorded(**turn)


async def _each(turns: Iterator[Recorded]) -> AsyncIterator[Recorded]:
    for turn in turns:
        yield turn


# --- playing


def play(number: int, turns: int, pages: Path, folder: Path) -> None:
    """One game by the random player, played through the game service; its first half under the commit before the last."""
    asyncio.run(_play(number, turns, pages, folder))


async def _play(number: int, turns: int, pages: Path, folder: Path) -> None:
    name, store, minutes = WORLDS[number % len(WORLDS)], MemoryStore(), count()
    old, new = (_still(pages / name, revision) for revision in ("first", "main"))
    live = [old]
    games = GameService(
        store,
        lambda _: live[0],
        now=lambda: BEGIN + timedelta(minutes=next(minutes)),
        new_handle=new_id,
        new_seed=lambda: number,
    )
    player, who = RandomPlayer(number), f"player-{number // 3}"
    handle, _ = await games.start(Where(str(pages / name), "main"), who)
    for turn in range(turns):
        live[0] = old if turn < turns // 2 else new
        game = await games.game(handle, who)
        await games.act(handle, who, player.line(game.world.session, game.state, "player"))
    archive = StoredGames(store)
    async for head in archive.heads(Wanted()):
        tape = await archive.tape(head)
        id = f"{number:06}.{name}.{turns}.jsonl"
        (folder / id).write_bytes(b"\n".join([orjson.dumps(replace(turn, game=id)) async for turn in tape.turns]))
    await games.close()


@cache
def _still(folder: Path, revision: str) -> World:
    """A world at a commit; nobody looks for news before each turn."""
    world = World.open(Where(str(folder), revision))
    world.refresh = lambda: None
    return world


def repository(pages: Path) -> None:
    """The worlds in Git: `first`, `main` (a page more), and `planted`, which is one line from `main`."""
    repo, author = Repo.init(pages, initial_branch="main"), Actor("bench", "bench@example.org")

    def commit(message: str) -> None:
        repo.git.add(".")
        repo.index.commit(message, author=author, committer=author)

    for name in set(WORLDS):
        shutil.copytree(library.worlds()[name], pages / name)
    commit("The worlds as they ship")
    repo.create_head("first")
    for name in set(WORLDS):
        (pages / name / "pebble.md").write_text("---\nitem: pebble-of-note\n---\n# Pebble of note\nIt lies nowhere.\n")
    commit("A thing that is nowhere")
    repo.git.checkout("-q", "-b", "planted")
    text = (pages / PAGE).read_text(encoding="utf-8")
    assert text.count(LINE) == 1
    (pages / PAGE).write_text(text.replace(LINE, PLANTED), encoding="utf-8")
    commit("Stew is dearer")
    repo.git.checkout("-q", "main")
    repo.close()


# --- what to expect


def expected(folder: Path) -> set[tuple[str, int]]:
    """The turns that the planted line touches, by what was read then: somebody asked for stew, and it was 3 coins."""
    found: set[tuple[str, int]] = set()
    for file in folder.glob("*.tavern.*.jsonl"):
        for line in file.read_text(encoding="utf-8").splitlines():
            turn = orjson.loads(line)
            answer = turn["outcome"].get("text", "")
            if "stew" in turn["text"] and re.search(r"One stew is 3 coins\.|You pay 3\.|That is 3 coins,", answer):
                found.add((turn["game"], turn["number"]))
    return found


def floor(folder: Path, pages: Path, most: int) -> float:
    """Turns a second of bare `Session.say` in one process, without reading, comparing or checking anything."""
    spent, done = 0.0, 0
    for file in sorted(folder.glob("*.jsonl")):
        turns = list(read(file))
        sessions = {commit: _session(pages / file.stem.split(".")[1], commit) for commit in {t.commit for t in turns}}
        session = sessions[turns[0].commit]
        state, dialogue = session.referee.join(session.referee.new(), "player", "you"), Dialogue()
        for turn in turns[1:]:
            if sessions[turn.commit] is not session:
                session = sessions[turn.commit]
                state, _ = session.referee.load_parts(parts.head(state), parts.parts(state))
            inputs = Inputs(datetime.fromisoformat(turn.inputs["now"]), turn.inputs["seed"])
            started = time.perf_counter()
            said = session.say(state, "player", turn.text, dialogue, inputs)
            spent += time.perf_counter() - started
            state, dialogue, done = said.state, said.dialogue, done + 1
            assert state.hash == turn.hash_after
        if done >= most:
            break
    return done / spent


@cache
def _session(folder: Path, commit: str) -> Session:
    return World.open(Where(str(folder), commit)).session


def main() -> None:
    """Plays, replays, and checks what the replay says."""
    turns = next((int(word) for word in sys.argv[1:] if word.isdecimal()), 100_000)
    with tempfile.TemporaryDirectory() as name:
        pages, folder = Path(name) / "pages", Path(name) / "turns"
        folder.mkdir()
        repository(pages)
        started = time.perf_counter()
        with ProcessPoolExecutor(JOBS, mp_context=get_context("spawn")) as pool:
            games = -(-turns // LENGTH)
            list(pool.map(partial(play, turns=LENGTH, pages=pages, folder=folder), range(games)))
        row(f"played and stored: {games} games of {LENGTH} turns", f"{time.perf_counter() - started:,.1f} s")
        bare = floor(folder, pages, turns)
        row("bare Session.say, one process (floor)", f"{bare:,.0f}/s")

        def timed(what: str, against: str | None = None, jobs: int = JOBS) -> Report:
            started = time.perf_counter()
            archive, cache = partial(lines_of, folder, pages), Path(name) / "cache"
            report = asyncio.run(replay(archive, against=against, jobs=jobs, cache=cache))
            spent = time.perf_counter() - started
            speed = report.replayed / spent
            row(f"{what}, {jobs} processes", f"{speed:,.0f}/s", f"{spent:.1f} s, {speed / bare:.2f} floors")
            assert report.replayed == report.turns == games * LENGTH, report.skipped
            assert not report.unreproduced, report.unreproduced
            return report

        timed("under their own commits", jobs=1)
        timed("under their own commits")
        row("hashes that match", "100 %")
        assert not timed("against main", "main").changed
        report = timed("against one changed line", "planted")
        touched = {(game, n) for group in report.changed.values() for game in group.turns for n in group.turns[game]}
        wanted = expected(folder)
        assert wanted, "nobody asked for stew: play more turns"
        assert touched == wanted, touched ^ wanted
        row("turns that the planted line touches", f"{len(touched):,}", "exactly those of the independent script")
    row("peak memory", f"{peak()} MiB")


if __name__ == "__main__":
    main()
