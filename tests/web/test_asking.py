"""Talking over a WebSocket where a model is configured: real HTTP to the scripted model, whose server counts the calls."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from agents.access import Principal
from agents.models.client import Client
from agents.models.configuration import Configuration
from evals.scripted import Answer, Call, Conversation, Fault, serving

pytestmark = pytest.mark.anyio
SPEECH = "would you be so good and bring me up there to the northern room?"
TALK = "well, that was quite an evening, was it not"


def decide(conversation: Conversation) -> Answer:
    if "northern room" in conversation.messages[-1].text:
        return Answer(calls=(Call("go", {"direction": "north"}),))
    slow = Fault("slow", seconds=3.0) if "slowly" in conversation.messages[-1].text else None
    return Answer("It was an evening that nobody here forgets.", fault=slow)


@pytest.fixture
async def asked() -> AsyncIterator[tuple[Any, Client]]:
    with serving(decide) as server:
        async with Client(Configuration.one(url=f"{server.url}/v1", model="scripted")) as model:
            yield server, model


async def start(client: Any) -> None:
    await client.ask("start", world="inn", player="Ann")


@pytest.mark.requirement("0.18", "0.27")
async def test_an_answer_is_told_as_it_comes_and_whole_at_the_end(serve: Any, joined: Any, asked: Any) -> None:
    server, model = asked
    async with joined(await serve(model=model), "ann") as ann:
        await start(ann)
        await ann.socket.send(json.dumps({"type": "ask", "id": 7, "question": TALK, "stream": True}))
        pieces, told = "", await ann.next()
        while told["type"] == "piece":
            assert told["id"] == 7
            pieces, told = pieces + told["text"], await ann.next()
        assert (told["type"], told["id"], told["text"]) == ("response", 7, pieces)
        assert (told["route"], told["tier"], told["model_calls"], told["turn"]) == ("direct", "call", 1, None)
        whole = await ann.ask("ask", question=f"{TALK}?")
        assert (whole["text"], ann.told) == (pieces, [])
    assert len(server.requests) == 2


@pytest.mark.requirement("0.18", "0.34")
async def test_free_speech_is_a_turn_with_what_it_changed(serve: Any, joined: Any, asked: Any) -> None:
    server, model = asked
    worker = await serve(model=model)
    async with joined(worker, "ann") as ann:
        await start(ann)
        went = await ann.ask("ask", question=SPEECH, key="once")
        assert (went["status"], went["route"], went["tier"], went["model_calls"]) == ("done", "action", "call", 1)
        assert {"what": "Ann", "field": "location", "before": "Hall", "after": "Attic"} in went["changes"]
        again = await ann.ask("ask", question=SPEECH, key="once")
        assert (again["turn"], again["text"]) == (went["turn"], went["text"])
        assert len(server.requests) == 1
    async with httpx2.AsyncClient(base_url=f"http://{worker.url}", headers={"x-who": "admin"}) as admin:
        shown = (await admin.get("/metrics")).text
        health = (await admin.get("/health")).json()
    assert 'router_messages_total{route="action",tier="call",stage="call"} 1' in shown
    assert 'agent_requests_total{purpose="route",outcome="ok"} 1' in shown
    assert health["models"]["purposes"]["route"] == {"on": True, "requests": 1, "answered": 1.0}


@pytest.mark.requirement("3.01")
async def test_who_waits_for_a_model_goes_on_playing_and_asks_four_things_at_once(
    serve: Any, joined: Any, asked: Any
) -> None:
    _, model = asked
    async with joined(await serve(model=model), "ann") as ann:
        await start(ann)
        for number in range(4):
            question = f"well, how slowly such an evening goes, was it not so {number} times"
            await ann.socket.send(json.dumps({"type": "ask", "id": f"slow {number}", "question": question}))
        told = await ann.ask("ask", question="and one more")
        assert (told["type"], told["code"]) == ("error", "rate_limited")
        assert (await ann.ask("command", command="take coin"))["messages"] == ["Taken."]
        assert ann.told == [], "the slow ones are not answered yet"
        answers = [await ann.next() for _ in range(4)]
        assert {each["id"] for each in answers} == {f"slow {number}" for number in range(4)}


@pytest.mark.requirement("0.18")
async def test_who_asked_models_too_often_waits_and_plays_on(serve: Any, joined: Any, asked: Any) -> None:
    server, model = asked

    async def take(_: Principal, kind: str | None) -> float:
        return 9.0 if kind == "model" else 0.0

    async with joined(await serve(model=model, take=take), "ann") as ann:
        await start(ann)
        told = await ann.ask("ask", question=TALK)
        assert (told["code"], told["hint"]) == ("rate_limited", "Wait 9.0 s.")
        assert (await ann.ask("command", command="take coin"))["status"] == "done"
    assert server.requests == []


async def test_memories_that_cannot_be_kept_are_told_by_health(serve: Any) -> None:
    worker = await serve()
    worker.app.answering.voices.minds.trouble = "the disk is full"
    async with httpx2.AsyncClient(base_url=f"http://{worker.url}", headers={"x-who": "admin"}) as admin:
        health = (await admin.get("/health")).json()
    assert (health["status"], health["between_turns"]) == ("degraded", "the disk is full")
