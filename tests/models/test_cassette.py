"""A run with a model can be had again without one, and a request that was never recorded fails loudly."""

from pathlib import Path

import pytest

from agents.models import ModelError, Tool, asked
from agents.models.cassette import CassetteError, Recording, Replaying
from agents.models.client import Client
from agents.models.configuration import Configuration
from evals.scripted import Answer, Call, Conversation, Fault, serving

pytestmark = pytest.mark.anyio
TAKE = Tool("take", "Takes.", {"type": "object", "properties": {}})
HI = asked("s", "Hi", purpose="test")
TAKES = asked("s", "Take it", purpose="route", tools=(TAKE,))
LABEL = asked("s", "Which?", purpose="label", labels=("move", "look"))
BAD = asked("s", "Bad", purpose="test")


def decide(talk: Conversation) -> Answer:
    said = talk.messages[-1].text
    if said == "Take it":
        return Answer("So be it.", (Call("take", {"what": ["lamp", 1]}),))
    if said == "Bad":
        return Answer("", fault=Fault("400", times=99))
    return Answer("look", likely={"look": 0.5}) if said == "Which?" else Answer("Héllo.")


async def test_what_was_recorded_is_replayed_without_a_model(tmp_path: Path) -> None:
    file = tmp_path / "tapes" / "one.jsonl"
    with serving(decide) as server:
        async with Client(Configuration.one(url=f"{server.url}/v1", model="scripted")) as client:
            model = Recording(client, file)
            answers = [await model.chat(each) for each in (HI, TAKES, LABEL, HI)]
            pieces = [piece async for piece in model.stream(HI)]
            vectors = await model.embed(["a", "b"])
            with pytest.raises(ModelError) as failed:
                await model.chat(BAD)
    again = Replaying(file)
    other = asked("s", "Hi", purpose="test", principal="bob", priority="agent", deadline=1)
    assert [await again.chat(each) for each in (HI, TAKES, LABEL, other)] == [answers[3], *answers[1:]]
    assert [piece async for piece in again.stream(HI)] == pieces
    assert await again.embed(["a", "b"], principal="bob") == vectors
    with pytest.raises(ModelError) as repeated:
        await again.chat(BAD)
    assert (repeated.value.kind, str(repeated.value), repeated.value.usage) == (
        failed.value.kind, str(failed.value), failed.value.usage,
    )  # fmt: skip
    assert len(file.read_text("utf-8").splitlines()) == 6
    assert list(file.parent.iterdir()) == [file]


async def test_a_request_that_was_not_recorded_fails_and_names_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "one.jsonl"
    with serving(decide) as server:
        async with Client(Configuration.one(url=f"{server.url}/v1", model="scripted")) as client:
            model = Recording(client, file)
            await model.chat(HI)
            await model.chat(TAKES)
            # Another process goes on with the same tape.
            await Recording(client, file).chat(asked("s", "Bye", purpose="test"))
    again = Replaying(file)
    assert (await again.chat(HI)).text == "Héllo."
    with pytest.raises(CassetteError, match=r"nearest differs in messages.*Take it!.*Take it"):
        await again.chat(asked("s", "Take it!", purpose="route", tools=(TAKE,)))
    with pytest.raises(CassetteError, match="no stream of it is kept"):
        _ = [piece async for piece in again.stream(HI)]
    file.write_text(file.read_text("utf-8") + "{\n", "utf-8")
    with pytest.raises(CassetteError, match=r"one\.jsonl:4: no exchange"):
        Replaying(file)
    with pytest.raises(CassetteError, match="No such file"):
        Replaying(tmp_path / "nothing")
