"""Owns the HTTP application of one worker: which path is served by what, and what stands before all of them.

`create(app, mcp, catalog, site, background)`. It must not know processes or sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx2
from mcp.server import MCPServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from agents.background import Background
from agents.players import PlayerService
from mcp_server.catalog import Catalog
from mcp_server.tools import may_ask
from mcp_server.web import admin, health, identity, live, metrics, openapi, webhook
from mcp_server.web.entrance import Entrance
from mcp_server.web.peers import Peers, Relay, Sender
from mcp_server.web.requests import Errors, Requests, failed
from mcp_server.web.site import Site
from mcp_server.web.transport import Asks, Transport
from rulebound.app import App
from storage.fenced import FencedStore


def create(
    app: App,
    mcp: MCPServer[Any],
    catalog: Catalog,
    site: Site,
    background: Background | None = None,
    *,
    asks: Asks = may_ask,
) -> ASGIApp:
    """What a worker serves; `asks` says which calls of tools may ask the user something. Raises `rulebound.app.Misconfigured`."""
    store = app.store
    assert isinstance(store, FencedStore), "what is served is kept"
    assert app.access is not None, "what is served is kept"
    peers = Peers(site.worker, site.workers)
    entrance = Entrance.of(app, host=site.host, trust_loopback=site.trust_loopback, relayed=peers.private)
    measures = metrics.Measures()
    errors = Errors(measures)
    transport = Transport(mcp, asks=asks)
    players = PlayerService(store, app.games, now=app.now, erased=app.answering.erased)
    desk = admin.Desk(store, app.access.granting, players, entrance.tickets)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        # Who asks first does not wait until a library is imported.
        warming = asyncio.create_task(app.client.warm()) if app.client is not None else None
        async with transport.run():
            yield
        if warming is not None:
            warming.cancel()
            await asyncio.gather(warming, return_exceptions=True)
        await peers.close()

    routes = [
        Route("/mcp", Relay(transport, peers)),
        *live.routes(live.Live(app, catalog, measures, errors, entrance.limiter.wait)),
        *admin.routes(desk, entrance.gate),
        *health.routes(health.Health(app, errors, background=background, commits=app.worlds.commits)),
        *metrics.routes(app, measures, partial(_expositions, peers) if len(peers) > 1 else None),
        *identity.metadata(entrance.gate),
        webhook.route(catalog, app.secret),
        openapi.route(admin.OPERATIONS, app.settings.url),
    ]
    inner = entrance.guard(Starlette(routes=routes, lifespan=lifespan, exception_handlers={Exception: failed}))
    own = Starlette(routes=[Route("/metrics", partial(_own, app, measures))])
    return Sender(Requests(inner, measures, errors), own, peers)


async def _own(app: App, measures: metrics.Measures, _: Request) -> Response:
    return Response(await metrics.exposition(app, measures))


async def _expositions(peers: Peers) -> Mapping[str, str]:
    """What each worker that answers measured."""
    found: dict[str, str] = {}
    for number in range(len(peers)):
        try:
            found[str(number)] = (await peers.client(number).get("/metrics")).text
        except httpx2.TransportError:
            continue
    return found
