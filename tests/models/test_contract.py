"""One contract for every path to a provider: thin HTTP, and litellm in OpenAI's and in Anthropic's format."""

from typing import Any

import pytest

from agents.models import Message, ModelError, Piece, Request, Tool, ToolCall, asked
from evals.scripted import Answer, Call, Conversation, Fault
from evals.scripted.conversation import Kind
from tests.models.conftest import KEY, LITELLM, Asking

pytestmark = [pytest.mark.anyio, *(pytest.mark.filterwarnings(each) for each in LITELLM)]
TAKE = Tool(
    "take", "Takes a thing.", {"type": "object", "properties": {"what": {"type": "string"}}, "required": ["what"]}
)
SCHEMA = {
    "type": "object",
    "properties": {"yes": {"type": "boolean"}},
    "required": ["yes"],
    "additionalProperties": False,
}


def bound(conversation: Conversation, data: dict[str, Any]) -> Answer:
    """Data in the form in which the provider binds: as a call where litellm makes a tool of the schema."""
    if (tool := conversation.tool("json_tool_call")) is not None:
        return Answer(calls=(Call(tool, data),))
    return Answer.json(data)


@pytest.mark.requirement("3.14")
async def test_a_text_comes_with_what_it_took(asking: Asking) -> None:
    model, server = await asking(lambda _: Answer("Hello there."))
    answer = await model.chat(asked("Be brief.", "Hi!", purpose="test", max_tokens=20))
    assert (answer.text, answer.calls, answer.finish) == ("Hello there.", (), "stop")
    assert (answer.usage.calls, len(server.requests)) == (1, 1)
    assert answer.usage.input_tokens > 5
    assert answer.usage.output_tokens == 3
    [request] = server.requests
    assert (request.conversation.system, request.conversation.messages[-1].text) == ("Be brief.", "Hi!")
    assert request.body["max_tokens"] == 20


async def test_a_conversation_with_calls_and_results_arrives_and_a_call_comes_back(asking: Asking) -> None:
    model, server = await asking(lambda _: Answer("I do.", (Call("take", {"what": "lamp"}),)))
    said = (
        Message("user", "Take the key and the lamp."),
        Message("assistant", "", (ToolCall("c1", "take", {"what": "key"}),)),
        Message("tool", "You have the key.", call_id="c1"),
    )
    answer = await model.chat(Request(said, "test", tools=(TAKE,)))
    assert [(call.name, call.arguments) for call in answer.calls] == [("take", {"what": "lamp"})]
    assert (answer.text, answer.finish) == ("I do.", "calls")
    user, assistant, result = server.requests[0].conversation.messages
    assert user.text == "Take the key and the lamp."
    assert [(call.tool, call.arguments) for call in assistant.calls] == [("take", {"what": "key"})]
    assert [(each.tool, each.text) for each in result.results] == [("take", "You have the key.")]


async def test_a_stream_gives_the_text_in_pieces_and_the_same_answer_as_a_whole_one(asking: Asking) -> None:
    model, _ = await asking(lambda _: Answer("I take the lamp now.", (Call("take", {"what": "lamp"}),)))
    request = asked("s", "Take it.", purpose="test", tools=(TAKE,))
    whole = await model.chat(request)
    pieces = [piece async for piece in model.stream(request)]
    streamed = pieces[-1].answer
    assert streamed is not None
    assert len(pieces) > 2
    assert "".join(piece.text for piece in pieces) == streamed.text == whole.text
    assert [(call.name, call.arguments) for call in streamed.calls] == [("take", {"what": "lamp"})]
    assert (streamed.finish, streamed.usage.calls, streamed.usage.output_tokens) == (
        "calls",
        1,
        whole.usage.output_tokens,
    )


async def test_an_answer_bound_to_a_schema_is_validated_data(asking: Asking) -> None:
    model, server = await asking(lambda conversation: bound(conversation, {"yes": True}))
    answer = await model.chat(asked("s", "Is it?", purpose="judge", schema=SCHEMA))
    assert answer.data == {"yes": True}
    assert len(server.requests) == 1


