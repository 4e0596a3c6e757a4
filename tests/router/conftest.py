"""A game, a scripted model over real HTTP, and a router between them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agents.access import Principal
from agents.models.client import Client
from agents.models.configuration import Configuration
from agents.worlds import Where, World
from evals.scripted import Answer, Conversation, Scripted, serving
from router.answer import Answered
from router.cache import AnswerCache
from router.decisions import Recorder
from router.router import Router
from rulebound.app import App, build
from rulebound.settings import Settings
from storage import MemoryStore

ANN = Principal.of("ann", "player")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Table:
    """A player in a game, and the model that the router asks."""

    app: App
    router: Router
    handle: str
    model: Scripted | None
    decisions: Recorder
    who: Principal = ANN

    async def say(self, message: str, **more: Any) -> Answered:
        return await self.router.answer(self.who, message, handle=self.handle, **more)

    async def hash(self) -> str:
        return (await self.app.games.game(self.handle, self.who.id)).state.hash

    async def turns(self) -> int:
        return (await self.app.games.game(self.handle, self.who.id)).record.version

    @property
    def asked(self) -> int:
        """Calls, counted where they arrive."""
        return len(self.model.requests) if self.model is not None else 0


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Any]:
    """`async with table(decide, world="cloak") as t`; without `decide` no model is configured."""

    @asynccontextmanager
    async def sit(
        decide: Callable[[Conversation], Answer] | None = None, world: str | Path = "cloak", **options: Any
    ) -> AsyncIterator[Table]:
        app = build(Settings(tmp_path / "home"), store=MemoryStore())
        recorder = Recorder(app.store.decisions)
        handle, _ = await app.games.start(Where.of(str(world)), ANN.id, seed=1)
        if decide is None:
            yield Table(app, Router(app.games, None, decisions=recorder, **options), handle, None, recorder)
            return
        with serving(decide) as server:
            async with Client(Configuration.one(url=server.url + "/v1", model="scripted")) as model:
                given = {"cache": AnswerCache(app.store.expiring, model), "deadline": 5.0, **options}
                yield Table(app, Router(app.games, model, decisions=recorder, **given), handle, server, recorder)

    return sit


@pytest.fixture
def open_world(tmp_path: Path) -> Callable[[str], World]:
    return lambda name: World.open(Where.of(name), cache=tmp_path)
