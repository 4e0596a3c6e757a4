"""A team that is asked in free words: the router's one call hands the work over, and a human's word reaches the run that waits."""

import re
from pathlib import Path
from typing import Any

import pytest
from teams_base import ANN, BO, client, given, make_world, member

from evals.scripted import Answer, Call, Conversation
from rulebound.app import build
from rulebound.settings import Settings
from storage import MemoryStore

pytestmark = pytest.mark.anyio


def decide(conversation: Conversation) -> Answer:
    """Hands the message to the team, whose narrator takes the coin."""
    if "game-master" in conversation.tools:
        return Answer(calls=(Call("game-master", {"task": "Give me the coin!"}),))
    if member(conversation) == "Cast":
        return Answer("Take it.")
    return Answer("It is yours.") if given(conversation) else Answer(calls=(Call("act", {"command": "take coin"}),))


@pytest.mark.requirement("0.18", "0.21")
async def test_a_run_waits_for_its_human_who_answers_in_the_same_conversation(tmp_path: Path, scripted: Any):
    home, model = tmp_path / "home", scripted(decide)
    make_world(home, {})
    async with client(model.url) as asked:
        app = build(Settings(home), store=MemoryStore(), model=asked)
        knowledge = app.knowledge({"tiny": str(home / "knowledge" / "tiny.git")})
        router = app.router(knowledge)
        handle = (await app.games.start(await knowledge.where(ANN, "tiny"), ANN.id, seed=1))[0]
        told = await router.answer(ANN, "well you lot, what about that shiny thing over there", handle=handle)
        assert (told.route, told.turn) == ("team", None)
        run = re.search(r"approve ([0-9a-f]{16})", told.text)
        assert run is not None, told.text
        assert (await app.games.game(handle, ANN.id)).record.version == 0, "nothing is done before"
        other = await router.answer(BO, f"approve {run[1]}", world=app.worlds(await knowledge.where(BO, "tiny")))
        assert "There is no run" in other.text
        done = await router.answer(ANN, f"approve {run[1]}", handle=handle)
        assert done.route == "team"
        assert [said for said, _ in await app.games.transcript(handle, ANN.id)] == ["take coin"]
        again = await router.answer(ANN, f"approve {run[1]}", handle=handle)
        assert len(await app.games.transcript(handle, ANN.id)) == 1
        assert again.text == done.text
        await app.close()
