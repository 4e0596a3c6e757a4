"""Owns what stores take and give: plain data about players, games, turns and progress.

Ids are 32 hexadecimal digits (a UUID). Times are aware datetimes. JSON holds no NUL characters. It must not know rules or databases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

Json = dict[str, Any]
Kind = Literal["say", "undo", "restore", "join", "leave", "tick", "heard", "reset", "erased"]
"""`heard`: nothing changed, and players were told something."""


@dataclass(frozen=True, slots=True)
class Player:
    """A profile. A principal is whoever signed in; it may play under several names, each a player of its own."""

    id: str
    principal: str
    name: str
    level: int = 1
    stats: Json = field(default_factory=Json)


@dataclass(frozen=True, slots=True)
class Seat:
    """A player in a game. The handle is what a client holds; it is good only together with its principal."""

    handle: str
    game: str
    player: str
    instance: str
    """The player's instance in the world."""
    principal: str
    name: str
    role: str = "player"


@dataclass(frozen=True, slots=True)
class GameRecord:
    """A world that is played. `head` is small JSON that belongs to no instance; `version` counts every change."""

    id: str
    world: str
    """The location of its rules; with `revision` and `experience` it names one rulebook."""
    seed: int
    commit: str
    version: int
    hash: str
    head: Json
    updated: datetime
    revision: str | None = None
    experience: str | None = None
    scope: str | None = None
    """Of a shared world: which. There is one game for each scope."""
    last: int = 0
    """The number of the turn that `undo` takes back; 0: there is none."""

    def with_(self, **changes: Any) -> GameRecord:
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Part:
    """One instance as it is stored: `data` is JSON, the other fields are what can be asked for."""

    template: str
    kind: str
    data: Json
    location: str | None = None
    point: tuple[float, float] | None = None
    """Latitude and longitude, degrees, of what others may find by it."""
    tags: tuple[str, ...] = ()
    """`field=value` of the fields that rules search by."""


Parts = Mapping[str, Part]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A game with all its parts, as of one version."""

    game: GameRecord
    parts: Parts


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One change of a game, with all that a replay needs: what was said, the recorded inputs, what came of it."""

    number: int
    """The game's version after it."""
    text: str
    commit: str
    inputs: Json
    outcome: Json
    hash_before: str
    hash_after: str
    at: datetime
    kind: Kind = "say"
    player: str | None = None
    """Who acted; None: the clock, or in a turn of kind `erased` somebody who was erased."""
    instance: str = ""
    key: str = ""
    """The request's idempotency key, unique in the game."""
    undo: Json = field(default_factory=Json)
    """What leads back: `head`, `parts` and `last` as they were before."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a player is in an experience after a turn."""

    player: str
    experience: str
    handle: str
    at: datetime
    location: str = ""
    score: int = 0
    completion: float = 0.0
    """0 to 1."""
    completed: bool = False
    playtime: float = 0.0
    """Seconds to add."""
    turns: int = 0
    """To add."""
    distance: float = 0.0
    """Metres to add."""
    point: tuple[float, float] | None = None
    """Where; None: as before."""
    inventory: tuple[str, ...] = ()
    """Templates of what is carried."""
    visited: tuple[str, ...] = ()
    state: Json = field(default_factory=Json)
    """Quests, flags, collectibles."""


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """Something that happened to a player. `id` is a UUIDv7, so that ids are in order of time."""

    id: str
    player: str
    experience: str
    type: str
    at: datetime
    content: str = ""
    """What it is about: a place, an item, a quest."""
    data: Json | None = None
    point: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """Something to be published on a channel once the turn is committed; at least once, in order for each game."""

    id: str
    channel: str
    payload: Json
    turn: int = 0
    """The number of the turn that led to it."""


NEW = -1


@dataclass(frozen=True, slots=True)
class Commit:
    """One atomic change of a game: its next record, the parts that changed (None: gone), and all that came of it."""

    game: GameRecord
    """After; its version is `base` plus the number of turns."""
    base: int
    """The version that it stands on; `NEW` for a new game, which begins at version 0."""
    parts: Mapping[str, Part | None]
    turns: tuple[TurnRecord, ...]
    seats: tuple[Seat, ...] = ()
    """New ones."""
    left: tuple[str, ...] = ()
    """Handles that are no more."""
    progress: tuple[Progress, ...] = ()
    events: tuple[ProgressEvent, ...] = ()
    told: tuple[Told, ...] = ()
    due: datetime | None = None
    """When the clock is to be run for the game next; None: as before."""
