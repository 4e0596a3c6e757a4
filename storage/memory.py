"""Owns the in-memory store, kept on disk by a journal for each game where a folder is given.

`MemoryStore()` forgets; `MemoryStore(folder)` is durable, and several processes may share the folder. It must not know rules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.journal import Journal
from storage.patch import apply, diff
from storage.store import Conflict, Damaged, GameRecord, NoSuchGame, TurnRecord

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _data(record: GameRecord | TurnRecord) -> dict[str, Any]:
    """A record as JSON data. Its parts are shared: nobody changes what is stored."""
    return {name: getattr(record, name) for name in record.__slots__}


@dataclass(slots=True)
class _Kept:
    """One game with all that belongs to it."""

    record: GameRecord
    turns: list[TurnRecord] = field(default_factory=list[TurnRecord])
    keys: dict[str, TurnRecord] = field(default_factory=dict[str, TurnRecord])
    saves: dict[str, GameRecord] = field(default_factory=dict[str, GameRecord])
    journal: Journal | None = None

    def take(self, entry: dict[str, Any]) -> None:
        """Does what a journal's entry says."""
        if "save" in entry:
            self.saves[entry["save"]] = GameRecord(**entry["game"])
            return
        self.record = GameRecord(**apply(_data(self.record), entry["change"]))
        turn = TurnRecord(**entry["turn"])
        self.turns.append(turn)
        if turn.key:
            self.keys[turn.key] = turn


class MemoryStore:
    """All games in memory; see `storage.store.Store`."""

    def __init__(self, folder: Path | None = None):
        self._folder = folder
        self._games: dict[str, _Kept] = {}

    def _kept(self, id: str) -> _Kept:
        """The game as it is now, also where another process went on with it."""
        kept = self._games.get(id)
        if kept is None and self._folder is not None and _ID.fullmatch(id):
            journal = Journal(self._folder / f"{id}.jsonl")
            entries = journal.news()
            if entries:
                kept = self._games[id] = _Kept(GameRecord(**entries[0]["game"]), journal=journal)
                for entry in entries[1:]:
                    kept.take(entry)
        elif kept is not None and kept.journal is not None:
            for entry in kept.journal.news():
                kept.take(entry)
        if kept is None:
            raise NoSuchGame(f"there is no game {id!r}")
        return kept

    def _write(self, kept: _Kept, entry: dict[str, Any], version: int | None = None) -> None:
        """Durable first, then visible. With a version, only while it is the game's."""
        if kept.journal is None:
            self._expect(kept, version)
        else:
            with kept.journal.writing() as file:
                for news in kept.journal.news():
                    kept.take(news)
                self._expect(kept, version)
                kept.journal.append(file, entry)
        kept.take(entry)

    @staticmethod
    def _expect(kept: _Kept, version: int | None) -> None:
        if version is not None and kept.record.version != version:
            raise Conflict(f"the game is at version {kept.record.version}, not {version}")

    # --- storage.store.Store

    async def create(self, game: GameRecord) -> None:
        journal = None
        if self._folder is not None:
            journal = Journal(self._folder / f"{game.id}.jsonl")
        if game.id in self._games or (journal is not None and journal.path.exists()):
            raise Conflict(f"there is a game {game.id!r} already")
        if journal is not None:
            with journal.writing(new=True) as file:
                journal.append(file, {"game": _data(game)})
        self._games[game.id] = _Kept(game, journal=journal)

    async def load(self, id: str, principal: str) -> GameRecord:
        record = self._kept(id).record
        if record.principal != principal:
            raise NoSuchGame(f"there is no game {id!r}")
        return record

    async def commit(self, game: GameRecord, turn: TurnRecord) -> TurnRecord:
        kept = self._kept(game.id)
        if turn.key and turn.key in kept.keys:
            return kept.keys[turn.key]
        entry = {"change": diff(_data(kept.record), _data(game)), "turn": _data(turn)}
        self._write(kept, entry, game.version - 1)
        return turn

    async def turns(self, id: str, since: int = 0) -> Sequence[TurnRecord]:
        return [turn for turn in self._kept(id).turns if turn.number > since]

    async def by_key(self, id: str, key: str) -> TurnRecord | None:
        return self._kept(id).keys.get(key)

    async def games(self, principal: str, *, world: str | None = None, limit: int = 20) -> Sequence[GameRecord]:
        found: list[GameRecord] = []
        for id in self._newest(principal, world):
            with suppress(Damaged):  # it is told when it is asked for
                found.append(self._kept(id).record)
            if len(found) == limit:
                break
        return sorted(found, key=lambda game: game.updated, reverse=True)

    def _newest(self, principal: str, world: str | None) -> list[str]:
        """The ids of a principal's games; where they are on disk, by what their first lines say, newest first."""
        if self._folder is None:
            records = [kept.record for kept in self._games.values()]
            records.sort(key=lambda record: record.updated, reverse=True)
            return [r.id for r in records if r.principal == principal and world in (None, r.world)]
        ids: list[str] = []
        paths = self._folder.glob("*.jsonl") if self._folder.is_dir() else ()
        for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns, reverse=True):
            with path.open("rb") as file:
                line = file.readline()
            try:
                game: dict[str, Any] = json.loads(line)["game"]
            except (ValueError, KeyError):
                continue
            if game["principal"] == principal and world in (None, game["world"]):
                ids.append(path.stem)
        return ids

    async def save(self, id: str, name: str, game: GameRecord) -> None:
        self._write(self._kept(id), {"save": name, "game": _data(game)})

    async def saved(self, id: str, name: str) -> GameRecord | None:
        return self._kept(id).saves.get(name)

    async def saves(self, id: str) -> Sequence[str]:
        return list(self._kept(id).saves)
