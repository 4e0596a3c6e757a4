"""Owns the `Store` protocol: where games, their turns and saves are kept, as plain data.

`storage.memory.MemoryStore` implements it, PostgreSQL will; one contract suite runs against each. It must not know rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol


class StoreError(Exception):
    """The store cannot do what was asked: `args[0]` says what, `hint` what to do."""

    hint = "Try again."


class Conflict(StoreError):
    """Someone else changed the game meanwhile."""

    hint = "Load the game again and repeat the turn."


class NoSuchGame(StoreError):
    """There is no game with this handle, or it belongs to someone else."""

    hint = "Start a game first."


@dataclass(frozen=True, slots=True)
class GameRecord:
    """One game. `state` and `dialogue` are JSON; `version` counts its turns."""

    id: str
    principal: str
    world: str
    player: str
    commit: str
    seed: int
    version: int
    state: dict[str, Any]
    dialogue: dict[str, Any] = field(default_factory=dict[str, Any])

    def with_(self, **changes: Any) -> GameRecord:
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One turn as it is replayed: what was said, the recorded inputs, what came of it (JSON)."""

    number: int
    text: str
    commit: str
    inputs: dict[str, Any]
    outcome: dict[str, Any]
    hash_after: str
    key: str = ""
    """The request's idempotency key."""


class Store(Protocol):
    """Every method is atomic. A game is only given to the principal that it belongs to."""

    async def create(self, game: GameRecord) -> None: ...
    async def load(self, id: str, principal: str) -> GameRecord:
        """Raises `NoSuchGame`."""
        ...

    async def commit(self, game: GameRecord, turn: TurnRecord) -> TurnRecord:
        """Stores the game after a turn. `game.version` is one more than what is stored, else `Conflict`; a turn whose key
        is known already is not stored again, and the first one is given back."""
        ...

    async def replace(self, game: GameRecord) -> None:
        """Stores the game without a turn (restore, undo, new rules). Raises `Conflict` unless the version fits."""
        ...

    async def turns(self, id: str, since: int = 0) -> Sequence[TurnRecord]: ...
    async def by_key(self, id: str, key: str) -> TurnRecord | None: ...
    async def games(self, principal: str) -> Sequence[GameRecord]: ...
    async def save(self, id: str, name: str, game: GameRecord) -> None: ...
    async def saved(self, id: str, name: str) -> GameRecord | None: ...
