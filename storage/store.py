"""Owns the `Store` protocol: where games, their turns and saves are kept, as plain data.

`storage.memory.MemoryStore` implements it, PostgreSQL will; one contract suite runs against each. It must not know rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol


class StoreError(Exception):
    """The store cannot do what was asked: `args[0]` says what, `hint` what to do."""

    hint = "Try again."


class Conflict(StoreError):
    """Someone else changed the game meanwhile."""

    hint = "Load the game again and repeat the turn."


class NoSuchGame(StoreError):
    """There is no game with this handle, or it belongs to someone else."""

    hint = "Start a game first."


class Full(StoreError):
    """The turn could not be written to disk; it was not done."""

    hint = "Make room on the disk, or set RULEBOUND_HOME to a folder that can be written."


class Damaged(StoreError):
    """A kept game cannot be read."""

    hint = "Move the file away to start anew; its lines before that one are good."


@dataclass(frozen=True, slots=True)
class GameRecord:
    """One game. `state` and `dialogue` are JSON; `version` counts everything that changed it."""

    id: str
    principal: str
    world: str
    """The location of its rules; with `revision` and `experience` it names one rulebook."""
    player: str
    """The player's instance; `name` is what the player is called."""
    name: str
    commit: str
    seed: int
    version: int
    state: dict[str, Any]
    dialogue: dict[str, Any] = field(default_factory=dict[str, Any])
    revision: str | None = None
    experience: str | None = None
    last: int = 0
    """The number of the turn that `undo` takes back; 0: there is none."""
    updated: str = ""
    """When it was last changed, RFC 3339."""

    def with_(self, **changes: Any) -> GameRecord:
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One change of a game, with all that a replay needs: what was said, the recorded inputs, what came of it (JSON)."""

    number: int
    """The game's version after it."""
    text: str
    commit: str
    inputs: dict[str, Any]
    outcome: dict[str, Any]
    hash_before: str
    hash_after: str
    kind: Literal["say", "undo", "restore"] = "say"
    key: str = ""
    """The request's idempotency key."""
    undo: dict[str, Any] = field(default_factory=dict[str, Any])
    """The patch (`storage.patch`) that leads from the game after the turn back to the one before."""


class Store(Protocol):
    """Every method is atomic and durable when it returns. A game is only given to the principal that it belongs to."""

    async def create(self, game: GameRecord) -> None:
        """Keeps a new game. Raises `Conflict` where its id is taken."""
        ...

    async def load(self, id: str, principal: str) -> GameRecord:
        """Raises `NoSuchGame`."""
        ...

    async def commit(self, game: GameRecord, turn: TurnRecord) -> TurnRecord:
        """Keeps the game after a turn. `game.version` and `turn.number` are one more than the version that is kept, else
        `Conflict`; a turn whose key is known already is not kept again, and the first one is given back."""
        ...

    async def turns(self, id: str, since: int = 0) -> Sequence[TurnRecord]:
        """The turns after number `since`, oldest first."""
        ...

    async def by_key(self, id: str, key: str) -> TurnRecord | None:
        """The turn that was committed with an idempotency key."""
        ...

    async def games(self, principal: str, *, world: str | None = None, limit: int = 20) -> Sequence[GameRecord]:
        """A principal's games, the one that was changed last first."""
        ...

    async def save(self, id: str, name: str, game: GameRecord) -> None:
        """Keeps a game under a name of its own; the same name again replaces it."""
        ...

    async def saved(self, id: str, name: str) -> GameRecord | None: ...

    async def saves(self, id: str) -> Sequence[str]:
        """The names of a game's saves, oldest first."""
        ...
