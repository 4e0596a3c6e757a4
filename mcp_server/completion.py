"""Owns the completion of what users fill in: arguments of prompts and of addresses. It must not know what they are for."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from mcp.server import MCPServer
from mcp.server.context import ServerRequestContext
from mcp_types import CompleteRequestParams, CompleteResult, Completion

from agents.access import Principal, Refused
from agents.game import GameError
from agents.worlds import WorldError
from mcp_server import who
from mcp_server.pages import Pages
from mcp_server.resources import Resources
from storage import StoreError

MOST = 100
"""Values in one answer: the protocol's limit."""


def add(mcp: MCPServer[Any], resources: Resources, pages: Pages) -> None:
    """Serves completion. The SDK's own decorator does not say who asks."""

    async def complete(ctx: ServerRequestContext[Any, Any], params: CompleteRequestParams) -> CompleteResult:
        given = params.context.arguments if params.context and params.context.arguments else {}
        asks, asked = who.of(ctx.request), params.argument
        found = await _values(resources, pages, asks, asked.name, asked.value, given)
        return CompleteResult(completion=Completion(values=found[:MOST], total=len(found), has_more=len(found) > MOST))

    mcp._lowlevel_server.add_request_handler("completion/complete", CompleteRequestParams, complete)  # pyright: ignore[reportPrivateUsage]


async def _values(
    resources: Resources, pages: Pages, who: Principal, name: str, begun: str, given: dict[str, str]
) -> list[str]:
    """What an argument of this name may be; nothing where the principal may not know."""
    with suppress(Refused, GameError, StoreError, WorldError):
        match name:
            case "handle":
                return await resources.handles(who, begun)
            case "world" | "kb":
                return await pages.names(who, begun)
            case "path":
                return await pages.paths(who, given.get("kb", ""), begun)
            case "command":
                return await resources.commands(who, given.get("handle", ""), begun)
            case _:
                pass
    return []
