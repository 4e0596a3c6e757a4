"""Real clients against the real server, with a scripted model in place of a provider: offline, from a clean home folder.

Each lists the tools, finds a page, plays twenty turns of `cloak` and leaves; a second run of it goes on with the game and
wins. What counts is the state at the server, not what a client shows.
"""

import asyncio
import importlib.metadata
import json
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from evals.scripted import Answer, Call, Request, Scripted, serving
from evals.scripted.script import Case, Script
from mcp_server.answers import ORIGIN
from mcp_server.install import CLIENTS, Machine, install

TURNS = [
    *("north", "x cloak", "inventory", "look", "drop cloak", "west", "x hook", "x cloak", "hang cloak on hook", "look"),
    *("inventory", "x hook", "east", "look", "west", "x cloak", "east", "inventory", "south", "look"),
]
LAST = ["look", "read message"]
PLAYED, WON = (20, 1, False), (22, 2, True)
FIND = ("kb_search", {"query": "velvet cloak", "kb": "cloak"})
START = ("start", {"world": "cloak", "seed": 7})

pytestmark = pytest.mark.requirement("0.30")


def script(when: str, calls: Sequence[tuple[str, dict[str, Any]]]) -> Script:
    """A model that makes these calls one after the other once the user has said `when`."""
    steps = [Answer(calls=(Call(tool, arguments),)) for tool, arguments in calls]
    return Script((Case(when, (*steps, Answer("Enough for today."))),))


