"""Owns the HTTP application: which path is served by what, and what stands before all of them.

`create(app, mcp, site)`. It must not know processes or sockets.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from mcp.server import MCPServer
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from mcp_server.tools import may_ask
from mcp_server.web.peers import Peers, Relay, Sender
from mcp_server.web.transport import Asks, Transport
from rulebound.app import App

MAX_BODY = 1024 * 1024
"""Bytes of a request: a page, with room to spare."""
SESSIONS = 1_000
"""Sessions of the 2025 protocol in one worker; they end after ten minutes of silence."""
SESSION_IDLE = 600.0


@dataclass(frozen=True, slots=True)
class Site:
    """How this server is reached."""

    host: str = "127.0.0.1"
    port: int = 0
    public_url: str = ""
    """The address that clients use, where it is another one: behind a proxy, or for all interfaces."""
    trust_loopback: bool = False
    """Whoever is on this machine and shows no credential is its owner."""
    worker: int = 0
    workers: Sequence[str] = ()
    """The private sockets of all workers, by number; this one is `worker`."""


def create(app: App, mcp: MCPServer[Any], site: Site, *, asks: Asks = may_ask) -> Starlette:
    """The application for one worker. `asks` says which calls of tools may ask the user something."""
    peers = Peers(site.worker, site.workers)
    sessions = Transport(mcp, asks=asks, max_body=MAX_BODY, max_sessions=SESSIONS, idle=SESSION_IDLE)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with sessions.run():
            yield
        await peers.close()

    return Starlette(
        routes=[Route("/mcp", Relay(sessions, peers))],
        middleware=[Middleware(Sender, peers)],
        lifespan=lifespan,
    )
