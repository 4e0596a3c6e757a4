"""Shared by the tests of what models fill in: small worlds, and a game service whose model is the scripted one over real HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from agents.game import GameService
from agents.judging import Judging
from agents.models import Model
from agents.models.client import Client
from agents.models.configuration import Configuration, Prices
from agents.replay import Archive, StoredGames
from agents.worlds import Where, World
from evals.scripted import Answer, Conversation, serving
from evals.scripted.server import Scripted
from storage import MemoryStore, TurnRecord

ANN = "ann"
OTTO = """---
agent: otto
in: hall
may: [say]
budget: 1 call per turn
state: {patience: int 0..5 = 5}
---
# Otto
## Knows
- `player.score`, `otto.patience`
## Judgement
> Is the player rude to Otto? **yes / no / unclear** → `otto.insulted`. With no model: **no**.
## Then
- when `otto.insulted == "yes"` → subtract 1 from `otto.patience`; say "Otto frowns."
"""
PAGES = {
    "world.md": "---\nexperience: door\nuses: [adventure]\nstart: hall\n---\n# Door\nA door.\n",
    "hall.md": "---\nplace: hall\nexits: {north: attic}\n---\n# Hall\nA hall.\n",
    "attic.md": "---\nplace: attic\nexits: {south: hall}\n---\n# Attic\nAn attic.\n",
    "otto.md": OTTO,
}


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


def service(
    model: Model | None, *, clock: Clock | None = None, deadline: float = 5.0
) -> tuple[GameService, MemoryStore]:
    worlds: dict[Where, World] = {}
    handles, store = count(1), MemoryStore()

    def open_world(where: Where) -> World:
        if where not in worlds:
            worlds[where] = World.open(where)
        return worlds[where]

    games = GameService(
        store,
        open_world,
        now=clock or Clock(),
        new_handle=lambda: f"{next(handles):032x}",
        new_seed=lambda: 5,
        judging=Judging(model, deadline=deadline),
    )
    return games, store


@asynccontextmanager
async def asking(
    decide: Callable[[Conversation], Answer], **options: Any
) -> AsyncGenerator[tuple[GameService, MemoryStore, Scripted, Client]]:
    """A game service whose judge is the scripted model, over real HTTP."""
    with serving(decide) as server:
        prices = Prices(1.0, 2.0)
        async with Client(Configuration.one(url=server.url + "/v1", model="scripted", prices=prices)) as model:
            games, store = service(model, **options)
            yield games, store, server, model


def saying(answer: str) -> Callable[[Conversation], Answer]:
    """Answers every question of a call alike."""

    def decide(conversation: Conversation) -> Answer:
        numbers = re.findall(r"^(\d+)\. <data", conversation.messages[-1].text, re.MULTILINE)
        return Answer(json.dumps(dict.fromkeys(numbers, answer)))

    return decide


async def begin(games: GameService, pages: Path) -> str:
    handle, _ = await games.start(Where.of(str(pages)), ANN)
    return handle


async def turns(store: MemoryStore, handle: str) -> Sequence[TurnRecord]:
    return await store.turns((await store.seat(handle, ANN)).game)


async def patience(games: GameService, handle: str) -> int:
    return (await games.game(handle, ANN)).state.rows["otto"]["patience"]


@asynccontextmanager
async def archive(store: MemoryStore) -> AsyncGenerator[Archive]:
    yield StoredGames(store)
