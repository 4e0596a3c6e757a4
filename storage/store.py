"""Owns the `Store` protocol: where players, games, their turns and saves are kept, as plain data.

`storage.memory.MemoryStore` and `storage.postgres.PostgresStore` implement it; one contract suite runs against each.
It must not know rules.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from storage.channels import Channels
from storage.decisions import Decisions
from storage.expiring import Expiring
from storage.ledger import Ledger
from storage.memories import Memories
from storage.records import Commit, GameRecord, Kind, Loaded, Player, Seat, TurnRecord
from storage.work import Work


class StoreError(Exception):
    """The store cannot do what was asked: `args[0]` says what, `hint` what to do."""

    hint = "Try again."


class Conflict(StoreError):
    """Someone else changed the game meanwhile."""

    hint = "Load the game again and repeat the turn."


class KnownTurn(StoreError):
    """Turns with these idempotency keys are committed already; nothing of this commit was kept. `turns` are the first ones."""

    hint = "Take the stored turns as the answer."

    def __init__(self, message: str, turns: Sequence[TurnRecord]):
        super().__init__(message)
        self.turns = tuple(turns)


class NoSuchGame(StoreError):
    """There is no game with this handle, or it belongs to someone else."""

    hint = "Start a game first."


class Full(StoreError):
    """The turn could not be written to disk; it was not done."""

    hint = "Make room on the disk, or set RULEBOUND_HOME to a folder that can be written."


class Damaged(StoreError):
    """What is kept cannot be read."""

    hint = "Restore it from a backup."


class StoreAway(StoreError):
    """The database does not answer; the turn may or may not have been done, and the same key again tells."""

    hint = "Try again in a moment, with the same idempotency key."


class Store(Protocol):
    """Every method is atomic and durable when it returns. A game is only given to the principal that has a seat in it."""

    @property
    def work(self) -> Work:
        """What waits to be done between turns."""
        ...

    @property
    def ledger(self) -> Ledger:
        """What models were asked, and what it cost."""
        ...

    @property
    def decisions(self) -> Decisions:
        """How messages were answered."""
        ...

    @property
    def channels(self) -> Channels:
        """Who listens now, and who is there."""
        ...

    @property
    def expiring(self) -> Expiring:
        """What workers share for a while."""
        ...

    @property
    def memories(self) -> Memories:
        """What NPCs remember of talk."""
        ...

    async def player(self, principal: str, name: str) -> Player:
        """The profile of a principal under a name; made where there is none."""
        ...

    async def shared(self, scope: str) -> str | None:
        """The id of a shared world's game."""
        ...

    async def seat(self, handle: str, principal: str) -> Seat:
        """Raises `NoSuchGame`."""
        ...

    async def seats(
        self, principal: str, *, name: str | None = None, world: str | None = None, limit: int = 20
    ) -> Sequence[tuple[Seat, GameRecord]]:
        """A principal's seats with their games, the one that was played last first."""
        ...

    async def members(self, game: str) -> Sequence[Seat]:
        """Everyone who has a seat in a game, in order of joining."""
        ...

    async def load(self, game: str, known: int | None = None) -> Loaded | None:
        """The game as it is now; None where its version is still `known`. Raises `NoSuchGame`."""
        ...

    async def commit(self, commit: Commit) -> None:
        """Keeps the game after one or more turns, or a new one. Raises `Conflict` where its version is no more `commit.base`
        (of a new game: where its scope is taken), `KnownTurn` where a turn's key is known."""
        ...

    async def turns(
        self,
        game: str,
        since: int = 0,
        limit: int | None = None,
        *,
        until: int | None = None,
        kinds: Sequence[Kind] | None = None,
    ) -> Sequence[TurnRecord]:
        """The turns after number `since` (and up to `until`, of some `kinds`), oldest first; with a limit, the newest of
        them."""
        ...

    async def by_key(self, game: str, key: str) -> TurnRecord | None:
        """The turn that was committed with an idempotency key."""
        ...

    async def save(self, name: str, loaded: Loaded, *, backup: bool = False) -> None:
        """Keeps a game under a name of its own; the same name again replaces it. Of backups the last `KEPT_BACKUPS` stay."""
        ...

    async def saved(self, game: str, name: str) -> Loaded | None: ...

    async def saves(self, game: str) -> Sequence[str]:
        """The names of a game's saves, oldest first."""
        ...

    async def named(self, player: str) -> Sequence[str]:
        """The ids of the players with this id, name or principal."""
        ...

    def played(
        self, *, players: Collection[str] | None = None, since: datetime | None = None, world: str | None = None
    ) -> AsyncIterator[GameRecord]:
        """Every game that has turns of these players since then, by id; for replay."""
        ...

    async def audit(
        self,
        actor: str,
        action: str,
        target: str = "",
        data: Mapping[str, int | str] | None = None,
        address: str = "",
    ) -> None:
        """Keeps for good who (a player's id, `operator` or `clock`) did what to whom or what, and from which address. Raises
        ValueError for anything that is no id and no number."""
        ...

    async def close(self) -> None: ...
