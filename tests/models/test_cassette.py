"""A run with a model can be had again without one; a tape that was cut, edited or is for another prompt says so."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextvars import ContextVar
from pathlib import Path

import pytest

from agents.models import ModelError, Tool, asked
from agents.models.cassette import CassetteError, Recording, Replaying, Tape
from agents.models.client import Client
from agents.models.configuration import Configuration
from agents.models.model import Answer as ModelAnswer
from agents.models.model import Piece, Request, Usage
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


class Counting:
    """A model in this process that says the how-manieth answer it is; `last` is said slowly."""

    def __init__(self) -> None:
        self.calls = 0

    async def chat(self, request: Request) -> ModelAnswer:
        self.calls += 1
        if request.messages[-1].text == "last":
            await asyncio.Event().wait()
        return ModelAnswer(str(self.calls), Usage("p", "m"), data={"b": 1, "a": 2})

    async def stream(self, request: Request) -> AsyncIterator[Piece]:
        answer = await self.chat(request)
        yield Piece(answer.text)
        yield Piece(answer=answer)

    async def embed(
        self, texts: Sequence[str], *, principal: str = "local", deadline: float = 10.0
    ) -> list[list[float]]:
        return [[float(len(each))] for each in texts]


def spoken(words: str) -> Request:
    return asked("s", words, purpose="test")


async def test_what_was_recorded_is_replayed_without_a_model(tmp_path: Path) -> None:
    file = tmp_path / "tapes" / "one.jsonl"
    with serving(decide) as server:
        async with Client(Configuration.one(url=f"{server.url}/v1", model="scripted")) as client:
            with Tape.recording(file) as tape:
                model = Recording(client, tape)
                answers = [await model.chat(each) for each in (HI, TAKES, LABEL, HI)]
                pieces = [piece async for piece in model.stream(HI)]
                vectors = await model.embed(["a", "b"])
                with pytest.raises(ModelError) as failed:
                    await model.chat(BAD)
    again = Replaying(Tape.load(file))
    other = asked("s", "Hi", purpose="test", principal="bob", priority="agent", deadline=1)
    assert [await again.chat(each) for each in (HI, TAKES, LABEL, other)] == answers
    assert [piece async for piece in again.stream(HI)] == pieces
    assert await again.embed(["a", "b"], principal="bob") == vectors
    with pytest.raises(ModelError) as repeated:
        await again.chat(BAD)
    assert (repeated.value.kind, str(repeated.value), repeated.value.usage) == (
        failed.value.kind, str(failed.value), failed.value.usage,
    )  # fmt: skip
    assert len(file.read_text("utf-8").splitlines()) == 1 + 7 + 1
    assert list(file.parent.iterdir()) == [file]


async def test_the_same_request_has_an_answer_each_time_and_each_attempt_its_own(tmp_path: Path) -> None:
    file, who = tmp_path / "tape", ContextVar[str]("who")
    with Tape.recording(file) as tape:
        model = Recording(Counting(), tape, who.get)
        for each in ("one", "two", "one"):
            who.set(each)
            await model.chat(HI)
    again = Replaying(Tape.load(file), who.get)
    who.set("two")
    assert (await again.chat(HI)).text == "2"
    who.set("one")
    assert [(await again.chat(HI)).text for _ in range(2)] == ["1", "3"]
    with pytest.raises(CassetteError, match="this chat of one is asked 3 times, and kept 2 times"):
        await again.chat(HI)


async def test_an_answer_comes_back_in_its_own_order(tmp_path: Path) -> None:
    file = tmp_path / "tape"
    with Tape.recording(file) as tape:
        await Recording(Counting(), tape).chat(HI)
    assert list((await Replaying(Tape.load(file)).chat(HI)).data) == ["b", "a"]


async def test_a_recording_that_was_broken_off_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    file, model = tmp_path / "tape", Counting()

    async def broken_off() -> None:
        with Tape.recording(file) as tape:
            recording = Recording(model, tape)
            await recording.chat(spoken("first"))
            _ = [each async for each in recording.stream(spoken("first"))]
            async with asyncio.timeout(0.01):
                await recording.chat(spoken("last"))

    with pytest.raises(TimeoutError):
        await broken_off()
    with pytest.raises(CassetteError, match="tape: it was not recorded to its end"):
        Tape.load(file)
    with file.open("ab") as out:
        out.write(b'{"sum":"half a li')
    with Tape.recording(file) as tape:
        recording = Recording(model, tape)
        assert (await recording.chat(spoken("first"))).text == "1"
        assert [each.text async for each in recording.stream(spoken("first"))] == ["2", ""]
        assert await recording.embed(["abc"]) == [[3.0]]
    assert model.calls == 3
    assert len(Tape.load(file).entries) == 3


async def test_who_did_not_wait_for_an_answer_is_told_so_when_it_is_replayed(tmp_path: Path) -> None:
    file = tmp_path / "tape"
    with Tape.recording(file) as tape:
        recording = Recording(Counting(), tape)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await recording.chat(spoken("last"))
        stream = recording.stream(HI)
        assert (await anext(stream)).text == "2"
        await stream.aclose()
    again = Replaying(Tape.load(file))
    with pytest.raises(ModelError, match="did not wait") as failed:
        await again.chat(spoken("last"))
    assert failed.value.kind == "timeout"
    stream = again.stream(HI)
    assert (await anext(stream)).text == "2"
    with pytest.raises(ModelError, match="did not wait"):
        await anext(stream)


async def test_the_same_exchanges_give_the_same_bytes_whoever_was_faster(tmp_path: Path) -> None:
    files = [tmp_path / "one", tmp_path / "two"]
    for file, order in zip(files, ("abc", "cab"), strict=True):
        with Tape.recording(file) as tape:
            recording = Recording(Counting(), tape)
            for words in order:
                await recording.embed([words])
    assert files[0].read_bytes() == files[1].read_bytes()


async def test_what_is_not_asked_any_more_is_left_out_and_other_attempts_stay(tmp_path: Path) -> None:
    file, who = tmp_path / "tape", ContextVar[str]("who")
    for attempt, words in (("one", "old"), ("two", "old"), ("one", "new")):
        who.set(attempt)
        with Tape.recording(file) as tape:
            await Recording(Counting(), tape, who.get).chat(spoken(words))
    kept = [(place.attempt, entry["asked"]["messages"][-1]["text"]) for place, entry in Tape.load(file).entries.items()]
    assert kept == [("one", "new"), ("two", "old")]


async def test_a_request_that_was_not_recorded_fails_and_names_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "one.jsonl"
    with Tape.recording(file) as tape:
        model = Recording(Counting(), tape)
        await model.chat(HI)
        await model.chat(TAKES)
    again = Replaying(Tape.load(file))
    with pytest.raises(
        CassetteError, match=r"one\.jsonl: .*nearest, in line \d, differs in messages: .*Take it!.*Take it"
    ):
        await again.chat(asked("s", "Take it!", purpose="route", tools=(TAKE,)))
    with pytest.raises(CassetteError, match="no stream is kept"):
        _ = [piece async for piece in again.stream(HI)]
    with pytest.raises(CassetteError, match="No such file"):
        Tape.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda lines: lines[:-1], "tape: it was not recorded to its end"),
        (lambda lines: [*lines[:-1], lines[-1][:40]], "tape:4: the line is not as it was written"),
        (lambda lines: [lines[0], lines[2], lines[3]], "tape:3: lines are missing before it, or were added"),
        (lambda lines: [*lines, lines[1]], "tape:4: lines are missing before it, or were added"),
        (lambda lines: [lines[0], lines[1].replace('"test"', '"none"').replace('"route"', '"none"'), *lines[2:]], "tape:2: the line is not as it was written"),
        (lambda lines: [lines[0], "", *lines[1:]], "tape:2: the line is not as it was written"),
        (lambda lines: ["{}", *lines[1:]], "tape:1: it is no cassette of version 2"),
        (lambda lines: [], "tape: it was not recorded to its end"),
    ],
)  # fmt: skip
async def test_a_tape_that_was_cut_or_edited_says_in_which_line(tmp_path: Path, spoil, why: str) -> None:
    file = tmp_path / "tape"
    with Tape.recording(file) as tape:
        model = Recording(Counting(), tape)
        await model.chat(HI)
        await model.chat(TAKES)
    lines = file.read_text("utf-8").split("\n")[:-1]
    file.write_text("".join(f"{line}\n" for line in spoil(lines)), "utf-8")
    with pytest.raises(CassetteError) as failed:
        Tape.load(file)
    assert why in str(failed.value)


async def test_a_file_that_is_no_tape_is_not_recorded_over(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    for text in ("my notes\n", "my notes", json.dumps({"cassette": 2}) + "\n"):
        file.write_text(text, "utf-8")
        with pytest.raises(CassetteError, match="no cassette of version 2"), Tape.recording(file):
            pass
        assert file.read_text("utf-8") == text
