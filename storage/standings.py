"""Owns what is told about players' progress: plain data, as the queries over the truth give it.

See `storage.postgres.progress`. It must not know rules or databases.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from storage.records import Player, ProgressEvent


@dataclass(frozen=True, slots=True)
class Profile:
    """A player with the sums over all their experiences."""

    player: Player
    created: datetime
    experiences: int
    completed: int
    turns: int
    score: int
    playtime: float
    """Seconds."""
    distance: float
    """Metres."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a player is in an experience, since when, and where it goes on: `handle` is the seat."""

    player: str
    name: str
    experience: str
    handle: str
    started: datetime
    last_turn: datetime
    completed: datetime | None
    playtime: float
    """Seconds, pauses left out."""
    turns: int
    completion: float
    """0 to 1."""
    score: int
    location: str
    point: tuple[float, float] | None
    distance: float
    """Metres."""
    inventory: tuple[str, ...]
    """Templates."""
    visited: tuple[str, ...]
    state: dict[str, Any]
    """`quests`, `achievements`, `ended`."""


@dataclass(frozen=True, slots=True)
class Achievement:
    """What a player was awarded, and when last."""

    experience: str
    reason: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """Events, the newest first. `after` is the cursor of the next page; None: there is none."""

    events: tuple[ProgressEvent, ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class Visits:
    """How much an experience (`content` is empty) or a place of it was visited. `average` is the seconds of one visit."""

    content: str
    visits: int
    players: int
    average: float


@dataclass(frozen=True, slots=True)
class Found:
    """Something with a point on Earth."""

    id: str
    name: str
    """Empty for what came into the world later than its start."""
    point: tuple[float, float]
    metres: float
    """From where was asked."""
