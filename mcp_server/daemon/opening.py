"""Owns the time before the services are open: clients are greeted and told the tools, everything else waits.

`Opening()` stands for the app; `gate` is a middleware of the SDK. Starting the databases takes seconds, and chat clients give
up before. It must not know how an app is opened.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR

from rulebound.app import App

AT_ONCE = frozenset(
    [
        "initialize",
        "server/discover",
        "ping",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
    ]
)
"""What is the same whatever the databases hold."""


class Opening:
    """An app that is not there yet."""

    def __init__(self) -> None:
        self._app: App | None = None
        self._news = asyncio.Event()
        self._trouble: Exception | None = None

    @property
    def app(self) -> App:
        """Stands for the app in tools, which ask for its services when they are called."""
        return cast("App", self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)

    def opened(self, app: App) -> None:
        """From now on nothing waits."""
        self._app, self._trouble = app, None
        self._news.set()

    def failed(self, error: Exception) -> None:
        """Who waits is told, as is everybody who comes until it is open."""
        self._trouble = error
        self._news.set()

    async def gate(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Lets a request through when it can be answered."""
        if self._app is None and ctx.request_id is not None and ctx.method not in AT_ONCE:
            await self._news.wait()
            if self._app is None:
                error = self._trouble
                raise MCPError(INTERNAL_ERROR, f"{error}. {getattr(error, 'hint', 'Try again.')}")
        return await call_next(ctx)
