"""With no model every message is answered, and with others' help it is answered by them."""

from collections.abc import Sequence
from typing import Any

import pytest

from agents.access import LOCAL, PUBLIC, Principal, Refused
from agents.citations import Citation
from agents.game import Game, Reply
from agents.models import Tool
from agents.worlds import World
from evals.scripted import Answer, Call
from kb.session import Said
from router.labels import Labels
from router.seams import Tell, Words

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("message", "route"),
    [
        ("go west", "action"),
        ("hello there", "direct"),
        ("thanks a lot!", "direct"),
        ("where is the brass hook?", "knowledge"),
        ("write a story about the opera together with all the guests", "team"),
        ("asdf qwerty hjkl", "help"),
        ("would you polish that chandelier for me", "action"),
    ],
)
async def test_with_no_model_every_message_is_answered(table: Any, message: str, route: str):
    async with table() as t:
        told = await t.say(message)
        assert (told.route, told.tier, told.model_calls, told.cost) == (route, "rules", 0, 0)
        assert told.text
        assert bool(told.citations) is (route == "knowledge")


@pytest.mark.parametrize("message", ["where is the brass hook?", "hello", "build a town", "asdf qwerty"])
async def test_a_question_about_a_world_needs_no_game(table: Any, open_world: Any, message: str):
    async with table() as t:
        told = await t.router.answer(LOCAL, message, world=open_world("cloak"))
        assert told.text
        assert told.turn is None


async def test_who_may_neither_play_nor_read_is_refused(table: Any, open_world: Any):
    async with table() as t:
        with pytest.raises(Refused):
            await t.router.answer(PUBLIC, "look", handle=t.handle)
        with pytest.raises(Refused):
            await t.router.answer(Principal("x", frozenset()), "who?", world=open_world("cloak"))


class Scholar:
    async def quotes(self, question: str, world: World, asker: Principal) -> Words | None:
        return None

    async def answers(self, question: str, world: World, asker: Principal) -> Words | None:
        return Words("A scholar says so.", (Citation("hook.md", "Hook", 1, "c"),), calls=1, cost=0.25)


class Teams:
    async def flows(self, world: World, asker: Principal, handle: str) -> Sequence[Tool]:
        return [Tool("world_building", "Writes pages.", {"type": "object", "properties": {"task": {"type": "string"}}})]

    async def decided(self, message: str, asker: Principal) -> Words | None:
        return None

    async def run(self, flow: str, task: str, world: World, asker: Principal, handle: str, key: str) -> Words:
        return Words(f"{flow}: {task}", calls=7, cost=0.5)


class Voice:
    async def after(
        self, game: Game, said: Said, reply: Reply, message: str, asker: Principal, tell: Tell | None
    ) -> Words | None:
        return Words(f"“{reply.text}”", calls=1)

    async def again(self, game: Game, reply: Reply) -> Words | None:
        return None

    def addressed(self, game: Game, message: str) -> str | None:
        return None

    async def talk(self, game: Game, message: str, asker: Principal, key: str, tell: Tell | None) -> Words | None:
        return Words("Aye.") if message.startswith("Otto,") else None


async def test_a_sure_question_goes_to_the_scholar_and_is_kept(table: Any):
    async with table(lambda _: Answer("no"), scholar=Scholar()) as t:
        told = await t.say("what are the rules?")
        assert (told.text, told.route, told.model_calls, told.cost) == ("A scholar says so.", "knowledge", 1, 0.25)
        assert told.tier == "call"
        again = await t.say("what are the rules?")
        assert (again.text, again.tier, again.model_calls, again.citations) == (told.text, "cache", 0, told.citations)
        assert t.asked == 0, "the router itself asked nobody"


async def test_work_for_several_goes_to_a_team(table: Any):
    async with table(lambda _: Answer("no"), teams=Teams()) as t:
        told = await t.say("create a dungeon with five rooms and write its pages")
        assert (told.route, told.model_calls, t.asked) == ("team", 7, 0)
        assert told.text.startswith("world_building: create")
    async with table(lambda _: Answer(calls=(Call("world_building", {"task": "A town."}),)), teams=Teams()) as t:
        told = await t.say("heya, wouldn't a settlement be nice somewhere around here")
        assert (told.text, told.route, t.asked) == ("world_building: A town.", "team", 1)


async def test_people_of_the_world_speak_after_a_turn_and_to_free_words(table: Any):
    async with table(voice=Voice()) as t:
        told = await t.say("go west")
        assert told.text == f"“{told.reply.text}”"
        assert told.model_calls == 1
        spoken = await t.say("Otto, what is your favourite food?")
        assert (spoken.text, spoken.route, spoken.turn) == ("Aye.", "direct", None)


@pytest.mark.parametrize(
    ("message", "route"),
    [
        ("could you maybe hand me that lantern?", "action"),
        ("pls grb the rope", "action"),
        ("hiya, how are things?", "direct"),
        ("how long may a member keep a film?", "knowledge"),
        ("invent a port town together with its people", "team"),
        ("what is the weather in berlin tomorrow", "help"),
    ],
)
def test_a_label_is_told_without_a_model(message: str, route: str):
    assert Labels.shipped().of(message).route == route


def test_the_same_examples_lead_to_the_same_labels():
    pairs = [("take it", "action"), ("hello", "direct"), ("who is she", "knowledge"), ("build a town", "team")] * 3
    one, other = (Labels(pairs).of("take the hello town") for _ in range(2))  # pyright: ignore[reportArgumentType]
    assert one == other


async def test_lore_is_answered_once_wherever_it_is_asked(table: Any):
    async with table(lambda _: Answer("no"), scholar=Scholar()) as t:
        first = await t.say("what are the rules?")
        await t.say("west")
        elsewhere = await t.say("what are the rules?")
        assert (elsewhere.text, elsewhere.tier, elsewhere.model_calls) == (first.text, "cache", 0)


class Silent(Scholar):
    """Has no answer of its own, and quotes."""

    async def answers(self, question: str, world: World, asker: Principal) -> Words | None:
        return None

    async def quotes(self, question: str, world: World, asker: Principal) -> Words | None:
        return Words("A page says so.", (Citation("bar.md", "Bar", 1, "c"),))


async def test_where_the_scholar_has_no_answer_pages_are_quoted(table: Any):
    async with table(lambda _: Answer("no"), scholar=Silent()) as t:
        told = await t.say("what are the rules?")
        assert (told.text, told.route, told.citations[0].path) == ("A page says so.", "knowledge", "bar.md")


async def test_a_courtesy_takes_no_call(table: Any):
    async with table(lambda _: Answer("no")) as t:
        told = await t.say("thank you")
        assert (told.route, told.tier, told.model_calls, t.asked) == ("direct", "rules", 0, 0)
        assert told.text


async def test_a_single_word_that_nobody_knows_is_answered_by_the_rules(table: Any):
    async with table(world="west-of-house") as t:
        told = await t.say("xyzzy")
        assert "don't know how to" in told.text
        assert (told.turn, told.model_calls) == (1, 0)
