"""Owns the `Work` protocol: what waits to be done between turns — clocks that are due, and what is yet to be told to others.

`store.work`; the background worker takes from it under a lease, so that a worker that dies loses nothing. It must not know
what a clock does or who listens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from storage.records import Told

MAX_ATTEMPTS = 10
"""After so many failures a thing is given up until somebody retries it."""
KEPT_BACKUPS = 5
"""How many backups are kept of a game; the oldest goes first."""


@dataclass(frozen=True, slots=True)
class Due:
    """A game whose clock is due `since` then, leased to one worker `until` then. `attempts` counts this one."""

    game: str
    since: datetime
    until: datetime
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Untold:
    """Something that is to be published. `attempts` counts the failures."""

    game: str
    told: Told
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that failed. `dead`: it is not tried again until `retry`."""

    kind: Literal["tick", "told"]
    key: str
    """The game's id, or the message's."""
    what: str
    """The world, or the channel."""
    attempts: int
    error: str
    dead: bool


class Work(Protocol):
    """Every method is atomic and durable when it returns. Times are the caller's clock."""

    async def due(self, now: datetime, limit: int, lease: float) -> Sequence[Due]:
        """Games whose clock is due, the longest due first; nobody else is given them for `lease` seconds."""
        ...

    async def done(self, due: Due, next: datetime | None) -> None:
        """The clock ran and is due `next` (None: not any more), unless a turn has set it meanwhile."""
        ...

    async def failed(self, due: Due, error: str, again: datetime) -> None:
        """The clock could not run; after `MAX_ATTEMPTS` it is given up."""
        ...

    async def untold(self, now: datetime, limit: int, lease: float) -> Sequence[Untold]:
        """What is to be published, in order for each game; of these games nobody else is given anything for `lease`
        seconds."""
        ...

    async def told(self, ids: Iterable[str]) -> None:
        """These were published and are forgotten."""
        ...

    async def unheard(self, untold: Untold, error: str, again: datetime) -> None:
        """This one could not be published; what follows it in its game waits, until it is given up."""
        ...

    async def wait(self, games: Iterable[str], until: datetime) -> None:
        """Gives back games of `untold`: the channel itself is away, and nothing is to blame."""
        ...

    async def troubles(self, limit: int = 100) -> Sequence[Trouble]:
        """What failed and is waiting or given up, the given up first."""
        ...

    async def retry(self, now: datetime) -> int:
        """Everything that was given up is due again; how many."""
        ...
