"""Owns the composition: settings in, an `App` with its services out.

`build(settings)`; every seam is a parameter. It must not know transports.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from agents.game import GameService
from agents.worlds import World
from rulebound.settings import Settings
from storage import MemoryStore, Store

PRINCIPAL = "local"
"""Who uses the command line and stdio on this machine."""


@dataclass
class App:
    """The services of one process."""

    settings: Settings
    store: Store
    games: GameService
    worlds: dict[tuple[str, str | None], World] = field(default_factory=dict[tuple[str, str | None], World])

    def world(self, location: str, at: str | None = None, experience: str | None = None) -> World:
        """The live world of a location; opened once. Raises `agents.worlds.WorldError`."""
        location, _, revision = location.partition("@@")
        key = (location, at or revision or None)
        if key not in self.worlds:
            self.worlds[key] = World.open(location, at=key[1], cache=self.settings.cache, experience=experience)
        return self.worlds[key]


def build(
    settings: Settings,
    *,
    store: Store | None = None,
    now: Callable[[], datetime] | None = None,
    new_id: Callable[[], str] | None = None,
    new_seed: Callable[[], int] | None = None,
) -> App:
    """An app with the given seams, or the real ones: a forgetful store, the clock, 128 random bits."""
    store = store or MemoryStore()
    app: App
    games = GameService(
        store,
        lambda location: app.world(location),
        now=now or (lambda: datetime.now(UTC)),
        new_id=new_id or (lambda: secrets.token_hex(16)),
        new_seed=new_seed or (lambda: secrets.randbits(63)),
    )
    app = App(settings, store, games)
    return app
