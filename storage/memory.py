"""Owns the in-memory store, kept on disk by a journal where a folder is given.

`MemoryStore()` forgets; `MemoryStore(path)` appends every change to a file and syncs it before it answers. One process at a
time may hold a journal. It must not know rules.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from storage.store import Conflict, GameRecord, NoSuchGame, StoreError, TurnRecord


class Locked(StoreError):
    """Another process holds the journal."""

    hint = "Close the other game, or set RULEBOUND_HOME to another folder."


class Full(StoreError):
    """The turn could not be written to disk; it was not done."""

    hint = "Make room on the disk."


class MemoryStore:
    """All games in memory; see `storage.store.Store`."""

    def __init__(self, journal: Path | None = None):
        self._games: dict[str, GameRecord] = {}
        self._turns: dict[str, list[TurnRecord]] = {}
        self._keys: dict[tuple[str, str], TurnRecord] = {}
        self._saves: dict[tuple[str, str], GameRecord] = {}
        self._file: BinaryIO | None = None
        if journal is not None:
            self._open(journal)

    # --- the journal

    def _open(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise Locked(f"{path} is in use by another process") from None
        self._file.seek(0)
        good = 0
        for line in self._file:
            # A torn last line is a write that was never acknowledged.
            if not line.endswith(b"\n"):
                break
            try:
                entry = json.loads(line)
            except ValueError:
                break
            self._apply(entry)
            good += len(line)
        self._file.truncate(good)
        self._file.seek(0, os.SEEK_END)

    def _write(self, entry: dict[str, Any]) -> None:
        """Durable first, then visible."""
        if self._file is not None:
            start = self._file.tell()
            try:
                self._file.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
                self._file.flush()
                os.fsync(self._file.fileno())
            except OSError as error:
                self._file.truncate(start)
                self._file.seek(start)
                raise Full(f"the journal cannot be written: {error.strerror}") from None
        self._apply(entry)

    def _apply(self, entry: dict[str, Any]) -> None:
        game = GameRecord(**entry["game"])
        if "save" in entry:
            self._saves[game.id, entry["save"]] = game
            return
        self._games[game.id] = game
        if "turn" in entry:
            turn = TurnRecord(**entry["turn"])
            turns = self._turns.setdefault(game.id, [])
            turns.append(turn)
            if turn.key:
                self._keys[game.id, turn.key] = turn

    def close(self) -> None:
        """Lets another process have the journal."""
        if self._file is not None:
            self._file.close()
            self._file = None

    # --- storage.store.Store

    async def create(self, game: GameRecord) -> None:
        if game.id in self._games:
            raise Conflict(f"there is a game {game.id!r} already")
        self._write({"game": asdict(game)})

    async def load(self, id: str, principal: str) -> GameRecord:
        game = self._games.get(id)
        if game is None or game.principal != principal:
            raise NoSuchGame(f"there is no game {id!r}")
        return game

    def _expect(self, game: GameRecord, version: int) -> None:
        stored = self._games.get(game.id)
        if stored is None:
            raise NoSuchGame(f"there is no game {game.id!r}")
        if stored.version != version:
            raise Conflict(f"the game is at version {stored.version}, not {version}")

    async def commit(self, game: GameRecord, turn: TurnRecord) -> TurnRecord:
        known = self._keys.get((game.id, turn.key)) if turn.key else None
        if known is not None:
            return known
        self._expect(game, game.version - 1)
        self._write({"game": asdict(game), "turn": asdict(turn)})
        return turn

    async def replace(self, game: GameRecord) -> None:
        self._expect(game, game.version - 1)
        self._write({"game": asdict(game)})

    async def turns(self, id: str, since: int = 0) -> Sequence[TurnRecord]:
        return [turn for turn in self._turns.get(id, ()) if turn.number > since]

    async def by_key(self, id: str, key: str) -> TurnRecord | None:
        return self._keys.get((id, key))

    async def games(self, principal: str) -> Sequence[GameRecord]:
        return [game for game in self._games.values() if game.principal == principal]

    async def save(self, id: str, name: str, game: GameRecord) -> None:
        self._write({"game": asdict(game), "save": name})

    async def saved(self, id: str, name: str) -> GameRecord | None:
        return self._saves.get((id, name))
