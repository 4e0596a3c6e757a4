"""What two workers of one installation share: news of games, and tasks; over real PostgreSQL and Valkey."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequest, ElicitRequestFormParams, InputRequiredResult

from agents.access import Principal
from mcp_server import tasks as tasks_module
from mcp_server import who
from mcp_server.catalog import Catalog
from mcp_server.server import server
from rulebound.app import App, build
from rulebound.settings import Settings
from storage import MemoryStore
from storage.embedded import Servers
from storage.fenced import FencedStore

pytestmark = pytest.mark.anyio
TASKS = "io.modelcontextprotocol/tasks"
CAN = {"extensions": {TASKS: {}}, "elicitation": {}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def apps(fresh_database: str, servers: Servers, tmp_path: Path) -> AsyncGenerator[Callable[[], Any]]:
    """New workers over the same stores."""
    async with AsyncExitStack() as stack:

        async def another() -> App:
            store = await stack.enter_async_context(FencedStore.opened(fresh_database, servers.redis_url))
            app = build(Settings(tmp_path / "home"), store=store, sealed_with=b"s" * 32)
            stack.push_async_callback(app.games.close)
            return app

        yield another


class Chat:
    """A client that knows tasks."""

    def __init__(self, client: Client):
        self.client = client

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        return await _raw(self.client, method, params)

    async def begin(self, tool: str, **given: Any) -> dict[str, Any]:
        return await self.ask("tools/call", name=tool, arguments=given)

    async def until(self, task: str, status: str) -> dict[str, Any]:
        with anyio.fail_after(20):
            while (found := await self.ask("tasks/get", taskId=task))["status"] != status:
                await anyio.sleep(0.02)
        return found


async def _raw(client: Client, method: str, params: dict[str, Any]) -> dict[str, Any]:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": CAN,
    }
    # The SDK's client has no call for methods of extensions.
    return await client.session._dispatcher.send_raw_request(method, {**params, "_meta": meta})  # pyright: ignore


@asynccontextmanager
async def chat(app: App) -> AsyncGenerator[Chat]:
    """A client of a worker that has slow tools."""
    mcp = server(app, Catalog(app), long={"slow": "optional", "asks": "optional", "breaks": "optional"}, patience=0.05)

    @mcp.tool(structured_output=False)
    async def slow(seconds: float) -> str:
        """Slow."""
        await anyio.sleep(seconds)
        return "Done."

    @mcp.tool(structured_output=False)
    async def breaks() -> str:
        """Breaks after a while."""
        await anyio.sleep(0.1)
        raise MCPError(-32603, "It broke")

    @mcp.tool(structured_output=False)
    async def asks(ctx: Context) -> str | InputRequiredResult:
        """Asks after a while, when it is a task already."""
        if "sure" in (ctx.input_responses or {}):
            return "The user was asked."
        await anyio.sleep(0.1)
        form = ElicitRequestFormParams(message="Sure?", requested_schema={"type": "object", "properties": {}})
        return InputRequiredResult(input_requests={"sure": ElicitRequest(params=form)}, request_state="1")

    async with Client(mcp) as client:
        yield Chat(client)


async def test_a_subscriber_in_one_worker_hears_of_turns_in_another(apps: Callable[[], Any]) -> None:
    one, two = await apps(), await apps()
    async with chat(one) as here, chat(two) as there:
        started = await here.client.call_tool("start", {"world": "cloak"})
        assert started.structured_content is not None
        handle = started.structured_content["handle"]
        async with here.client.listen(resource_subscriptions=[f"game://{handle}/map"]) as heard:
            await there.client.call_tool("act", {"handle": handle, "text": "west"})
            with anyio.fail_after(20):
                await anext(aiter(heard))
        (content,) = (await here.client.read_resource(f"game://{handle}/map")).contents
        assert "Cloakroom" in json.dumps(content.model_dump(mode="json"))


async def test_a_task_is_known_to_every_worker_and_any_of_them_goes_on_with_it(apps: Callable[[], Any]) -> None:
    one, two = await apps(), await apps()
    async with chat(one) as here, chat(two) as there:
        task = await here.begin("slow", seconds=0.3)
        assert (task["resultType"], task["status"]) == ("task", "working")
        done = await there.until(task["taskId"], "completed")
        assert done["result"]["content"][0]["text"] == "Done."

        task = (await here.begin("asks"))["taskId"]
        asked = await there.until(task, "input_required")
        assert asked["inputRequests"]["sure"]["method"] == "elicitation/create"
        await there.ask("tasks/update", taskId=task, inputResponses={"sure": {"action": "accept", "content": {}}})
        done = await here.until(task, "completed")
        assert done["result"]["content"][0]["text"] == "The user was asked."

        task = (await here.begin("breaks"))["taskId"]
        failed = await there.until(task, "failed")
        assert failed["error"] == {"code": -32603, "message": "It broke"}
        assert "result" not in failed


async def test_a_task_that_another_worker_cancels_stays_cancelled(
    apps: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks_module, "BEAT", 0.1)
    one, two = await apps(), await apps()
    async with chat(one) as here, chat(two) as there:
        task = (await here.begin("slow", seconds=0.4))["taskId"]
        assert await there.ask("tasks/cancel", taskId=task) == await there.ask("tasks/cancel", taskId=task)
        with anyio.fail_after(20):
            while _running():
                await anyio.sleep(0.02)
        assert (await here.ask("tasks/get", taskId=task))["status"] == "cancelled"


async def test_a_task_of_a_worker_that_is_gone_is_told_as_failed(
    apps: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks_module, "BEAT", 0.1)
    one, two = await apps(), await apps()
    async with chat(two) as there, chat(one) as here:
        task = (await here.begin("slow", seconds=600))["taskId"]
        for running in _running():
            running.cancel()
        failed = await there.until(task, "failed")
    assert "Look whether it was done" in failed["error"]["message"]


def _running() -> list[asyncio.Task[Any]]:
    """What workers of this process do for tasks."""
    return [task for task in asyncio.all_tasks() if "_until_done" in repr(task.get_coro())]


async def test_a_task_is_its_principals_and_unknown_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = build(Settings(tmp_path / "home"), store=MemoryStore())
    async with chat(app) as own:
        task = (await own.begin("slow", seconds=0.2))["taskId"]
        monkeypatch.setattr(who, "LOCAL", Principal.of("eve", "player"))
        for method, more in (("tasks/get", {}), ("tasks/cancel", {}), ("tasks/update", {"inputResponses": {}})):
            with pytest.raises(MCPError) as foreign:
                await own.ask(method, taskId=task, **more)
            with pytest.raises(MCPError) as none:
                await own.ask(method, taskId="0" * 32, **more)
            assert foreign.value.error.code == none.value.error.code == -32602
            assert foreign.value.error.message == none.value.error.message
        monkeypatch.undo()
        await own.until(task, "completed")


async def test_a_principal_has_only_so_many_tasks_and_further_calls_are_answered_when_done(tmp_path: Path) -> None:
    app = build(Settings(tmp_path / "home"), store=MemoryStore())
    async with chat(app) as own:
        kinds = [(await own.begin("slow", seconds=0.5)).get("resultType") for _ in range(tasks_module.MOST_EACH)]
        assert kinds == ["task"] * tasks_module.MOST_EACH
        assert (await own.begin("slow", seconds=0.1))["content"][0]["text"] == "Done."
        assert (await own.begin("slow", seconds=0))["content"][0]["text"] == "Done."
