"""What is told and offered through the whole composition to whoever is not known, and to players when a provider fails."""

import json
from pathlib import Path

import pytest

from agents.access import PUBLIC, Principal
from agents.models.client import Client
from agents.models.configuration import Configuration
from agents.worlds import Where
from evals.scripted import Answer, Fault, serving
from rulebound.app import build
from rulebound.settings import Settings

pytestmark = pytest.mark.anyio
ANN = Principal.of("ann", "player")


async def test_no_team_is_offered_to_who_shows_no_credential(tmp_path: Path):
    with serving(lambda _: Answer("Well met.")) as server:
        async with Client(Configuration.one(url=f"{server.url}/v1", model="scripted")) as model:
            app = build(Settings(tmp_path), model=model)
            router, world = app.router(app.knowledge({})), app.worlds(Where.of("tavern"))
            for asker in (ANN, PUBLIC):
                await router.answer(asker, f"hey, tell a long joke about {asker.id}", world=world)
            await app.close()
    known, unknown = (each.conversation.tools for each in server.requests)
    assert "storytelling" in known
    assert set(unknown) == {"search", "read", "ask_back"}


async def test_what_a_provider_says_of_its_failure_reaches_no_player(tmp_path: Path):
    with serving(lambda _: Answer(fault=Fault("400"))) as server:
        async with Client(Configuration.one(url=f"{server.url}/v1", model="scripted")) as model:
            app = build(Settings(tmp_path), model=model)
            router = app.router(app.knowledge({}))
            handle, _ = await app.games.start(Where.of("tavern"), ANN.id, seed=1)
            lines = ("Bodo, how fares the road?", "talk to bodo", "I ponder the rafters", "who owns the tavern?")
            told = [await router.answer(ANN, line, handle=handle) for line in lines]
            await app.close()
    assert server.requests
    for each in told:
        shown = json.dumps([each.as_data(), each.notes])
        assert not any(word in shown for word in ("script wants", "default", "400", "http"))
