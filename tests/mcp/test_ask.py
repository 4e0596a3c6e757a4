"""The tool `ask` where a model is configured: real HTTP to the scripted model, whose server counts the calls."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from agents.models.client import Client as Models
from agents.models.configuration import Configuration
from evals.scripted import Answer, Call, Conversation, Scripted, serving
from mcp_server.catalog import Catalog
from mcp_server.server import server
from rulebound.app import App, build
from rulebound.settings import Settings
from storage import MemoryStore

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def decide(conversation: Conversation) -> Answer:
    """Goes west where that is wanted and possible, and talks else."""
    if "western side" in conversation.messages[-1].text and "go" in conversation.tools:
        return Answer(calls=(Call("go", {"direction": "west"}),))
    return Answer("I am only the usher.")


@pytest.fixture
async def asking(tmp_path: Path) -> AsyncIterator[tuple[Client, Scripted, App]]:
    with serving(decide) as scripted:
        async with Models(Configuration.one(url=f"{scripted.url}/v1", model="scripted")) as model:
            app = build(Settings(tmp_path / "home"), store=MemoryStore(), model=model)
            async with Client(server(app, Catalog(app))) as client:
                yield client, scripted, app
            await app.close()


async def told(client: Client, tool: str, **given: Any) -> dict[str, Any]:
    answer = await client.call_tool(tool, given)
    assert not answer.is_error, answer.content
    assert answer.structured_content is not None
    return answer.structured_content


@pytest.mark.requirement("0.18", "0.34")
async def test_free_speech_is_one_call_and_one_turn_and_a_plain_command_none(asking: Any) -> None:
    client, scripted, _ = asking
    handle = (await told(client, "start", world="cloak"))["handle"]
    words = {"question": "would you be so good and bring me over to the western side?", "idempotency_key": "a"}
    went = await told(client, "ask", handle=handle, **words)
    assert (went["route"], went["tier"], went["turn"], went["model_calls"]) == ("action", "call", 1, 1)
    again = await told(client, "ask", handle=handle, **words)
    assert (again["turn"], again["text"]) == (1, went["text"])
    plain = await told(client, "ask", handle=handle, question="go east")
    assert (plain["tier"], plain["turn"], plain["model_calls"]) == ("rules", 2, 0)
    assert len(scripted.requests) == 1
    assert (await told(client, "why", handle=handle, turn=1))["said"] == words["question"]
