"""Owns stored games as replay reads them: plain records, whatever store they come from.

An `Archive` gives the `Head` of each game and, for one, its `Tape` of `Recorded` turns. It must not know rules.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from agents.worlds import Where
from storage import Loaded


@dataclass(frozen=True, slots=True)
class Recorded:
    """One stored change of a game. Empty hashes were not recorded and are not compared."""

    game: str
    number: int
    """The game's version after it."""
    kind: str
    """`new` (number 0), `join`, `leave`, `say`, `tick`, `undo`, `restore`, `reset`; others cannot be replayed, and are counted."""
    player: str
    """Who is counted as touched; empty for the clock."""
    instance: str
    """The player's instance in the world; of a `new` game the first player's, where it begins with one."""
    text: str
    commit: str
    inputs: Mapping[str, Any]
    """`now` (RFC 3339) and `seed`; where a player joins also `name`, in a beginning of the whole world `players`."""
    hash_before: str
    hash_after: str
    outcome: Mapping[str, Any]
    """See `agents.record`."""
    at: datetime
    """When it was stored."""


@dataclass(frozen=True, slots=True)
class Head:
    """A stored game without its turns. `only` are the players whose turns are asked for; None: all."""

    id: str
    where: Where
    turns: int
    shared: bool = False
    only: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Tape:
    """A game's turns, oldest first, read as they are wanted."""

    turns: AsyncIterator[Recorded]
    undone: Mapping[int, int] = field(default_factory=dict[int, int])
    """Number of an `undo` → the turn that it took back."""
    restored: Mapping[int, int] = field(default_factory=dict[int, int])
    """Number of a `restore` → the version of the game that it went back to."""
    kept: Mapping[int, Loaded] = field(default_factory=dict[int, Loaded])
    """Version → the game as it was saved then. Replay goes on there when the turns before cannot be replayed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which turns: of a player, of a world, said at or after a time."""

    player: str | None = None
    """An id, a name or a principal."""
    world: Where | None = None
    since: datetime | None = None


class Archive(Protocol):
    """Where stored games are read from. Each process opens one of its own."""

    def heads(self, wanted: Wanted) -> AsyncIterator[Head]:
        """The games that may hold turns that are wanted, in an order that does not change."""
        ...

    async def tape(self, head: Head) -> Tape: ...
