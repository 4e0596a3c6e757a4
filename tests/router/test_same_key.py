"""The same message with the same key again: one turn, paid once, in the same words, through everything that answers."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agents.access import Principal
from agents.models.client import Client
from agents.models.configuration import Configuration
from agents.worlds import Where
from evals.scripted import Answer, Conversation, serving
from rulebound.app import App, build
from rulebound.settings import Settings
from storage import MemoryStore

pytestmark = pytest.mark.anyio
ANN = Principal.of("ann", "player")


@asynccontextmanager
async def workers(
    home: Path, decide: Callable[[Conversation], Answer]
) -> AsyncGenerator[tuple[Any, Callable[[], App]]]:
    """The scripted model, and what makes workers over one store."""
    with serving(decide) as server:
        async with Client(Configuration.one(url=f"{server.url}/v1", model="scripted")) as model:
            store, now = MemoryStore(), datetime.now(UTC)
            yield server, lambda: build(Settings(home), store=store, now=lambda: now, model=model)


async def test_a_turn_is_told_again_in_the_same_words_after_the_player_went_on(tmp_path: Path):
    async with workers(tmp_path, lambda _: Answer("Hm? Sit, friend, and be warm.")) as (server, worker):
        app = worker()
        router = app.router(app.knowledge({}))
        handle, _ = await app.games.start(Where.of("tavern"), ANN.id, seed=1)
        first = await router.answer(ANN, "talk to bodo", handle=handle, key="once")
        assert (first.text, first.turn) == ("Hm? Sit, friend, and be warm.", 1)
        await router.answer(ANN, "north", handle=handle)
        asked = len(server.requests)
        again = await router.answer(ANN, "talk to bodo", handle=handle, key="once")
        await app.close()
        other = worker()
        later = await other.router(other.knowledge({})).answer(ANN, "talk to bodo", handle=handle, key="once")
        await other.close()
        assert [(each.text, each.turn) for each in (again, later)] == [(first.text, 1)] * 2
        assert len(server.requests) == asked, "nothing is asked again"


async def test_whoever_asks_again_before_the_answer_is_there_pays_once(tmp_path: Path):
    told = json.dumps({"say": "The water listens.", "effects": []})
    async with workers(tmp_path, lambda _: Answer(told)) as (server, worker):
        app = worker()
        router = app.router(app.knowledge({}))
        handle, _ = await app.games.start(Where.of("ferry"), ANN.id, seed=1)
        both = [router.answer(ANN, "I hum to the water", handle=handle, key="once") for _ in range(3)]
        answers = await asyncio.gather(*both)
        await app.close()
        assert {(each.text, each.turn) for each in answers} == {("The water listens.", 1)}
        assert len(server.requests) == 1
