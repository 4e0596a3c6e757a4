"""Workers for `benchmarks.live`: what is served, and the floor, a bare echo; each in a process of its own, on uvloop."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from agents.access import Principal
from mcp_server.catalog import Catalog
from mcp_server.web import health, live, metrics
from mcp_server.web.requests import Errors, Requests
from mcp_server.who import SCOPE_KEY
from rulebound.app import between_turns, build
from rulebound.settings import Settings
from storage.fenced import FencedStore


class Known:
    """Whoever says who they are is believed; admins are called `admin`."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            name = next(value.decode() for key, value in scope["headers"] if key == b"x-who")
            scope[SCOPE_KEY] = Principal.of(name, "admin" if name == "admin" else "player")
        await self._app(scope, receive, send)


async def serve(port: socket.socket, database: str, redis: str, home: str) -> None:
    """A worker over these servers."""
    async with FencedStore.opened(database, redis) as store:
        app = build(Settings(Path(home)), store=store)
        measures = metrics.Measures()
        errors = Errors(measures)
        async with between_turns(app) as background:
            routes = [
                *live.routes(live.Live(app, Catalog(app), measures, errors)),
                *metrics.routes(app, measures),
                *health.routes(health.Health(app, errors, background=background)),
            ]
            log = [Middleware(Requests, measures, errors, lambda _: None), Middleware(Known)]
            await _run(Starlette(routes=routes, middleware=log), port)
        await app.games.close()


async def echo(port: socket.socket) -> None:
    """The floor: what comes goes back."""

    async def ws(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            while True:
                await websocket.send_text(await websocket.receive_text())
        except WebSocketDisconnect:
            pass

    async def http(_: Request) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    await _run(Starlette(routes=[WebSocketRoute("/ws", ws), Route("/health", http)]), port)


async def _run(app: Starlette, port: socket.socket) -> None:
    config = uvicorn.Config(
        app, http="httptools", ws="websockets-sansio", ws_per_message_deflate=False, log_config=None, access_log=False
    )
    await uvicorn.Server(config).serve([port])


def main(kind: str, fd: str, *rest: str) -> None:
    """Serves on the socket with this descriptor."""
    port = socket.socket(fileno=int(fd))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(port, *rest) if kind == "serve" else echo(port))


if __name__ == "__main__":
    main(*sys.argv[1:])
