"""Owns a place to play at for simulations and attacks: games in memory, and a router whose model is at an address.

`async with table(home, url, now) as at: await at.say(principal, handle, message, key)`. Without an address there is no model. It must
not know what is measured.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agents.access import Principal
from agents.game import GameService
from agents.models.client import Client
from agents.models.configuration import Configuration, Prices
from agents.models.model import Model
from router import Answered, Router
from router.decisions import Recorder
from rulebound.app import build
from rulebound.settings import Settings
from storage import MemoryStore

PRICES = Prices(2.5, 10.0)
"""US dollars for a million tokens in and out: those of a large hosted model in 2026, to show costs."""


@dataclass(frozen=True)
class Table:
    """Who answers, and the games."""

    store: MemoryStore
    games: GameService
    router: Router
    decisions: Recorder
    """How its messages were answered; kept in the store when it is flushed."""

    async def say(self, principal: str, handle: str, message: str, key: str) -> Answered:
        """The answer to a player's message."""
        asker = Principal.of(principal, "player")
        return await self.router.answer(asker, message, handle=handle, key=key)


@asynccontextmanager
async def table(
    home: Path, url: str, now: Callable[[], datetime], *, through: Callable[[Model], Model] = lambda model: model
) -> AsyncGenerator[Table]:
    """A table whose model is OpenAI-compatible at `url` (up to the host); `through` may stand between."""
    if not url:
        yield _table(home, now, None)
        return
    configuration = Configuration.one(url=f"{url}/v1", model="scripted", prices=PRICES)
    async with Client(configuration) as model:
        yield _table(home, now, through(model))


def _table(home: Path, now: Callable[[], datetime], model: Model | None) -> Table:
    """All that answers in a process, as it is composed for everybody."""
    store = MemoryStore()
    app = build(Settings(home), store=store, now=now, model=model)
    return Table(store, app.games, app.router(app.knowledge({})), app.answering.decisions)
