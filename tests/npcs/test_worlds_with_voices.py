"""The bundled worlds' people: what rules keep of a player is what they know, and a world without a model is alive."""

from collections.abc import Awaitable, Callable

import pytest

from agents.models.model import Model
from agents.npcs.character import Cast
from agents.npcs.scene import scene
from agents.worlds import Where
from tests.npcs.conftest import Inn, Said

pytestmark = pytest.mark.anyio
New = Callable[..., Awaitable[Inn]]
HUT = "walk to 51.2000, -1.0000"


@pytest.mark.requirement("0.38")
async def test_trust_facts_and_promises_that_rules_keep_are_read_from_the_state(
    new_inn: New, model: tuple[Model, Said]
) -> None:
    client, said = model
    said.text = "You ask much."
    inn = await new_inn(client)
    inn.where = Where.of("wylding-woods")
    for line in (HUT, "talk to maeve", "ask maeve about bottles"):
        await inn.turn(line)
    await inn.say("And now?", npc="maeve")
    trust = (await inn.game()).state.rows["player"]["trust"]["maeve"]
    assert f"Maeve is wary of Ada ({trust} of 100)" in said.prompt
    assert "Learned: maeve on bottles" in said.prompt
    memory = (await inn.voices.minds.everything((await inn.game()).record.id, (await inn.game()).seat.player))[0][1]
    assert memory.facts == {}
    assert memory.talks == 3


@pytest.mark.requirement("0.38")
async def test_a_promise_that_rules_keep_is_known_to_the_npc_whose_page_names_the_quest(inn: Inn) -> None:
    inn.where = Where.of("wylding-woods")
    for line in (HUT, "talk to maeve", "offer help to maeve", "promise"):
        await inn.turn(line)
    game = await inn.game()
    assert scene(Cast(), game, "maeve").promised == ("Water from the spring: given",)
    assert scene(Cast(), game, "odo").promised == ()


@pytest.mark.requirement("3.05", "4.39")
async def test_the_taverns_people_know_a_guest_without_a_model(inn: Inn) -> None:
    inn.where = Where.of("tavern")
    await inn.turn("south")
    npc = inn.voices.addressed(await inn.game(), "Tobin, my name is Ada Byron")
    assert npc == ("tobin", "my name is Ada Byron")
    await inn.say("my name is Ada Byron", npc="tobin")
    spoken, reply = await inn.turn("talk to tobin")
    assert spoken is not None
    assert spoken.text.startswith("“My dear Ada Byron!”")
    assert reply.text in spoken.text
    assert "none finer" in await inn.say("What do you make of the moon?", npc="tobin")