def acts(handle: str, said: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    return [("act", {"handle": handle, "text": text}) for text in said]


def later(handle: str) -> list[tuple[str, dict[str, Any]]]:
    """What a model does that has only been told to go on: the games are listed with their handles."""
    return [("experiences", {}), ("observe", {"handle": handle}), *acts(handle, LAST)]


def searched(calls: Sequence[tuple[str, dict[str, Any]]], by: str = "ToolSearch") -> list[tuple[str, dict[str, Any]]]:
    """The same calls as Claude Code wants them by default: a model has to look for tools before it may call them."""
    names = sorted({f"mcp__rulebound__{tool}" for tool, _ in calls})
    return [(by, {"query": f"select:{','.join(names)}"}), *calls]


def through(calls: Sequence[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """The same calls as Qwen Code wants them by default: looked for as well, and then called through another tool."""
    names = [f"mcp__rulebound__{tool}" for tool, _ in calls]
    filled = [json.loads(json.dumps(arguments).replace("{start.", "{tool_call.")) for _, arguments in calls]
    made = zip(names, filled, strict=True)
    return [
        *searched(calls, "tool_search")[:1],
        *(("tool_call", {"name": name, "arguments": given}) for name, given in made),
    ]


@dataclass(frozen=True)
class Chat:
    """How a chat client is run once with a prompt, and told where its model is."""

    package: str
    script: str
    speaks: str
    arguments: tuple[str, ...]
    environment: Callable[[str], dict[str, str]]
    settings: Callable[[str], str]
    calls: Callable[[Sequence[tuple[str, dict[str, Any]]]], list[tuple[str, dict[str, Any]]]] = list


def opencode_settings(url: str) -> str:
    options = {"baseURL": f"{url}/v1", "apiKey": "none"}
    provider = {"npm": "@ai-sdk/openai-compatible", "options": options, "models": {"scripted": {"name": "Scripted"}}}
    chosen = {
        "model": "scripted/scripted",
        "small_model": "scripted/scripted",
        "share": "disabled",
        "autoupdate": False,
    }
    return json.dumps({**chosen, "provider": {"scripted": provider}})


def codex_settings(url: str) -> str:
    return f"""\
model = "scripted"
model_provider = "scripted"
check_for_update_on_startup = false

[model_providers.scripted]
name = "Scripted"
base_url = "{url}/v1"
wire_api = "responses"

[analytics]
enabled = false

# One prompt in batch does not wait for servers that are slow to start, as all are on a busy machine.
[mcp_servers.rulebound]
required = true
"""


def quiet_settings(kind: str) -> str:
    """Settings of Gemini CLI, and of Qwen Code, which began as a copy of it."""
    off = {"privacy": {"usageStatisticsEnabled": False}, "telemetry": {"enabled": False}}
    return json.dumps({"security": {"auth": {"selectedType": kind}}, "general": {"disableAutoUpdate": True}, **off})


CHATS = {
    "claude-code": Chat(
        "@anthropic-ai/claude-code",
        "cli-wrapper.cjs",
        "Anthropic messages",
        ("--allowedTools", "mcp__rulebound", "--model", "claude-sonnet-4-5", "-p"),
        lambda url: {
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_API_KEY": "none",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
        },
        lambda url: "{}",
        searched,
    ),
    "codex": Chat(
        "@openai/codex",
        "bin/codex.js",
        "OpenAI responses",
        ("exec", "--skip-git-repo-check"),
        lambda url: {},
        codex_settings,
    ),
    "opencode": Chat(
        "opencode-ai",
        # The package's own script would put this program in its place; scripts of packages are not run here.
        f"../opencode-{sys.platform}-{'x64-baseline' if platform.machine() == 'x86_64' else 'arm64'}/bin/opencode",
        "OpenAI chat completions",
        ("run",),
        lambda url: {"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_LSP_DOWNLOAD": "1"},
        opencode_settings,
    ),
    "gemini": Chat(
        "@google/gemini-cli",
        "bundle/gemini.js",
        "Gemini generateContent",
        ("--yolo", "--skip-trust", "-p"),
        lambda url: {"GEMINI_API_KEY": "none", "GOOGLE_GEMINI_BASE_URL": url, "GEMINI_MODEL": "gemini-2.5-flash"},
        lambda url: quiet_settings("gemini-api-key"),
    ),
    "qwen": Chat(
        "@qwen-code/qwen-code",
        "cli.js",
        "OpenAI chat completions",
        ("--yolo", "-p"),
        lambda url: {
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": f"{url}/v1",
            "OPENAI_MODEL": "scripted",
            "QWEN_CODE_LEGACY_MCP_BLOCKING": "1",
        },
        lambda url: quiet_settings("openai"),
        through,
    ),
}


@pytest.mark.parametrize("name", CHATS)
def test_a_chat_client_plays_a_game_and_goes_on_with_it_later(
    name: str, npm: Any, server: Any, table: Any, tmp_path: Path
) -> None:
    chat, command = CHATS[name], server.command(name)
    (tmp_path / "work").mkdir()

    def talk(prompt: str, calls: Sequence[tuple[str, dict[str, Any]]]) -> Request:
        """One run of the client; gives the model's last request."""
        home = tmp_path / f"home-{len(list(tmp_path.iterdir()))}"
        wanted = chat.calls(calls)
        with serving(script(prompt, wanted)) as model:
            file = CLIENTS[name].file(Machine(home, "linux"))
            file.parent.mkdir(parents=True)
            file.write_text(chat.settings(model.url))
            install(name, Machine(home, "linux"), [str(command.script), "mcp"])
            environment = {"HOME": str(home), "LANG": "C.UTF-8", **chat.environment(model.url)}
            ran = npm.run(
                f"{chat.package}/{chat.script}", *chat.arguments, prompt, environment=environment, cwd=tmp_path / "work"
            )
            assert ran.returncode == 0, ran.stderr
            made = [each for each in model.requests if each.answer.calls]
            assert len(made) == len(wanted), f"{ran.stdout}\n{ran.stderr}\n{said(model)}"
            return made[-1]

    last = talk("Play cloak with me", [FIND, START, *acts("{start.handle}", TURNS)])
    handle = handle_of(last)
    assert server.game(handle) == PLAYED
    assert [each["params"]["name"] for each in command.asked("tools/call")] == ["kb_search", "start", *["act"] * 20]
    told = [text for text in results(last) if "Foyer of the Opera House" in text]
    assert told
    assert all("<world " in text or ORIGIN in text for text in told), "A world's words are not marked."
    last = talk("Go on with my game", later(handle))
    assert server.game(handle) == WON
    assert any(handle in text for text in results(last)), "The model could not know which game."
    assert command.tools == server.tools()
    table.add(CLIENTS[name].title, npm.version(chat.package), "stdio", command.protocol, chat.speaks)


def results(request: Request) -> list[str]:
    """What tools gave, as the client told its model."""
    return [each.text for message in request.conversation.messages for each in message.results]


def handle_of(request: Request) -> str:
    """The handle in the model's last call."""
    [call] = request.answer.calls
    return call.arguments.get("arguments", call.arguments)["handle"]


def said(model: Scripted) -> str:
    return "\n".join(
        f"{each.status} {each.conversation.tools} {each.conversation.messages[-1:]}" for each in model.requests
    )


FIRST = [FIND, START, *acts("$handle", TURNS)]


@pytest.mark.parametrize("transport", ["stdio", "HTTP"])
@pytest.mark.parametrize(
    "package", ["@modelcontextprotocol/sdk", "@modelcontextprotocol/client"], ids=lambda package: package.split("/")[1]
)
def test_the_typescript_client_plays_a_game_and_goes_on_with_it_later(
    package: str, transport: str, npm: Any, server: Any, table: Any, tmp_path: Path
) -> None:
    command = server.command(f"{package.split('/')[1]}-{transport}")
    target = {"url": f"{server.url}/mcp"} if transport == "HTTP" else {"command": str(command.script), "args": ["mcp"]}

    def run(calls: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
        ran = npm.run("../play.mjs", package, json.dumps(target), json.dumps(calls), environment={}, cwd=tmp_path)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    found = run(FIRST)
    handle = found["answers"][1]["handle"]
    assert server.game(handle) == PLAYED
    [listed, *_] = run(later(handle))["answers"]
    assert listed["games"][0]["handle"] == handle
    assert server.game(handle) == WON
    assert set(found["tools"]) == server.tools()
    table.add(f"TypeScript `{package}`", npm.version(package), transport, found["protocol"])


@pytest.mark.parametrize("transport", ["stdio", "HTTP"])
@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_python_client_plays_a_game_and_goes_on_with_it_later(
    mode: str, transport: str, server: Any, table: Any
) -> None:
    command = server.command(f"python-{mode}-{transport}")
    stdio = StdioServerParameters(command=str(command.script), args=["mcp"])

    async def run(calls: Sequence[tuple[str, dict[str, Any]]]) -> tuple[str, str]:
        """The handle and the protocol."""
        handle = ""
        async with Client(f"{server.url}/mcp" if transport == "HTTP" else stdio, mode=mode) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} == server.tools()
            for tool, arguments in calls:
                given = {key: handle if each == "$handle" else each for key, each in arguments.items()}
                result = await client.call_tool(tool, given)
                assert result.structured_content is not None, result.content
                handle = result.structured_content.get("handle", handle)
            return handle, client.protocol_version

    handle, protocol = asyncio.run(run(FIRST))
    assert server.game(handle) == PLAYED
    asyncio.run(run(later(handle)))
    assert server.game(handle) == WON
    table.add("Python `mcp`", importlib.metadata.version("mcp"), transport, protocol)


@pytest.mark.parametrize(("era", "transport"), [("legacy", "stdio"), ("modern", "HTTP")])
def test_the_inspector_finds_nothing_to_mend_and_plays_each_turn_in_a_process_of_its_own(
    era: str, transport: str, npm: Any, server: Any, table: Any, tmp_path: Path
) -> None:
    package = "@modelcontextprotocol/inspector"
    command = server.command(f"inspector-{era}-{transport}")
    stdio = {"type": "stdio", "command": str(command.script), "args": ["mcp"]}
    http = {"type": "streamable-http", "url": f"{server.url}/mcp"}
    entry = {**(http if transport == "HTTP" else stdio), "protocolEra": era}
    (tmp_path / "servers.json").write_text(json.dumps({"mcpServers": {"rulebound": entry}}))

    def run(*arguments: str) -> dict[str, Any]:
        options = ("--cli", "--config", "servers.json", "--server", "rulebound")
        script = f"{package}/clients/launcher/build/index.js"
        ran = npm.run(script, *options, *arguments, environment={"HOME": str(tmp_path)}, cwd=tmp_path)
        assert ran.returncode == 0, ran.stderr + ran.stdout
        return json.loads(ran.stdout)

    def call(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        pairs = [f"{key}={value}" for key, value in arguments.items()]
        given = ("--tool-arg", *pairs) if pairs else ()
        return run("--method", "tools/call", "--tool-name", tool, *given)["structuredContent"]

    tools = run("--method", "tools/list", "--strict")["tools"]
    assert {tool["name"] for tool in tools} == server.tools()
    assert call(*FIND)["results"]
    handle = call(*START)["handle"]
    for tool, arguments in acts(handle, TURNS):
        call(tool, arguments)
    assert server.game(handle) == PLAYED
    for tool, arguments in later(handle):
        call(tool, arguments)
    assert server.game(handle) == WON
    protocol = command.protocol if transport == "stdio" else {"legacy": "2025-11-25", "modern": "2026-07-28"}[era]
    table.add("MCP Inspector", npm.version(package), transport, protocol)


def test_the_documentation_tells_what_each_client_did(table: Any) -> None:
    if len(table.rows) < len(CHATS) + 10:
        pytest.skip("Not every client was run.")
    page = (Path(__file__).parents[2] / "docs/clients/README.md").read_text("utf-8")
    assert table.text() in page, f"This belongs into docs/clients/README.md:\n\n{table.text()}"
