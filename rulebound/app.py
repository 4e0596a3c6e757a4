"""Owns the composition: settings in, an `App` with its services out.

`build(settings)`; every seam is a parameter. It must not know transports.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from agents.game import GameService
from agents.worlds import Where, World
from rulebound.settings import Settings
from storage import MemoryStore, Store

PRINCIPAL = "local"
"""Who uses the command line and stdio on this machine."""


class Worlds:
    """The live worlds of a process; each is opened once."""

    def __init__(self, settings: Settings):
        self._cache = settings.cache
        self._open: dict[Where, World] = {}

    def __call__(self, where: Where) -> World:
        """The world at a location. Raises `agents.worlds.WorldError`."""
        if where not in self._open:
            self._open[where] = World.open(where, cache=self._cache)
        return self._open[where]


@dataclass(frozen=True)
class App:
    """The services of one process."""

    settings: Settings
    store: Store
    worlds: Worlds
    games: GameService


def build(
    settings: Settings,
    *,
    store: Store | None = None,
    now: Callable[[], datetime] | None = None,
    new_id: Callable[[], str] | None = None,
    new_seed: Callable[[], int] | None = None,
) -> App:
    """An app with the given seams, or the real ones: games on disk, the clock, 128 random bits."""
    store = store or MemoryStore(settings.games)
    worlds = Worlds(settings)
    games = GameService(
        store,
        worlds,
        now=now or (lambda: datetime.now(UTC)),
        new_id=new_id or (lambda: secrets.token_hex(16)),
        new_seed=new_seed or (lambda: secrets.randbits(63)),
    )
    return App(settings, store, worlds, games)
