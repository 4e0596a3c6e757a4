"""The client over real HTTP to the scripted model."""

import pytest

from agents.models import Message, Request, Tool, asked
from agents.models.client import Client
from agents.models.configuration import Configuration
from evals.scripted import Answer, Call, Conversation, serving

pytestmark = pytest.mark.anyio
TAKE = Tool("take", "Takes a thing.", {"type": "object", "properties": {"what": {"type": "string"}}})


def decide(conversation: Conversation) -> Answer:
    said = conversation.messages[-1].text
    if "call" in said:
        return Answer(calls=(Call("take", {"what": "lamp"}),))
    if "json" in said:
        return Answer('Sure:\n```json\n{"yes": true}\n```')
    if "label" in said:
        return Answer("move")
    return Answer("Hello there, friend.")


async def test_a_client_asks_an_endpoint():
    with serving(decide) as server:
        async with Client(Configuration.one(url=server.url + "/v1", model="scripted")) as model:
            assert (await model.chat(asked("s", "hi", purpose="test"))).text == "Hello there, friend."
            called = await model.chat(asked("s", "call", purpose="test", tools=(TAKE,)))
            assert called.calls[0].arguments == {"what": "lamp"}
            schema = {"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"]}
            assert (await model.chat(asked("s", "json", purpose="judge", schema=schema))).data == {"yes": True}
            assert (await model.chat(asked("s", "label", purpose="label", labels=("move", "look")))).label == "move"
            pieces = [piece async for piece in model.stream(Request((Message("user", "hi"),), "voice"))]
            assert "".join(p.text for p in pieces) == pieces[-1].answer.text == "Hello there, friend."
        assert len(server.requests) == 5
