"""NPCs word what rules did and answer freely; nothing that they say can be more than the rules did and they may know."""

from collections.abc import Awaitable, Callable

import pytest

from agents.models.model import Model
from evals.scripted import Answer, Fault
from tests.npcs.conftest import Inn, Said

pytestmark = pytest.mark.anyio
New = Callable[..., Awaitable[Inn]]
Pair = tuple[Model, Said]


async def test_a_turn_with_an_npc_is_told_in_its_voice_by_one_call(new_inn: New, model: Pair) -> None:
    client, said = model
    said.text = "Evening. Mind the step, Ada."
    inn = await new_inn(client)
    spoken, reply = await inn.turn("talk to otto")
    assert spoken is not None
    assert (spoken.text, spoken.npc, spoken.tier, spoken.model_calls) == (
        "Evening. Mind the step, Ada.",
        "Otto",
        "call",
        1,
    )
    assert reply.text == "Evening."
    assert said.calls == 1
    assert "WHAT HAPPENED" in said.prompt
    assert "The old doorman" in said.prompt
