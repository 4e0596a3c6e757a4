"""Owns the judgement: what the players were told, held against what PostgreSQL has and against a replay of it.

`await judge(history, database_url, cache)` gives a `Verdict`. It must not know what was done to the workers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from agents.background import Background
from agents.held import read
from agents.replay import Report, StoredGames, Wanted
from agents.replay.game import Replay
from agents.replay.rulebooks import Rulebooks
from benchmarks.chaos.players import History, Seen
from kb.referee import parts
from rulebound.app import build
from rulebound.settings import Settings
from storage import TurnRecord
from storage.channels import LocalChannels
from storage.postgres.store import PostgresStore


@dataclass(slots=True)
class Verdict:
    """How often each promise was broken, with examples."""

    broken: Counter[str] = field(default_factory=Counter[str])
    examples: list[str] = field(default_factory=list[str])
    turns: int = 0
    replayed: int = 0

    def found(self, what: str, example: str) -> None:
        self.broken[what] += 1
        if self.broken[what] <= 5:
            self.examples.append(f"{what}: {example}")


async def judge(history: History, database_url: str, home: Path) -> Verdict:
    """Every promise, after the faults are over."""
    verdict = Verdict()
    store = await PostgresStore.open(database_url)
    try:
        await _drain(store, home)
        turns = {game: await store.turns(game) for game in {seen.game for seen in history.seen}}
        _acknowledged(history, turns, verdict)
        _stale(history.seen, turns, verdict)
        _chains(turns, verdict)
        await _replayed(store, turns, home, verdict)
        await _progress(store, turns, verdict)
    finally:
        await store.close()
    return verdict


async def _drain(store: PostgresStore, home: Path) -> None:
    """Tells what is left in the outbox, as the next worker does when the leases of those that are gone have run out."""
    app, later = build(Settings(home), store=store), timedelta(hours=1)
    background = Background(app.games, store.work, LocalChannels(), now=lambda: datetime.now(UTC) + later)
    while await background.tell() or await app.games.catch_up():
        pass


def _acknowledged(history: History, turns: dict[str, Sequence[TurnRecord]], verdict: Verdict) -> None:
    """Each turn that was acknowledged is there once, under its number and hash; and none that nobody asked for."""
    by_key: dict[tuple[str, str], list[TurnRecord]] = {}
    for game, records in turns.items():
        for turn in records:
            if turn.kind in ("say", "undo", "reset"):
                by_key.setdefault((game, turn.key.partition(":")[2]), []).append(turn)
    for seen in history.seen:
        if seen.key:
            kept = by_key.get((seen.game, seen.key), [])
            if (seen.number, seen.hash) not in {(turn.number, turn.hash_after) for turn in kept}:
                verdict.found("acknowledged and lost", f"{seen} but {[turn.number for turn in kept]}")
    acknowledged = {(seen.game, seen.key) for seen in history.seen}
    for game, key in history.refused - acknowledged:
        if (game, key) in by_key:
            verdict.found("refused and yet applied", f"{game} {key}")
    for game, key in history.promised:
        if (game, key) not in by_key:
            verdict.found("promised and lost", f"{game} {key}")
    for (game, key), records in by_key.items():
        verdict.turns += len(records)
        if len(records) > 1:
            verdict.found("applied twice", f"{game} {key} {[turn.number for turn in records]}")
        if key not in history.keys:
            verdict.found("applied and never asked for", f"{game} {key}")


def _stale(history: Sequence[Seen], turns: dict[str, Sequence[TurnRecord]], verdict: Verdict) -> None:
    """No look is older than what anybody was told before it began, or of a state that never was."""
    for game in turns:
        mine = sorted((seen for seen in history if seen.game == game), key=lambda seen: seen.end)
        ends, highest = [seen.end for seen in mine], [(0, "")]
        hashes = {turn.number: turn.hash_after for turn in turns[game]}
        if turns[game]:
            hashes[0] = turns[game][0].hash_before
        for seen in mine:
            highest.append(max(highest[-1], (seen.number, seen.worker)))
        for seen in mine:
            floor = highest[bisect_left(ends, seen.begin)]
            if not seen.key and not seen.stale and seen.number < floor[0]:
                verdict.found("stale", f"{seen} after {floor}")
            if hashes.get(seen.number, seen.hash) != seen.hash or seen.number > max(hashes, default=0):
                verdict.found("seen and never kept", f"{seen}")


def _chains(turns: dict[str, Sequence[TurnRecord]], verdict: Verdict) -> None:
    for game, records in turns.items():
        for before, after in pairwise(records):
            if (after.number, after.hash_before) != (before.number + 1, before.hash_after):
                verdict.found("broken chain", f"{game} {before.number} {after.number}")


async def _replayed(store: PostgresStore, turns: dict[str, Sequence[TurnRecord]], home: Path, verdict: Verdict) -> None:
    """Every turn comes to the same again, and the rows of each game are the state that its last turn led to."""
    worlds, rulebooks, archive = (
        build(Settings(home), store=store).worlds,
        Rulebooks(home / "cache"),
        StoredGames(store),
    )
    report = Report()
    async for head in archive.heads(Wanted()):
        tape = await archive.tape(head)
        again = Replay(head, tape, rulebooks, report)
        async for turn in tape.turns:
            again.turn(turn)
        loaded = await store.load(head.id)
        assert loaded is not None, "no version was named as known"
        state, record = read(loaded, worlds(head.where).session).state, loaded.game
        if turns.get(head.id, ()) and (turns[head.id][-1].number, state.hash) != (record.version, record.hash):
            verdict.found("rows are not the last turn's", f"{head.id} {record.version}")
        if again.state is None or parts.parts(again.state) != parts.parts(state):
            verdict.found("rows are not what replay comes to", f"{head.id} {record.version}")
    verdict.replayed = report.replayed
    if report.status:
        verdict.found("replay differs", f"{report.unreproduced} {report.skipped}")


PLAYED = "SELECT player_id, sum(turns) AS turns FROM progress GROUP BY player_id"
UNTOLD = "SELECT count(*) FROM outbox"


async def _progress(store: PostgresStore, turns: dict[str, Sequence[TurnRecord]], verdict: Verdict) -> None:
    counted: Counter[Any] = Counter(turn.player for records in turns.values() for turn in records if turn.player)
    for row in await store.connections.fetch(PLAYED):
        if row["turns"] != counted[row["player_id"].hex]:
            verdict.found("progress differs", f"{row['player_id'].hex} {row['turns']} {counted[row['player_id'].hex]}")
    if left := await store.connections.value(UNTOLD):
        verdict.found("outbox not drained", f"{left} left")
