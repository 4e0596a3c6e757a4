"""The bundled worlds' people: what rules keep of a player is what they know, and a world without a model is alive."""

from collections.abc import Awaitable, Callable

import pytest

from agents.models.model import Model
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
    from agents.npcs.character import Cast
    from agents.npcs.scene import scene

    inn.where = Where.of("wylding-woods")
    for line in (HUT, "talk to maeve", "ask maeve for an errand", "errand", "promise"):
        await inn.turn(line)
    game = await inn.game()
    promised = scene(Cast(), game, "maeve").promised
    kept = {id: value for id, value in game.state.rows["player"]["promises"].items() if value != "none"}
    assert len(promised) == len(kept)
    assert scene(Cast(), game, "odo").promised == ()


@pytest.mark.requirement("3.05", "4.39")
async def test_the_taverns_people_know_a_guest_without_a_model(inn: Inn) -> None:
    inn.where = Where.of("tavern")
    await inn.turn("look")
    game = await inn.game()
    npc = inn.voices.addressed(game, "Tobin, my name is Ada Byron")
    if npc is None:
        await inn.turn("out")
        npc = inn.voices.addressed(await inn.game(), "Tobin, my name is Ada Byron")
    assert npc == ("tobin", "my name is Ada Byron")
    await inn.say(npc[1], npc="tobin")
    spoken, reply = await inn.turn("talk to tobin")
    assert spoken is not None
    assert spoken.text.startswith("“My dear Ada Byron!”")
    assert reply.text in spoken.text
    assert "none finer" in await inn.say("What do you make of the moon?", npc="tobin")
