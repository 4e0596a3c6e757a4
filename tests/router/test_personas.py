"""A persona changes the prompt and the tools of one request, for those it is there for, and leaks to nobody."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.access import Principal
from agents.worlds import Where
from evals.scripted import Answer, Call, Conversation

pytestmark = pytest.mark.anyio
HERALD = "---\npersona: herald\ntools: [search]\n---\n# The herald\nSpeak in rhymes of trumpets.\n"
WARDEN = "---\npersona: warden\ntools: [act]\nfor: [gm]\n---\n# The warden\nSpeak sternly of chains.\n"
PLAIN = "---\npersona: butler\n---\n# The butler\nSpeak of silver trays.\n"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    pages = {
        "world.md": "---\nexperience: house\nstart: hall\nuses: [adventure]\n---\n# House\n",
        "hall.md": "---\nplace: hall\nexits: {west: den}\n---\n# Hall\nA hall.\n",
        "den.md": "---\nplace: den\nexits: {east: hall}\n---\n# Den\nA den.\n",
        "herald.md": HERALD,
        "warden.md": WARDEN,
        "butler.md": PLAIN,
    }
    folder = tmp_path / "house"
    folder.mkdir()
    for name, text in pages.items():
        (folder / name).write_text(text)
    return folder


def tools(request: Any) -> set[str]:
    return {each["function"]["name"] for each in request.body["tools"]}


SAID = "heya there, marvellous old place, isn't it"


@pytest.mark.requirement("0.26")
async def test_a_persona_changes_the_prompt_and_the_tools(table: Callable[..., Any], house: Path):
    async with table(lambda _: Answer("Ta-ra."), world=house) as t:
        await t.say(SAID, persona="herald")
        await t.say(SAID)
        herald, nobody = t.model.requests
        assert "trumpets" in herald.conversation.messages[-1].text
        assert tools(herald) == {"search", "ask_back"}
        assert "trumpets" not in str(nobody.body)
        assert {"go", "search", "read"} <= tools(nobody)


@pytest.mark.requirement("0.26")
async def test_a_persona_that_is_not_for_somebody_is_not_there_for_them(table: Callable[..., Any], house: Path):
    async with table(lambda _: Answer("Hm."), world=house) as t:
        await t.say(SAID, persona="warden")
        assert "chains" not in str(t.model.requests[0].body)
        t.who = Principal.of(t.who.id, "gm")
        await t.say(SAID, persona="warden")
        assert "chains" in str(t.model.requests[1].body)
        assert "go" in tools(t.model.requests[1])


async def test_a_persona_gives_no_tools_that_its_user_may_not_use(table: Callable[..., Any], house: Path):
    async with table(lambda _: Answer("Hm."), world=house) as t:
        t.who = Principal("ann", frozenset({"game:play"}))
        await t.say(SAID, persona="butler")
        assert not {"search", "read"} & tools(t.model.requests[0])


async def test_a_call_that_the_persona_was_not_given_is_not_carried_out(table: Callable[..., Any], house: Path):
    async with table(lambda _: Answer(calls=(Call("go", {"direction": "west"}),)), world=house) as t:
        before = await t.hash()
        await t.say("would you be so good and bring me over to the western side?", persona="herald")
        assert await t.hash() == before


@pytest.mark.requirement("0.26")
async def test_users_at_the_same_time_never_hear_each_others_persona(table: Callable[..., Any], house: Path):
    def decide(conversation: Conversation) -> Answer:
        text = conversation.messages[-1].text
        return Answer("rhymes" if "trumpets" in text else "trays" if "silver" in text else "plain")

    async with table(decide, world=house) as t:
        bob = Principal.of("bob", "player")
        other, _ = await t.app.games.start(Where.of(str(house)), bob.id, seed=1)

        async def ask(who: Principal, handle: str, persona: str) -> str:
            return (await t.router.answer(who, SAID, handle=handle, persona=persona)).text

        wanted = {"herald": "rhymes", "butler": "trays", "": "plain"}
        asked = [(who, handle, each) for each in wanted for who, handle in ((t.who, t.handle), (bob, other))] * 5
        told = await asyncio.gather(*(ask(*each) for each in asked))
        assert list(told) == [wanted[persona] for _, _, persona in asked]
        # The same scene, persona and words are the same question, whoever asks: then it is kept for both.
        count = t.asked
        again = await asyncio.gather(*(ask(*each) for each in asked))
        assert (list(again), t.asked) == (list(told), count)
