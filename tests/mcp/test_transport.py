"""Streamable HTTP: JSON or a stream as the request needs it, the same results either way, sessions that are bounded and owned."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import uvicorn
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp_types import ElicitRequestParams, ElicitResult
from starlette.types import Receive, Scope, Send

from agents.access import Principal
from mcp_server.catalog import Catalog
from mcp_server.server import server
from mcp_server.tools import may_ask
from mcp_server.web.transport import Transport
from mcp_server.who import SCOPE_KEY
from rulebound.app import build
from rulebound.settings import Settings
from storage import MemoryStore

pytestmark = pytest.mark.anyio
OLD, NEW = "2025-11-25", "2026-07-28"
ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
META = {
    "io.modelcontextprotocol/protocolVersion": NEW,
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Http:
    """Messages to a server, as somebody."""

    def __init__(self, url: str, client: httpx2.AsyncClient, who: str = "ann"):
        self.url, self._client, self._who, self.session = url, client, who, ""

    def as_(self, who: str) -> "Http":
        """The same session, claimed by somebody else."""
        other = Http(self.url, self._client, who)
        other.session = self.session
        return other

    async def post(self, method: str, params: dict[str, Any], **headers: str) -> httpx2.Response:
        own = {"x-who": self._who, **({"mcp-session-id": self.session} if self.session else {})}
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._client.post(self.url, json=message, headers={**ACCEPT, **own, **named})

    async def begin(self) -> httpx2.Response:
        """Opens a session of the 2025 era."""
        about = {"protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        answer = await self.post("initialize", about)
        self.session = answer.headers.get("mcp-session-id", "")
        return answer

    async def old(self, method: str, params: dict[str, Any]) -> httpx2.Response:
        return await self.post(method, params, mcp_protocol_version=OLD)

    async def new(self, method: str, params: dict[str, Any], **headers: str) -> httpx2.Response:
        routed = {"mcp_protocol_version": NEW, "mcp_method": method, "mcp_name": str(params.get("name", ""))}
        return await self.post(
            method, {**params, "_meta": {**META, **params.get("_meta", {})}}, **{**routed, **headers}
        )


def result(answer: httpx2.Response) -> dict[str, Any]:
    """The result in an answer of either form."""
    assert answer.status_code == 200, answer.text
    text = answer.text
    if answer.headers["content-type"].startswith("text/event-stream"):
        text = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")][-1]
    return json.loads(text)["result"]


Serve = Callable[..., Any]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    @asynccontextmanager
    async def serving(**options: Any) -> AsyncGenerator[Http]:
        services = build(Settings(tmp_path / "home"), store=MemoryStore())
        mcp = server(services, Catalog(services))
        transport = Transport(mcp, asks=may_ask, **options)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            name = dict(scope["headers"]).get(b"x-who", b"ann").decode()
            user = AuthenticatedUser(AccessToken(token="", client_id="test", scopes=[], subject=name))
            await transport({**scope, SCOPE_KEY: Principal.of(name, "player"), "user": user}, receive, send)

        with socket.create_server(("127.0.0.1", 0)) as listening:
            http = uvicorn.Server(uvicorn.Config(app, http="httptools", lifespan="off", log_config=None))
            async with transport.run(), asyncio.TaskGroup() as tasks:
                tasks.create_task(http.serve([listening]))
                while not http.started:
                    await anyio.sleep(0.01)
                async with httpx2.AsyncClient(timeout=30) as client:
                    yield Http(f"http://127.0.0.1:{listening.getsockname()[1]}/mcp", client)
                http.should_exit = True

    return serving


@pytest.mark.requirement("0.27")
async def test_a_call_gives_the_same_as_json_and_as_a_stream_in_both_eras(serve: Serve) -> None:
    call = {"name": "start", "arguments": {"world": "cloak", "seed": 1}}
    async with serve() as http:
        await http.begin()
        plain = await http.old("tools/call", call)
        streamed = await http.old("tools/call", {**call, "_meta": {"progressToken": 1}})
        modern = await http.new("tools/call", call)
    forms = [answer.headers["content-type"].split(";")[0] for answer in (plain, streamed, modern)]
    assert forms == ["application/json", "text/event-stream", "application/json"]
    texts = [result(each)["structuredContent"]["text"] for each in (plain, streamed, modern)]
    assert texts[0] == texts[1] == texts[2]


async def test_white_space_around_a_header_is_no_part_of_it(serve: Serve) -> None:
    async with serve() as http:
        port = int(http.url.split(":")[2].split("/")[0])
        for said, status in (("  tools/list \t", b"200"), ("tools/call", b"400")):
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}})
            headers = {**ACCEPT, "mcp-protocol-version": NEW, "mcp-method": said, "host": "x", "connection": "close"}
            lines = [f"{name}: {value}" for name, value in {**headers, "content-length": len(body)}.items()]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write("\r\n".join(["POST /mcp HTTP/1.1", *lines, "", body]).encode())
            assert (await reader.readline()).split()[1] == status, said
            writer.close()


async def test_a_session_is_only_for_whom_it_belongs_to_and_ends_when_it_is_told_to(serve: Serve) -> None:
    async with serve() as http:
        assert (await http.begin()).status_code == 200
        assert (await http.old("tools/list", {})).status_code == 200
        assert (await http.as_("eve").old("tools/list", {})).status_code == 404
        assert (await http.old("tools/list", {})).status_code == 200
        async with httpx2.AsyncClient() as client:
            ended = await client.delete(http.url, headers={"mcp-session-id": http.session, "x-who": "ann"})
        assert ended.status_code == 200
        assert (await http.old("tools/list", {})).status_code == 404


async def test_sessions_are_bounded_and_end_when_nobody_uses_them(serve: Serve) -> None:
    async with serve(max_sessions=1, idle=0.2) as http:
        await http.begin()
        refused = await http.as_("ben").post("initialize", {}, mcp_session_id="")
        other = Http(http.url, http._client, "ben")  # pyright: ignore[reportPrivateUsage]
        assert (await other.begin()).status_code == 503
        assert refused.status_code in (404, 503)
        with anyio.fail_after(10):
            while (await other.begin()).status_code == 503:
                await anyio.sleep(0.05)
        assert (await http.old("tools/list", {})).status_code == 404


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_the_user_is_asked_over_http_before_a_game_begins_anew(serve: Serve, era: str) -> None:
    asked = list[str]()

    async def ask(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"yes": True})

    async with serve() as http, Client(http.url, mode=era, elicitation_callback=ask) as client:
        started = await client.call_tool("start", {"world": "cloak"})
        assert started.structured_content is not None
        reset = await client.call_tool("act", {"handle": started.structured_content["handle"], "action": "reset"})
    assert reset.structured_content is not None, reset.content
    assert reset.structured_content["text"].startswith("Begun anew")
    assert len(asked) == 1


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
async def test_updates_come_over_http_in_both_eras(serve: Serve) -> None:
    told = list[str]()

    async def hear(message: Any) -> None:
        if uri := getattr(getattr(message, "params", None), "uri", None):
            told.append(str(uri))

    async with serve() as http, Client(http.url, mode="legacy", message_handler=hear) as old, Client(http.url) as new:
        started = await old.call_tool("start", {"world": "cloak"})
        assert started.structured_content is not None
        handle = started.structured_content["handle"]
        uri = f"game://{handle}/map"
        await old.subscribe_resource(uri)  # pyright: ignore[reportDeprecated]
        async with new.listen(resource_subscriptions=[uri]) as heard:
            await new.call_tool("act", {"handle": handle, "text": "west"})
            with anyio.fail_after(10):
                await anext(aiter(heard))
                while uri not in told:
                    await anyio.sleep(0.01)


async def test_what_is_no_message_is_refused_and_breaks_nothing(serve: Serve) -> None:
    async with serve() as http, httpx2.AsyncClient() as client:
        for body in (b"", b"no json", b"[]", b'"text"', b"null", b'{"jsonrpc": "2.0"}', b'{"method": {}, "params": 3}'):
            for era in (OLD, NEW):
                headers = {**ACCEPT, "x-who": "ann", "mcp-protocol-version": era}
                assert 400 <= (await client.post(http.url, content=body, headers=headers)).status_code < 500, body
        assert (await client.post(http.url, content=b"x" * 2_000_000, headers=ACCEPT)).status_code == 413
        assert (await http.begin()).status_code == 200