async def test_a_label_is_one_of_those_that_were_asked_for(asking: Asking) -> None:
    model, server = await asking(lambda conversation: bound(conversation, {"label": "look"}))
    answer = await model.chat(asked("s", "See?", purpose="label", labels=("move", "look")))
    assert (answer.label, len(server.requests)) == ("look", 1)


@pytest.mark.parametrize("kind", ["429", "500", "cut", "bad-json"])
async def test_what_may_pass_is_tried_again_and_counted(asking: Asking, kind: Kind) -> None:
    model, server = await asking(lambda _: Answer("At last.", fault=Fault(kind)))
    answer = await model.chat(asked("s", "Hi", purpose="test"))
    assert (answer.text, answer.usage.calls, len(server.requests)) == ("At last.", 2, 2)


@pytest.mark.parametrize("kind", ["400", "401"])
async def test_a_refusal_is_never_tried_again_and_says_no_key(asking: Asking, kind: Kind) -> None:
    model, server = await asking(lambda _: Answer("No.", fault=Fault(kind, times=9)))
    for call in (model.chat(asked("s", "Hi", purpose="test")), drained(model, asked("s", "Hi", purpose="test"))):
        with pytest.raises(ModelError) as failed:
            await call
        assert (failed.value.kind, len(failed.value.usage)) == ("refused", 1)
        assert KEY not in str(failed.value) + failed.value.hint + repr(failed.value.__context__)
    assert len(server.requests) == 2


async def test_a_hanging_provider_is_given_up_at_the_deadline(asking: Asking) -> None:
    model, server = await asking(lambda _: Answer("Late.", fault=Fault("slow", seconds=1, times=9)))
    for call in (
        model.chat(asked("s", "Hi", purpose="test", deadline=0.3)),
        drained(model, asked("s", "Ho", purpose="test", deadline=0.3)),
    ):
        with pytest.raises(ModelError) as failed:
            await call
        assert failed.value.kind == "timeout"
        assert sum(usage.calls for usage in failed.value.usage) == 1
    assert len(server.requests) == 2


async def test_a_cut_stream_is_an_error_with_what_was_told(asking: Asking) -> None:
    model, server = await asking(lambda _: Answer("One two three four five.", fault=Fault("cut", times=9), pieces=8))
    told: list[str] = []
    with pytest.raises(ModelError) as failed:
        await drained(model, asked("s", "Count.", purpose="test"), told)
    assert failed.value.kind == "unavailable"
    assert "".join(told) == failed.value.told != ""
    assert "One two three four five.".startswith(failed.value.told)
    assert len(server.requests) == 1


async def test_an_over_long_answer_is_cut(asking: Asking) -> None:
    model, _ = await asking(lambda _: Answer(fault=Fault("long", size=100_000, times=9)))
    request = asked("s", "Write.", purpose="test", max_tokens=300)
    answer = await model.chat(request)
    assert (len(answer.text), answer.finish) == (4800, "length")
    pieces = [piece async for piece in model.stream(request)]
    assert pieces[-1].answer is not None
    assert pieces[-1].answer.text == answer.text


async def test_a_call_of_a_tool_that_was_not_offered_is_dropped_and_never_among_the_calls(asking: Asking) -> None:
    model, server = await asking(lambda _: Answer("Hm.", (Call("destroy", {}), Call("take", {"what": "lamp"}))))
    answer = await model.chat(asked("s", "Hi", purpose="test", tools=(TAKE,)))
    assert [call.name for call in answer.calls] == ["take"]
    assert [call.name for call in answer.dropped] == ["destroy"]
    assert len(server.requests) == 1


async def test_nul_and_halves_of_characters_are_taken_out(asking: Asking) -> None:
    model, _ = await asking(lambda _: Answer("a\0b\ud83dc"))
    assert (await model.chat(asked("s", "Hi", purpose="test"))).text in ("abc", "ab\ufffdc", "ab?c")


async def drained(model: Any, request: Request, told: list[str] | None = None) -> Piece | None:
    last = None
    async for piece in model.stream(request):
        last = piece
        if told is not None:
            told.append(piece.text)
    return last
