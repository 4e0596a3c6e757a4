"""Owns one serving process: the app's services, HTTP on the sockets that it is given, and the bridges' socket.

`await serve(settings, place, options, sockets)`. It must not know its sisters, nor who starts it.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from mcp.server import MCPServer

from mcp_server.catalog import Catalog
from mcp_server.daemon.lines import Lines
from mcp_server.daemon.opening import Opening
from mcp_server.server import server
from mcp_server.web.site import Site
from rulebound.app import App, between_turns, open_app
from rulebound.settings import Settings
from storage import StoreError
from storage.embedded import ServiceError

AGAIN = 2.0
"""Seconds after which servers that could not be had are asked for again."""
IDLE = 600.0
"""Seconds after which a daemon that a bridge started ends, where no bridge is left."""


@dataclass(frozen=True, slots=True)
class Options:
    """What `rulebound serve` was asked for."""

    worlds: Sequence[str] = ()
    site: Site = field(default_factory=Site)
    idle: float | None = None
    """Seconds without a bridge after which it ends; None: it stays."""


async def serve(
    settings: Settings,
    options: Options,
    web: Sequence[socket.socket],
    bridges: socket.socket,
    ready: Callable[[], None],
    alive: int | None = None,
) -> None:
    """Serves until a signal says to end, nobody has been there for `options.idle`, or the pipe `alive` ends. `ready` is called
    when it begins. Without sockets for HTTP it serves bridges alone."""
    opening, stop = Opening(), asyncio.Event()

    @cache
    def catalog_for(named: Sequence[str]) -> Catalog:
        return Catalog(opening.app, (*named, *options.worlds))

    @cache
    def server_for(named: Sequence[str]) -> MCPServer[Any]:
        mcp = server(opening.app, catalog_for(named))
        mcp.middleware.append(opening.gate)
        return mcp

    lines = Lines(server_for)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(lines.serving(bridges))
        app = await _opened(stack, settings, opening)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        if alive is not None:
            loop.add_reader(alive, stop.set)
        background = await stack.enter_async_context(between_turns(app))
        if options.idle is not None:
            stack.push_async_callback(_cancelled, asyncio.create_task(_idle(lines, stop, options.idle, settings.home)))
        if not web:
            ready()
            await stop.wait()
            return
        # Who has no port does not wait for what serves one.
        from mcp_server.web.app import create
        from mcp_server.web.run import run

        await run(create(app, server_for(()), catalog_for(()), options.site, background), web, stop, ready)


async def _opened(stack: AsyncExitStack, settings: Settings, opening: Opening) -> App:
    """The app, as soon as its servers let it be opened."""
    while True:
        try:
            app = await stack.enter_async_context(open_app(settings))
        except (StoreError, ServiceError, OSError) as error:
            opening.failed(error)
            print(f"rulebound: {error}. {getattr(error, 'hint', '')} Trying again.", file=sys.stderr, flush=True)  # noqa: T201
            await asyncio.sleep(AGAIN)
        else:
            opening.opened(app)
            return app


async def _idle(lines: Lines, stop: asyncio.Event, seconds: float, home: Path) -> None:
    """Ends the server once nobody was there for so long, or its home is gone."""
    quiet = 0.0
    while quiet < seconds and home.exists():
        await asyncio.sleep(1.0)
        quiet = 0.0 if len(lines) else quiet + 1.0
    stop.set()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
