"""Owns the tool ask: a message of a user, answered by the cheapest means that is right, with citations and what it cost.

`router.Router` decides; three modes ask the knowledge agent for one kind of answer. It must not know how answers are made.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from mcp_server.answers import ADD, Answer, clip, data, result, typed_errors
from mcp_server.catalog import Catalog
from mcp_server.who import take, who
from router import Answered

LONGEST = 8_000
"""Characters of an answer."""
Mode = Literal["auto", "decide", "validate", "synthesise"]


class Asked(Answer):
    text: str
    route: str
    tier: str
    reason: str
    citations: list[dict[str, Any]]
    """Each with `path`, `heading`, `line`, `commit`."""
    model_calls: int
    cost: float
    turn: int | None
    """The turn that was played; null: nothing was done."""


def add(mcp: MCPServer[Any], catalog: Catalog) -> None:
    """Adds the tool to a server."""

    @mcp.tool(annotations=ADD)
    async def ask(
        ctx: Context,
        question: Annotated[str, Field(min_length=1, max_length=4_000)],
        world: Annotated[str, Field(max_length=200)] = "",
        handle: Annotated[str, Field(max_length=64)] = "",
        mode: Mode = "auto",
        persona: Annotated[str, Field(max_length=100)] = "",
        idempotency_key: Annotated[str, Field(max_length=100)] = "",
    ) -> Annotated[CallToolResult, Asked]:
        """Answer from rules and pages, cited; in games also by turns."""
        with typed_errors():
            asker = who(ctx)
            asker.need("game:play" if handle else "kb:read")
            game = await catalog.game(asker, handle) if handle else None
            if catalog.answering.asks:
                await take(ctx, "model")
            if mode != "auto":
                answered = await catalog.answering.consult(
                    mode, asker, question, game or await catalog.world(asker, world)
                )
            else:
                opened = None if game else await catalog.world(asker, world)
                answered = await catalog.router.answer(
                    asker, question, handle=handle, world=opened, persona=persona, key=idempotency_key
                )
        return told(answered, f"game {handle}" if handle else world or catalog.default)


def told(answered: Answered, source: str) -> CallToolResult:
    """An answer as a tool tells it."""
    text = clip(answered.text, LONGEST, "kb_read")
    asked = Asked.model_validate({**answered.as_data(), "text": text})
    source = ", ".join(map(str, answered.citations)) or source
    turn = f" (turn {answered.turn})" if answered.turn is not None else ""
    return result(f"{answered.route}: {answered.reason}{turn}\n{data(text, source)}", asked, source)
