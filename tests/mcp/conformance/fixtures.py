"""Owns what the official conformance suite calls by name: tools, resources and prompts that exist only in this test.

`add(mcp)` puts them on our own server. They are the least that satisfies the suite's descriptions, and know nothing of games.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from enum import StrEnum
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import AssistantMessage, Message, UserMessage
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    ClientCapabilities,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    InputRequests,
    InputRequiredResult,
    ListRootsRequest,
    SamplingCapability,
    SamplingMessage,
    SetLevelRequestParams,
    TextContent,
    TextResourceContents,
)

from mcp_server.tasks import Support


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


PNG = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    + _chunk(b"IDAT", zlib.compress(b"\x00\xff\x00\x00"))
    + _chunk(b"IEND", b"")
)
"""One red pixel."""
WAV = b"".join(
    [
        b"RIFF",
        struct.pack("<I", 36),
        b"WAVEfmt ",
        struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8),
        b"data",
        struct.pack("<I", 0),
    ]
)
"""No sound at all."""
IMAGE = ImageContent(type="image", data=base64.b64encode(PNG).decode(), mime_type="image/png")


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)


def _resource(uri: str, text: str, mime_type: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, text=text, mime_type=mime_type))


def _asked(message: str, **properties: Any) -> ElicitRequest:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _sampled(text: str, tokens: int = 100) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=_text(text))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=tokens))


STRING = {"type": "string"}
BOOLEAN = {"type": "boolean"}


def add(mcp: MCPServer[Any]) -> None:
    """Adds every fixture to a server."""
    _contents(mcp)
    _talking(mcp)
    _several_rounds(mcp)
    _changing(mcp)
    _resources(mcp)
    _prompts(mcp)
    _tasks(mcp)


def _contents(mcp: MCPServer[Any]) -> None:
    @mcp.tool(structured_output=False)
    def test_simple_text() -> str:
        """Gives simple text."""
        return "This is a simple text response for testing."

    @mcp.tool(structured_output=False)
    def test_image_content() -> ImageContent:
        """Gives an image."""
        return IMAGE

    @mcp.tool(structured_output=False)
    def test_audio_content() -> AudioContent:
        """Gives a sound."""
        return AudioContent(type="audio", data=base64.b64encode(WAV).decode(), mime_type="audio/wav")

    @mcp.tool(structured_output=False)
    def test_embedded_resource() -> EmbeddedResource:
        """Gives a resource."""
        return _resource("test://embedded-resource", "This is an embedded resource content.")

    @mcp.tool(structured_output=False)
    def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
        """Gives a text, an image and a resource."""
        mixed = _resource("test://mixed-content-resource", '{"test":"data","value":123}', "application/json")
        return [_text("Multiple content types test:"), IMAGE, mixed]

    @mcp.tool(structured_output=False)
    def test_error_handling() -> str:
        """Always fails."""
        raise ToolError("This tool intentionally returns an error for testing")


class Untitled(StrEnum):
    OPTION1 = "option1"
    OPTION2 = "option2"
    OPTION3 = "option3"


def _talking(mcp: MCPServer[Any]) -> None:
    """What talks to the client while it runs: logging, progress, sampling and elicitation of the 2025 era."""

    @mcp.tool(structured_output=False)
    async def test_tool_with_logging(ctx: Context) -> str:
        """Logs three times."""
        for said in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.info(said)  # pyright: ignore[reportDeprecated]
            await anyio.sleep(0.05)
        return "Logged three times."

    @mcp.tool(structured_output=False)
    async def test_logging_tool(ctx: Context) -> str:
        """Logs once."""
        await ctx.info("Logged")  # pyright: ignore[reportDeprecated]
        return "Logged."

    @mcp.tool(structured_output=False)
    async def test_tool_with_progress(ctx: Context) -> str:
        """Reports progress."""
        for progress in (0, 50, 100):
            await ctx.report_progress(progress, 100)
            await anyio.sleep(0.05)
        return "Done."

    @mcp.tool(structured_output=False)
    async def test_sampling(ctx: Context, prompt: str) -> str:
        """Asks the client's model."""
        message = SamplingMessage(role="user", content=_text(prompt))
        made = await ctx.session.create_message(  # pyright: ignore[reportDeprecated]
            [message], max_tokens=100, related_request_id=ctx.request_id
        )
        return f"LLM response: {made.content.text if isinstance(made.content, TextContent) else made.content}"

    async def elicited(ctx: Context, message: str, properties: dict[str, Any], required: list[str]) -> str:
        schema = {"type": "object", "properties": properties, "required": required}
        answer = await ctx.session.elicit_form(message, schema, related_request_id=ctx.request_id)
        return f"action={answer.action}, content={json.dumps(answer.content)}"

    @mcp.tool(structured_output=False)
    async def test_elicitation(ctx: Context, message: str) -> str:
        """Asks the user."""
        asked = {
            "username": {**STRING, "description": "User's response"},
            "email": {**STRING, "description": "User's email address"},
        }
        return f"User response: {await elicited(ctx, message, asked, list(asked))}"

    @mcp.tool(structured_output=False)
    async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
        """Asks with defaults."""
        asked = {
            "name": {**STRING, "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {**STRING, "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {**BOOLEAN, "default": True},
        }
        return f"Elicitation completed: {await elicited(ctx, 'Fill in the form', asked, [])}"

    @mcp.tool(structured_output=False)
    async def test_elicitation_sep1330_enums(ctx: Context) -> str:
        """Asks for choices of every kind."""
        names = [each.value for each in Untitled]

        def titled(word: str) -> list[dict[str, str]]:
            return [
                {"const": f"value{n}", "title": f"{nth} {word}"}
                for n, nth in enumerate(["First", "Second", "Third"], 1)
            ]

        asked = {
            "untitledSingle": {**STRING, "enum": names},
            "titledSingle": {**STRING, "oneOf": titled("Option")},
            "legacyEnum": {
                **STRING,
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": {"type": "array", "items": {**STRING, "enum": names}},
            "titledMulti": {"type": "array", "items": {"anyOf": titled("Choice")}},
        }
        return f"Elicitation completed: {await elicited(ctx, 'Choose', asked, [])}"

    async def set_level(_ctx: Any, _params: SetLevelRequestParams) -> EmptyResult:
        return EmptyResult()

    # Our server logs nothing to clients and so does not serve this method of the 2025 era; the suite's logging tool does.
    mcp._lowlevel_server.add_request_handler("logging/setLevel", SetLevelRequestParams, set_level)  # pyright: ignore[reportPrivateUsage]


def _several_rounds(mcp: MCPServer[Any]) -> None:
    """Tools of the 2026 era that ask by answering `input_required`; `Answers` is what the client has sent so far."""

    def content(ctx: Context, key: str, wanted: str) -> Any:
        """A value that the user gave under a request's key, or None."""
        given = (ctx.input_responses or {}).get(key)
        found = given if isinstance(given, dict) else given.model_dump(by_alias=True) if given is not None else {}
        return (found.get("content") or {}).get(wanted) if found.get("action") == "accept" else None

    def answered(ctx: Context, *keys: str) -> bool:
        return all(key in (ctx.input_responses or {}) for key in keys)

    def tool(name: str, ask: InputRequests, key: str, wanted: str, say: str, state: str | None = None) -> None:
        """A tool of two rounds that repeats its question until there is an answer."""

        async def asking(ctx: Context) -> str | InputRequiredResult:
            value = content(ctx, key, wanted)
            if value is None or (state is not None and ctx.request_state != state):
                return InputRequiredResult(input_requests=ask, request_state=state)
            return say.format(value)

        mcp.add_tool(asking, name=name, description="Asks the user, then goes on.", structured_output=False)

    name = _asked("What is your name?", name=STRING)
    sure = _asked("Please confirm", ok=BOOLEAN)
    tool("test_input_required_result_elicitation", {"user_name": name}, "user_name", "name", "Hello, {}!")
    tool("test_streaming_elicitation", {"user_name": name}, "user_name", "name", "Hello, {}!")
    tool("test_input_required_result_request_state", {"confirm": sure}, "confirm", "ok", "state-ok {}", "asked once")
    tool("test_input_required_result_tampered_state", {"confirm": sure}, "confirm", "ok", "accepted {}", "sealed")

    def raw(name: str, ask: InputRequests, state: str | None = None) -> None:
        """A tool that tells what it was answered."""

        async def asking(ctx: Context) -> str | InputRequiredResult:
            if not answered(ctx, *ask):
                return InputRequiredResult(input_requests=ask, request_state=state)
            given = {key: str(value) for key, value in (ctx.input_responses or {}).items()}
            return f"Answered: {json.dumps(given)}"

        mcp.add_tool(asking, name=name, description="Asks the client, then goes on.", structured_output=False)

    capital = _sampled("What is the capital of France?")
    raw("test_input_required_result_sampling", {"capital_question": capital})
    raw("test_input_required_result_list_roots", {"client_roots": ListRootsRequest()})
    several: InputRequests = {
        "user_name": name,
        "greeting": _sampled("Generate a greeting", 50),
        "client_roots": ListRootsRequest(),
    }
    raw("test_input_required_result_multiple_inputs", several, "several")

    @mcp.tool(structured_output=False)
    async def test_input_required_result_multi_round(ctx: Context) -> str | InputRequiredResult:
        """Asks twice."""
        if ctx.request_state is None or not answered(ctx, "step1" if ctx.request_state == "1" else "step2"):
            return InputRequiredResult(
                input_requests={"step1": _asked("Step 1: What is your name?", name=STRING)}, request_state="1"
            )
        if ctx.request_state == "1":
            second = _asked("Step 2: What is your favorite color?", color=STRING)
            return InputRequiredResult(input_requests={"step2": second}, request_state="2")
        return f"{content(ctx, 'step2', 'color')} it is."

    @mcp.tool(structured_output=False)
    async def test_input_required_result_capabilities(ctx: Context) -> str | InputRequiredResult:
        """Asks only in the ways that the client has."""
        can = ctx.client_capabilities or ClientCapabilities()
        ask: InputRequests = {}
        if can.elicitation is not None:
            ask["user_name"] = name
        if can.sampling is not None:
            ask["capital_question"] = capital
        return InputRequiredResult(input_requests=ask) if ask and not answered(ctx, *ask) else "Asked."

    @mcp.tool(structured_output=False)
    async def test_missing_capability(ctx: Context) -> str:
        """Needs a client that can sample."""
        if ctx.client_capabilities is None or ctx.client_capabilities.sampling is None:
            needed = ClientCapabilities(sampling=SamplingCapability()).model_dump(by_alias=True, exclude_none=True)
            raise MCPError(
                MISSING_REQUIRED_CLIENT_CAPABILITY, "This needs sampling", data={"requiredCapabilities": needed}
            )
        return "The client can sample."


def _changing(mcp: MCPServer[Any]) -> None:
    @mcp.tool(structured_output=False)
    async def test_trigger_tool_change(ctx: Context) -> str:
        """Says that the tools have changed."""
        await ctx.notify_tools_changed()
        return "Said."

    @mcp.tool(structured_output=False)
    async def test_trigger_prompt_change(ctx: Context) -> str:
        """Says that the prompts have changed."""
        await ctx.notify_prompts_changed()
        return "Said."


def _resources(mcp: MCPServer[Any]) -> None:
    @mcp.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        """A text."""
        return "This is the content of the static text resource."

    @mcp.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        """An image."""
        return PNG

    @mcp.resource("test://watched-resource", mime_type="text/plain")
    def watched() -> str:
        """A text to watch."""
        return "Watch me."

    @mcp.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:
        """A text by its number."""
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


def _prompts(mcp: MCPServer[Any]) -> None:
    @mcp.prompt()
    def test_simple_prompt() -> str:
        """Simple."""
        return "This is a simple prompt for testing."

    @mcp.prompt()
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        """With arguments."""
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @mcp.prompt()
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[Message]:
        """With a resource."""
        return [
            UserMessage(_resource(resourceUri, "Embedded resource content for testing.")),
            UserMessage("Please process the embedded resource above."),
        ]

    @mcp.prompt()
    def test_prompt_with_image() -> list[Message]:
        """With an image."""
        return [UserMessage(IMAGE), UserMessage("Please analyze the image above.")]

    @mcp.prompt()
    async def test_input_required_result_prompt(ctx: Context) -> list[Message] | InputRequiredResult:
        """Asks the user first."""
        if "user_context" not in (ctx.input_responses or {}):
            ask = _asked("What context should the prompt use?", context=STRING)
            return InputRequiredResult(input_requests={"user_context": ask})
        return [UserMessage("Use the given context."), AssistantMessage("I will.")]


TASKS: dict[str, Support] = {
    "slow_compute": "optional",
    "failing_job": "required",
    "protocol_error_job": "optional",
    "confirm_delete": "optional",
    "multi_input": "optional",
    "test_tool_with_task": "required",
}
"""What takes longer than the patience of the test's server becomes a task."""
LONG = 0.3


def _tasks(mcp: MCPServer[Any]) -> None:
    @mcp.tool(structured_output=False)
    def greet(name: str) -> str:
        """Greets at once."""
        return f"Hello, {name}!"

    @mcp.tool(structured_output=False)
    async def slow_compute(seconds: float, label: str = "") -> str:
        """Takes so long."""
        await anyio.sleep(seconds)
        return f"Computed {label}"

    @mcp.tool(structured_output=False)
    async def failing_job() -> str:
        """Fails after a while."""
        await anyio.sleep(1)
        raise ToolError("The job failed")

    @mcp.tool(structured_output=False)
    async def protocol_error_job() -> str:
        """Ends in an error of the protocol."""
        await anyio.sleep(LONG)
        raise MCPError(INTERNAL_ERROR, "The job broke")

    async def asking(ctx: Context, ask: InputRequests) -> str | InputRequiredResult:
        """Asks after a while, when the call is a task already."""
        if all(key in (ctx.input_responses or {}) for key in ask):
            return "Done."
        await anyio.sleep(LONG)
        return InputRequiredResult(input_requests=ask)

    @mcp.tool(structured_output=False)
    async def confirm_delete(ctx: Context, filename: str) -> str | InputRequiredResult:
        """Asks whether to delete."""
        return await asking(ctx, {"sure": _asked(f"Delete {filename}?", confirm=BOOLEAN)})

    @mcp.tool(structured_output=False)
    async def multi_input(ctx: Context) -> str | InputRequiredResult:
        """Asks two things at once."""
        return await asking(ctx, {"one": _asked("Your name?", name=STRING), "two": _asked("Sure?", confirm=BOOLEAN)})

    @mcp.tool(structured_output=False)
    async def test_tool_with_task(ctx: Context) -> str | InputRequiredResult:
        """Asks at once, and takes its time with the answer."""
        if "user_name" not in (ctx.input_responses or {}):
            return InputRequiredResult(input_requests={"user_name": _asked("What is your name?", name=STRING)})
        await anyio.sleep(LONG)
        return f"Hello, {(ctx.input_responses or {})['user_name']}"


def asks(tool: str) -> bool:
    """Whether a fixture talks to the client while it runs."""
    return tool in {
        "test_tool_with_logging",
        "test_tool_with_progress",
        "test_sampling",
        "test_elicitation",
        "test_elicitation_sep1034_defaults",
        "test_elicitation_sep1330_enums",
    }
