"""Owns the tool ask: a question about a world or a game is answered from its rules and pages, with citations.

No model is called: what decides is `router.route`. It must not know how pages are found.
"""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from mcp_server.answers import READ, Answer, data, result, typed_errors
from mcp_server.catalog import Catalog
from mcp_server.who import who
from router import knowledge, route
from rulebound.app import App

SECTION = 1_500
"""Characters that are quoted of a section."""


class Asked(Answer):
    text: str
    route: str
    tier: str
    reason: str
    citations: list[str]
    model_calls: int = 0
    cost: float = 0


def add(mcp: MCPServer[Any], app: App, catalog: Catalog) -> None:
    """Adds the tool to a server."""

    @mcp.tool(annotations=READ)
    async def ask(
        ctx: Context,
        question: Annotated[str, Field(min_length=1, max_length=1_000)],
        world: Annotated[str, Field(max_length=200)] = "",
        handle: Annotated[str, Field(description="Of a game that the question is about.", max_length=64)] = "",
    ) -> Annotated[CallToolResult, Asked]:
        """Answer a question from rules and pages, with citations."""
        with typed_errors():
            asker = who(ctx)
            asker.need("game:play" if handle else "kb:read")
            if handle:
                await catalog.play(asker, handle)
                game = await app.games.game(handle, asker.id)
                opened, decision = game.world, route(question, game)
            else:
                opened = await catalog.world(asker, world)
                decision = knowledge(question, opened.index)
            cited = decision.citations
            parts = [(hit, opened.index.read(hit.path, first=hit.line, characters=SECTION)) for hit in cited]
        quoted = [f"{hit.citation}\n{part.text if part else hit.snippet}" for hit, part in parts]
        text = "\n\n".join(quoted) or _WITHOUT[decision.route]
        asked = Asked(
            text=text,
            route=decision.route,
            tier=decision.tier,
            reason=decision.reason,
            citations=[hit.citation for hit in cited],
        )
        source = ", ".join(asked.citations) or (f"game {handle}" if handle else world or catalog.default)
        return result(f"{decision.route}: {decision.reason}\n{data(text, source)}", asked, source)


_WITHOUT = {
    "action": "This is something to do: say it with act.",
    "help": "Neither the rules nor the pages answer this. kb_search finds pages by words.",
}
"""What is answered where no page is quoted."""
