"""Each way of a message through real HTTP; calls are counted where they arrive."""

from typing import Any

import pytest

from evals.scripted import Answer, Call, Conversation

pytestmark = pytest.mark.anyio


def calls(tool: str, **arguments: Any) -> Any:
    return lambda _: Answer(calls=(Call(tool, arguments),))


@pytest.mark.requirement("0.18", "0.34")
async def test_what_the_rules_understand_takes_no_call(table: Any):
    async with table(calls("look")) as t:
        done = await t.say("go west", key="1")
        assert (done.route, done.tier, done.model_calls, t.asked) == ("action", "rules", 0, 0)
        assert "Cloakroom" in done.text
        again = await t.say("go west", key="1")
        assert again.turn == done.turn


@pytest.mark.requirement("0.18")
async def test_a_direct_answer_takes_one_call(table: Any):
    async with table(lambda _: Answer("Good evening, dear guest.")) as t:
        before = await t.hash()
        told = await t.say("heya, wonderful evening isn't it")
        assert (told.text, told.route, told.tier, told.model_calls) == ("Good evening, dear guest.", "direct", "call", 1)
        assert t.asked == 1
        assert (told.turn, await t.hash()) == (None, before)


@pytest.mark.requirement("0.18", "0.34")
async def test_free_speech_takes_one_call_and_the_referee_decides(table: Any):
    async with table(calls("go", direction="west")) as t:
        done = await t.say("would you be so good and bring me over to the western side?", key="k")
        assert (done.route, done.tier, done.model_calls, t.asked) == ("action", "call", 1, 1)
        assert "Cloakroom" in done.text
        again = await t.say("would you be so good and bring me over to the western side?", key="k")
        assert (again.turn, again.model_calls, t.asked) == (done.turn, 0, 1)
        turns = await t.app.store.turns((await t.app.games.game(t.handle, t.who.id)).record.id)
        assert turns[-1].inputs["as"] == "go west"
        assert turns[-1].inputs["models"][0]["model"] == "scripted"


@pytest.mark.requirement("0.16", "4.23", "3.02")
async def test_the_same_words_in_the_same_scene_take_no_second_call(table: Any):
    said = "would you be so good and bring me over to the western side?"
    async with table(calls("go", direction="west")) as t:
        await t.say(said)
        await t.say("go east")
        cached = await t.say(said)
        assert (cached.tier, cached.model_calls, t.asked) == ("cache", 0, 1)
        assert "Cloakroom" in cached.text
        other = await t.say(said)  # in another room it is another question
        assert (other.tier, t.asked) == ("call", 2)


@pytest.mark.requirement("0.18")
async def test_a_question_is_answered_from_pages_with_their_lines(table: Any):
    def decide(conversation: Conversation) -> Answer:
        if any(message.results for message in conversation.messages):
            return Answer("It hangs in the cloakroom [1].")
        return Answer(calls=(Call("search", {"words": "brass hook"}),))

    async with table(decide) as t:
        told = await t.say("you would not happen to have heard of brass hooks?")
        assert (told.route, told.tier, told.model_calls, t.asked) == ("knowledge", "call", 2, 2)
        assert told.text == "It hangs in the cloakroom."
        assert [each.path for each in told.citations] == ["hook.md"]


async def test_an_unclear_message_becomes_a_question(table: Any):
    async with table(calls("ask_back", question="The hook or the cloak?")) as t:
        told = await t.say("mind doing something with that whatsit?")
        assert (told.text, told.route, told.turn) == ("The hook or the cloak?", "question", None)


@pytest.mark.requirement("0.27")
@pytest.mark.parametrize("answer", ["Good evening. Come in, do.", "call"])
async def test_streaming_gives_the_same(table: Any, answer: str):
    def decide(_: Conversation) -> Answer:
        return Answer("Off we go.", (Call("go", {"direction": "west"}),)) if answer == "call" else Answer(answer)

    said = "heya, would you be so good"
    async with table(decide, cache=None) as whole:
        first = await whole.say(said, key="k")
    async with table(decide, cache=None) as streamed:
        pieces = [each async for each in streamed.router.stream(streamed.who, said, handle=streamed.handle, key="k")]
        last = pieces[-1].answered
        assert (last.text, last.route, last.tier, last.reason) == (first.text, first.route, first.tier, first.reason)
        if answer != "call":
            assert len(pieces) > 2
            assert "".join(each.text for each in pieces) == first.text
