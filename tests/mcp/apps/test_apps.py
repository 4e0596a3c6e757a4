"""The MCP Apps, run in a DOM as a chat client would, with what the tools really give; hostile text in it stays text."""

import json
import re
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import TextResourceContents

from mcp_server.apps import BOARD, PAGE
from mcp_server.catalog import Catalog
from mcp_server.server import server
from rulebound.app import build
from rulebound.settings import Settings
from storage import MemoryStore

pytestmark = pytest.mark.anyio
HERE = Path(__file__).parent
EVIL = "<img src=x onerror=\"window.pwned='img'\"><script>window.pwned='script'</script>"
Show = Callable[..., dict[str, Any]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def show(npm: Callable[[Path], Any]) -> Show:
    """Shows a document with a tool's input and result; what became of it."""
    installed = npm(HERE / "package.json")

    def run(document: str, **given: Any) -> dict[str, Any]:
        ran = subprocess.run(
            [installed.node, str(HERE / "host.mjs"), str(installed.folder)],
            input=json.dumps({"document": document, "answers": {}, **given}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        shown = json.loads(ran.stdout)
        assert shown["errors"] == []
        return shown

    return run


@asynccontextmanager
async def client(tmp_path: Path, *worlds: str) -> AsyncGenerator[Client]:
    app = build(Settings(tmp_path / "home"), store=MemoryStore())
    async with Client(server(app, Catalog(app, worlds))) as connected:
        yield connected


async def read(client: Client, uri: str) -> str:
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    return content.text


async def called(client: Client, tool: str, **given: Any) -> dict[str, Any]:
    return (await client.call_tool(tool, given)).model_dump(mode="json", by_alias=True, exclude_none=True)


async def a_game(client: Client, world: str, *commands: str) -> tuple[str, dict[str, Any]]:
    """A game's handle, and what a board is given of it."""
    handle = (await called(client, "start", world=world))["structuredContent"]["handle"]
    for command in commands:
        await called(client, "act", handle=handle, text=command)
    given = {
        "document": await read(client, BOARD),
        "input": {"handle": handle},
        "result": await called(client, "observe", handle=handle),
        "answers": {
            f"resources/read game://{handle}/map": {"contents": [{"text": await read(client, f"game://{handle}/map")}]}
        },
    }
    return handle, given


async def test_the_apps_are_found_by_the_tools_they_show_and_need_nothing_from_elsewhere(tmp_path: Path) -> None:
    async with client(tmp_path) as connected:
        tools = {tool.name: tool.meta for tool in (await connected.list_tools()).tools if tool.meta}
        assert tools == {"observe": {"ui": {"resourceUri": BOARD}}, "kb_read": {"ui": {"resourceUri": PAGE}}}
        listed = {each.uri: each.mime_type for each in (await connected.list_resources()).resources}
        for uri in (BOARD, PAGE):
            assert listed[uri] == "text/html;profile=mcp-app"
            html = await read(connected, uri)
            assert re.findall(r"https?://[^\"' ]+", html.replace("http://www.w3.org/2000/svg", "")) == []
            assert "default-src 'none'" in html
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|\bsrc=", html
            )


async def test_the_board_shows_room_things_inventory_and_a_map_of_where_the_player_has_been(
    show: Show, tmp_path: Path
) -> None:
    async with client(tmp_path) as connected:
        _, given = await a_game(connected, "cloak", "west")
    shown = show(**given)
    for text in ("Cloakroom", "Cloak of Darkness · score 0 of 2 · turn 1", "brass hook", "velvet cloak", "go east"):
        assert text.casefold() in shown["text"].casefold(), text
    assert shown["labels"] == [
        "Map of 2 places; you are in Cloakroom. Foyer of the Opera House, Cloakroom.",
    ]
    assert (shown["tags"]["rect"], shown["theme"]) == (2, "dark")


async def test_a_command_of_the_board_is_a_turn_of_the_game_and_the_model_is_told(show: Show, tmp_path: Path) -> None:
    async with client(tmp_path) as connected:
        handle, given = await a_game(connected, "cloak", "west")
        given["answers"] |= {
            "tools/call act": await called(connected, "act", handle=handle, text="go east"),
            "tools/call observe": await called(connected, "observe", handle=handle),
            "ui/update-model-context": {},
        }
    shown = show(**given, click=["go east"])
    calls = [params for method, params in shown["asked"] if method == "tools/call"]
    assert calls == [
        {"name": "act", "arguments": {"handle": handle, "text": "go east"}},
        {"name": "observe", "arguments": {"handle": handle}},
    ]
    assert "Foyer of the Opera House" in shown["text"]
    (context,) = [params for method, params in shown["asked"] if method == "ui/update-model-context"]
    assert "go east" in context["content"][0]["text"]


async def test_markup_in_names_and_pages_is_inert(show: Show, tmp_path: Path) -> None:
    folder = tmp_path / "evil"
    folder.mkdir()
    (folder / "w.md").write_text(f"---\nexperience: w\nuses: [adventure]\nstart: r\n---\n# {EVIL}\nA world.\n")
    table = f"| a | b |\n|---|---|\n| {EVIL} | `{EVIL}` |\n"
    (folder / "r.md").write_text(f"---\nplace: r\n---\n# {EVIL}\n{EVIL}\n\n- {EVIL}\n\n{table}\n```\n{EVIL}\n```\n")
    (folder / "c.md").write_text(f"---\nitem: c\nin: r\n---\n# Coin {EVIL}\nShiny.\n")
    async with client(tmp_path, str(folder)) as connected:
        _, board = await a_game(connected, "evil", "look")
        page = {
            "document": await read(connected, PAGE),
            "input": {"page": "r.md"},
            "result": await called(connected, "kb_read", page="r.md", kb="evil"),
        }
    for given in (board, page):
        shown = show(**given)
        assert EVIL in shown["text"]
        assert shown["pwned"][0] is None
        assert not {"img", "script", "iframe", "a"} & shown["tags"].keys()


async def test_a_page_is_shown_as_it_reads_and_goes_on_where_it_is_long(show: Show, tmp_path: Path) -> None:
    async with client(tmp_path) as connected:
        given: dict[str, Any] = {
            "document": await read(connected, PAGE),
            "input": {"page": "cloak.md"},
            "result": await called(connected, "kb_read", page="cloak.md", kb="cloak"),
        }
    first = given["result"]["structuredContent"]
    given["result"]["structuredContent"] = {**first, "next": "there"}
    rest = {**first, "text": "The end.", "next": ""}
    given["answers"] = {"tools/call kb_read": {"content": [], "structuredContent": rest}}
    shown = show(**given, click=["Read on"])
    assert (shown["tags"]["h1"], shown["tags"]["table"], shown["tags"]["th"]) == (1, 1, 3)
    assert shown["text"].strip().startswith("cloak.md")
    assert "go north" in shown["text"]
    assert "The end." in shown["text"]
    (call,) = [params for method, params in shown["asked"] if method == "tools/call"]
    assert call == {"name": "kb_read", "arguments": {"page": "cloak.md", "after": "there"}}
