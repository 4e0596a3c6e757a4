"""Free speech that means a deed ends in it where the model is right: what is offered, when it is asked, and words to people."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agents.worlds import Where
from evals.scripted import Answer, Call, Conversation, Scripted, serving
from evals.simulated.hour import Clock
from evals.simulated.table import Table, table
from router import Answered

pytestmark = pytest.mark.anyio

PAGES = {
    "world.md": "---\nexperience: inn\nuses: [adventure]\nstart: hall\nbegins: 2026-03-01 00:00\n---\n# Inn\nAn inn by a mill.\n",
    "hall.md": "---\nplace: hall\nexits: {north: attic}\n---\n# Hall\nA hall.\n",
    "attic.md": "---\nplace: attic\nexits: {south: hall}\n---\n# Attic\nAn attic.\n",
    "scale.md": "---\nitem: scale\nin: hall\naliases: [balance]\n---\n# Brass scale\nTrue to a grain.\n",
    "mill.md": "# The mill\nThe mill by the river was built by the monks of Arden in the year of the comet.\n",
    "otto.md": (
        '---\nagent: otto\nin: hall\nmay: [say]\nproper: yes\ngreeting: "Evening."\n---\n# Otto\nThe old doorman.\n'
        "## Voice\nDry.\n> “Mind the step.”\n"
    ),
}  # fmt: skip
FLATTER = '---\nrule: flatter\non: flatter <npc>\n---\n# A kind word\n## Then\n- add 1 to `player.score`\n- say "{The npc} smiles."\n'


@dataclass
class Seat:
    """A player, and the model that is asked."""

    at: Table
    handle: str
    model: Scripted

    async def say(self, message: str, key: str = "") -> Answered:
        return await self.at.say("ann", self.handle, message, key or f"key-{message}")

    @property
    def routing(self) -> int:
        """Calls for the route: those that offer tools for deeds."""
        return sum("ask_back" in each.conversation.tools for each in self.model.requests)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def sit(tmp_path: Path) -> Callable[..., Any]:
    """`async with sit(decide) as t`, in the inn, or in a bundled world."""

    @asynccontextmanager
    async def seated(decide: Callable[[Conversation], Answer], world: str = "", **more: str) -> AsyncGenerator[Seat]:
        (tmp_path / "inn").mkdir()
        for name, text in {**PAGES, **{f"{name}.md": text for name, text in more.items()}}.items():
            (tmp_path / "inn" / name).write_text(text)
        with serving(decide) as server:
            async with table(tmp_path / "home", server.url, Clock()) as at:
                handle, _ = await at.games.start(Where.of(world or str(tmp_path / "inn")), "ann", seed=1)
                yield Seat(at, handle, server)

    return seated


def routed(tool: str, **arguments: Any) -> Callable[[Conversation], Answer]:
    """Calls the tool where it is offered with these values; says a word of its own else."""

    def decide(asked: Conversation) -> Answer:
        if tool not in asked.tools:
            return Answer("Well, well.")
        listed: dict[str, Any] = asked.parameters[tool]["properties"]
        fits = all(value in listed.get(name, {}).get("enum", [value]) for name, value in arguments.items())
        return Answer("", (Call(tool, arguments),)) if fits else Answer("Well, well.")

    return decide


@pytest.mark.requirement("0.34")
async def test_what_a_message_names_is_offered_among_very_many(sit: Any):
    lend = routed("lend_to", copy="first snow", member="ida")
    async with sit(lend, "lending-desk") as t:
        done = await t.say("would you be so kind and let our Ida have First Snow for a fortnight?")
        assert (done.route, t.routing) == ("action", 1)
        assert all(len(each.conversation.tools) <= 20 for each in t.model.requests)


@pytest.mark.requirement("0.34")
async def test_a_tool_with_a_hole_for_words_is_always_offered(sit: Any):
    """In the tavern a dozen other verbs have more to choose from."""
    async with sit(routed("say", text="fine dusk"), "tavern") as t:
        done = await t.say("I bid the whole company here a fine dusk")
        assert (done.route, t.routing) == ("action", 1)
        assert "fine dusk" in done.text


@pytest.mark.requirement("0.34")
@pytest.mark.parametrize("message", ["what does the scale look like?", "what is written on that balance?"])
async def test_a_sure_question_about_what_is_here_takes_the_call(sit: Any, message: str):
    async with sit(routed("examine", item="brass scale")) as t:
        done = await t.say(message)
        assert (done.route, done.text, t.routing) == ("action", "True to a grain.", 1)


async def test_a_sure_question_about_oneself_takes_the_call(sit: Any):
    async with sit(routed("quests")) as t:
        done = await t.say("what is still on my list of quests?")
        assert (done.route, t.routing) == ("action", 1)


async def test_a_sure_question_that_names_no_deed_takes_no_routing_call(sit: Any):
    async with sit(routed("search", words="mill")) as t:
        told = await t.say("who built the mill by the river?")
        assert (told.route, t.routing) == ("knowledge", 0)
        assert "monks of Arden" in told.text or told.citations


async def test_a_question_that_was_none_for_a_deed_is_kept_for_wherever_the_same_deeds_fit(sit: Any):
    """The player turns round in between, and what is perceived is the same; the scene's turn is another."""
    async with sit(routed("search", words="scale")) as t:
        await t.say("who is the maker of brass scales?", "1")
        asked = t.routing
        await t.say("take scale", "2")
        await t.say("drop scale", "3")
        again = await t.say("who is the maker of brass scales?", "4")
        assert (asked, t.routing) == (1, 1)
        assert again.tier == "cache"


@pytest.mark.requirement("0.34")
async def test_words_to_somebody_do_the_deed_that_they_are_and_then_he_speaks(sit: Any):
    async with sit(routed("flatter", npc="otto"), flatter=FLATTER) as t:
        done = await t.say("Otto, your coat shines like new tonight")
        assert (done.route, t.routing) == ("action", 1)
        assert done.turn == 1
        game = await t.at.games.game(t.handle, "ann")
        assert game.state.rows[game.player]["score"] == 1


async def test_words_to_somebody_that_are_no_deed_are_answered_in_his_voice(sit: Any):
    def decide(asked: Conversation) -> Answer:
        return Answer("I am the narrator." if "ask_back" in asked.tools else "“Mind the step,” says Otto.")

    async with sit(decide, flatter=FLATTER) as t:
        told = await t.say("Otto, how do you like the mill?", "1")
        assert (told.route, told.turn, t.routing) == ("direct", None, 1)
        assert "Mind the step" in told.text
        again = await t.say("Otto, how do you like the mill?", "2")
        assert (again.route, t.routing) == ("direct", 1), "that it is no deed was known"
        assert "narrator" not in again.text


async def test_words_to_somebody_with_whom_the_pages_define_nothing_take_no_routing_call(sit: Any):
    async with sit(lambda _: Answer("“Mind the step,” says Otto.")) as t:
        told = await t.say("Otto, how do you like the mill?")
        assert (told.route, t.routing) == ("direct", 0)
        assert "Mind the step" in told.text
