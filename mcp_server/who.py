"""Owns the principal of a request: whom the web app recognised, or the owner of this process. It must not know credentials."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.mcpserver import Context

from agents.access import LOCAL, Principal

SCOPE_KEY = "rulebound.principal"
"""Where the web app's middleware puts the `Principal` in a connection's ASGI scope."""
TAKE_KEY = "rulebound.take"
"""Where it puts what counts a use of a class (`model`) by that principal, and raises `Refused` where there were too many."""

Take = Callable[[str], Awaitable[None]]


def who(ctx: Context) -> Principal:
    """Who asks. Over standard input and the socket that only the owner can open there is no HTTP request: the owner."""
    return of(ctx.request_context.request)


def of(request: Any) -> Principal:
    """The principal of an HTTP request; the owner where there is none. A request that nobody recognised is an error of ours."""
    return LOCAL if request is None else request.scope[SCOPE_KEY]


async def take(ctx: Context, kind: str) -> None:
    """Counts a use of a class. The owner of this process is not held back. Raises `Refused`."""
    request = ctx.request_context.request
    if request is not None:
        await request.scope[TAKE_KEY](kind)
