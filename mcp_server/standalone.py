"""Owns `rulebound mcp --standalone`: the server in one process, on standard input and output, without a daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mcp_server.catalog import Catalog
from mcp_server.server import server
from rulebound.app import between_turns, open_app
from rulebound.settings import Settings


def main(named: Sequence[str]) -> int:
    """Serves standard input and output until the client leaves."""
    asyncio.run(_serve(Settings.from_environment(), named))
    return 0


async def _serve(settings: Settings, named: Sequence[str]) -> None:
    async with open_app(settings) as app, between_turns(app):
        await server(app, Catalog(app, named)).run_stdio_async()
