"""Owns the in-memory store: for scripts, evals and tests; nothing outlives the process. It must not know rules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from storage.channels import Channels, LocalChannels
from storage.decisions import MemoryDecisions
from storage.expiring import Expiring, LocalExpiring
from storage.ids import new_id
from storage.ledger import MemoryLedger
from storage.memories import LocalMemories, Memories
from storage.memory_work import MemoryWork
from storage.records import (
    NEW,
    Commit,
    GameRecord,
    Kind,
    Loaded,
    Part,
    Player,
    Progress,
    ProgressEvent,
    Seat,
    Told,
    TurnRecord,
)
from storage.store import Conflict, KnownTurn, NoSuchGame
from storage.work import KEPT_BACKUPS


@dataclass(slots=True)
class _Kept:
    """One game with all that belongs to it."""

    game: GameRecord
    parts: dict[str, Part]
    seats: dict[str, Seat] = field(default_factory=dict[str, Seat])
    turns: list[TurnRecord] = field(default_factory=list[TurnRecord])
    keys: dict[str, TurnRecord] = field(default_factory=dict[str, TurnRecord])
    saves: dict[str, Loaded] = field(default_factory=dict[str, Loaded])
    backups: list[str] = field(default_factory=list[str])


class MemoryStore:
    """See `storage.store.Store`. `progress`, `events`, `told` and `audited` hold what the commits brought, for tests to look at."""

    def __init__(self) -> None:
        self._games: dict[str, _Kept] = {}
        self._players: dict[tuple[str, str], Player] = {}
        self.progress: dict[tuple[str, str], Progress] = {}
        self.events: list[ProgressEvent] = []
        self.told: list[Told] = []
        self.audited: list[tuple[str, str, str, dict[str, int | str]]] = []
        self.work = MemoryWork()
        self.ledger = MemoryLedger()
        self.decisions = MemoryDecisions()
        self.channels: Channels = LocalChannels()
        self.expiring: Expiring = LocalExpiring()
        self.memories: Memories = LocalMemories()

    def _kept(self, game: str) -> _Kept:
        kept = self._games.get(game)
        if kept is None:
            raise NoSuchGame(f"there is no game {game!r}")
        return kept

    async def close(self) -> None:
        """Nothing is held."""

    # --- players and seats

    async def player(self, principal: str, name: str) -> Player:
        return self._players.setdefault((principal, name), Player(new_id(), principal, name))

    async def seat(self, handle: str, principal: str) -> Seat:
        for kept in self._games.values():
            seat = kept.seats.get(handle)
            if seat is not None and seat.principal == principal:
                return seat
        raise NoSuchGame(f"there is no game {handle!r}")

    async def seats(
        self, principal: str, *, name: str | None = None, world: str | None = None, limit: int = 20
    ) -> Sequence[tuple[Seat, GameRecord]]:
        found = [
            (seat, kept.game)
            for kept in self._games.values()
            for seat in kept.seats.values()
            if seat.principal == principal and name in (None, seat.name) and world in (None, kept.game.world)
        ]
        return sorted(found, key=lambda each: each[1].updated, reverse=True)[:limit]

    async def members(self, game: str) -> Sequence[Seat]:
        return list(self._kept(game).seats.values())

    async def shared(self, scope: str) -> str | None:
        return next((kept.game.id for kept in self._games.values() if kept.game.scope == scope), None)

    # --- games

    async def load(self, game: str, known: int | None = None) -> Loaded | None:
        kept = self._kept(game)
        return None if kept.game.version == known else Loaded(kept.game, dict(kept.parts))

    async def commit(self, commit: Commit) -> None:
        id = commit.game.id
        if commit.base == NEW:
            if id in self._games or (commit.game.scope and await self.shared(commit.game.scope)):
                raise Conflict(f"there is a game {id!r} already, or one of its scope")
            kept = self._games[id] = _Kept(commit.game, {})
        else:
            kept = self._kept(id)
            known = [kept.keys[turn.key] for turn in commit.turns if turn.key in kept.keys]
            if known:
                raise KnownTurn("turns with these keys are known", known)
            if kept.game.version != commit.base:
                raise Conflict(f"the game {id!r} is no more at version {commit.base}")
        kept.game = commit.game
        for key, part in commit.parts.items():
            if part is None:
                kept.parts.pop(key, None)
            else:
                kept.parts[key] = part
        kept.turns += commit.turns
        kept.keys.update({turn.key: turn for turn in commit.turns if turn.key})
        kept.seats.update({seat.handle: seat for seat in commit.seats})
        for handle in commit.left:
            kept.seats.pop(handle, None)
        self.progress.update({(each.player, each.experience): each for each in commit.progress})
        self.events += commit.events
        self.told += commit.told
        self.work.add(id, commit.told)
        if commit.due is not None:
            self.work.set_clock(id, commit.due)

    # --- turns and saves

    async def turns(
        self,
        game: str,
        since: int = 0,
        limit: int | None = None,
        *,
        until: int | None = None,
        kinds: Sequence[Kind] | None = None,
    ) -> Sequence[TurnRecord]:
        found = [
            turn
            for turn in self._kept(game).turns
            if turn.number > since and (until is None or turn.number <= until) and (kinds is None or turn.kind in kinds)
        ]
        return found if limit is None else found[-limit:]

    async def by_key(self, game: str, key: str) -> TurnRecord | None:
        return self._games[game].keys.get(key) if game in self._games else None

    async def save(self, name: str, loaded: Loaded, *, backup: bool = False) -> None:
        kept = self._kept(loaded.game.id)
        kept.saves.pop(name, None)
        kept.saves[name] = loaded
        if backup:
            kept.backups = [*(each for each in kept.backups if each != name), name]
            for old in kept.backups[:-KEPT_BACKUPS]:
                kept.saves.pop(old, None)
            kept.backups = kept.backups[-KEPT_BACKUPS:]

    async def saved(self, game: str, name: str) -> Loaded | None:
        return self._kept(game).saves.get(name)

    async def saves(self, game: str) -> Sequence[str]:
        return list(self._kept(game).saves)

    async def named(self, player: str) -> Sequence[str]:
        return [each.id for each in self._players.values() if player in (each.id, each.name, each.principal)]

    async def played(
        self, *, players: Collection[str] | None = None, since: datetime | None = None, world: str | None = None
    ) -> AsyncIterator[GameRecord]:
        for id in sorted(self._games):
            kept = self._games[id]
            wanted = (
                turn
                for turn in kept.turns
                if (players is None or turn.player in players) and (since is None or turn.at >= since)
            )
            if world in (None, kept.game.world) and any(wanted):
                yield kept.game

    async def audit(
        self,
        actor: str,
        action: str,
        target: str = "",
        data: Mapping[str, int | str] | None = None,
        address: str = "",
    ) -> None:
        self.audited.append((actor, action, target, dict(data or {})))
