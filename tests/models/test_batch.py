"""Questions of one kind that wait go out as one call and come back apart. Calls are counted at the server."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from agents.models import Answer as Told
from agents.models import ModelError, asked
from agents.models.batch import Batching
from agents.models.client import Client
from agents.models.configuration import Configuration, Prices
from evals.scripted import Answer, Conversation, Fault, Scripted, serving

pytestmark = pytest.mark.anyio
SCHEMA = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}
Ask = Callable[..., Any]


def judge(question: str) -> Any:
    return {"sum": sum(map(int, re.findall(r"\d+", question)))}


def decide(wrong: Any = None, fault: Fault | None = None) -> Callable[[Conversation], Answer]:
    """Adds up each question's numbers; `wrong` is put in the place of the second answer of a call with several."""

    def answer(talk: Conversation) -> Answer:
        said = talk.messages[0].text
        parts = dict(re.findall(r"Question (\d+):\n(.*)", said))
        if not parts:
            return Answer.json(judge(said), fault=Fault("slow", seconds=0.15) if "first" in said else None)
        data = {number: judge(text) for number, text in parts.items()}
        if wrong is not None:
            data["2"] = wrong
        return Answer.json({k: v for k, v in data.items() if v != "missing"}, fault=fault)

    return answer


async def ask(
    server: Scripted, questions: list[str], options: Any = None, **batching: Any
) -> list[Told | BaseException]:
    """The answers; all but the first are asked while that is under way."""
    said = Configuration.one(url=f"{server.url}/v1", model="scripted", prices=Prices(1.0, 1.0))
    async with Client(said, chance=lambda: 0.0) as client:
        model = Batching(client, **batching)
        given: dict[str, Any] = {"purpose": "judge", "schema": SCHEMA, "max_tokens": 50}
        others = options or [{}] * len(questions)
        tasks: list[asyncio.Task[Told]] = []
        for question, other in zip(questions, others, strict=True):
            tasks.append(asyncio.create_task(model.chat(asked("Add.", question, **given | other))))
            while questions[0].startswith("first") and not server.requests:
                await asyncio.sleep(0.005)
        return await asyncio.gather(*tasks, return_exceptions=True)


def sums(answers: list[Told | BaseException]) -> list[Any]:
    return [each.data["sum"] if isinstance(each, Told) else each for each in answers]


QUESTIONS = ["first 0", *(f"{n} and {n}" for n in range(1, 9))]


@pytest.mark.requirement("4.24")
async def test_what_waits_goes_out_as_one_call_and_shares_its_cost() -> None:
    with serving(decide()) as server:
        answers = await ask(server, QUESTIONS)
    assert sums(answers) == [0, 2, 4, 6, 8, 10, 12, 14, 16]
    assert len(server.requests) == 2
    told = [each for each in answers if isinstance(each, Told)]
    assert sum(each.usage.calls for each in told) == 2
    assert len({each.usage.cost for each in told[1:]}) == 1
    assert 0 < told[1].usage.cost * 8 < told[0].usage.cost * 8
    schema = server.requests[1].conversation.schema
    assert schema is not None
    assert schema["properties"]["8"] == SCHEMA


async def test_what_comes_in_the_same_moment_is_one_call() -> None:
    with serving(decide()) as server:
        assert sums(await ask(server, QUESTIONS[1:])) == [2, 4, 6, 8, 10, 12, 14, 16]
    assert len(server.requests) == 1


@pytest.mark.parametrize("wrong", ["missing", "two", {"sum": "two"}, None, [2]])
async def test_one_wrong_answer_is_asked_for_again_and_harms_no_other(wrong: Any) -> None:
    with serving(decide(wrong or {"x": 1})) as server:
        assert sums(await ask(server, QUESTIONS)) == [0, 2, 4, 6, 8, 10, 12, 14, 16]
    assert len(server.requests) == 3
    assert server.requests[2].conversation.messages[0].text == "2 and 2"


async def test_where_the_call_gives_no_object_each_is_asked_alone() -> None:
    with serving(decide(fault=Fault("inject", times=99))) as server:
        assert sums(await ask(server, QUESTIONS[:4])) == [0, 2, 4, 6]
    assert len(server.requests) <= 1 + 2 + 3


async def test_where_nobody_answers_all_are_told() -> None:
    with serving(decide(fault=Fault("401", times=99))) as server:
        answers = await ask(server, QUESTIONS[:4])
    assert [each.kind for each in answers if isinstance(each, ModelError)] == ["refused"] * 3
    assert sum(usage.calls for each in answers if isinstance(each, ModelError) for usage in each.usage) == 1
    assert len(server.requests) == 2


async def test_only_questions_of_one_kind_and_one_principal_share_a_call() -> None:
    questions = ["first 0", "1 and 1", "2 and 2", "3 and 3", "4 and 4"]
    other = {**SCHEMA, "title": "other"}
    options: list[Any] = [{}, {}, {"principal": "bob"}, {"schema": other}, {}]
    with serving(decide()) as server:
        assert sums(await ask(server, questions, options)) == [0, 2, 4, 6, 8]
        texts = [each.conversation.messages[0].text for each in server.requests]
        assert sum("Question 1" in text for text in texts) == 1
        assert len(server.requests) == 4
    with serving(decide()) as server:
        await ask(server, questions, options, across=True)
        assert len(server.requests) == 3


async def test_labels_share_a_call_too_and_who_went_away_is_not_asked() -> None:
    def label(talk: Conversation) -> Answer:
        said = talk.messages[0].text
        numbers = re.findall(r"Question (\d+)", said)
        if not numbers:
            return Answer("look", fault=Fault("slow", seconds=0.15))
        return Answer(json.dumps(dict.fromkeys(numbers, "move")))

    with serving(label) as server:
        async with Client(Configuration.one(url=f"{server.url}/v1", model="scripted")) as client:
            model = Batching(client)
            tasks: list[asyncio.Task[Told]] = []
            for n in range(4):
                tasks.append(
                    asyncio.create_task(model.chat(asked("s", f"q{n}", purpose="label", labels=("move", "look"))))
                )
                while not server.requests:
                    await asyncio.sleep(0.005)
            tasks[1].cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [each.label for each in ends if isinstance(each, Told)] == ["look", "move", "move"]
    assert "q1" not in server.requests[1].conversation.messages[0].text
    assert len(server.requests) == 2
