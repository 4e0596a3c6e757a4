"""Workers as they are served: a shared world over real stores, a small app around it, uvicorn on loopback, real clients."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect

from agents.access import PUBLIC, Principal
from agents.models import Model
from mcp_server.catalog import Catalog
from mcp_server.web import health, live, metrics
from mcp_server.web.live import RECOGNISE_KEY, Live, Recognise
from mcp_server.web.requests import Errors, Requests, failed
from mcp_server.who import SCOPE_KEY
from rulebound.app import App, between_turns, build
from rulebound.settings import Settings
from storage.embedded import Servers
from storage.fenced import FencedStore

INN = {
    "world.md": "---\nexperience: inn\nuses: [adventure]\nstart: hall\nworld: shared\n---\n# Inn\nAn inn.\n",
    "hall.md": "---\nplace: hall\nexits: {north: attic}\n---\n# Hall\nA hall.\n",
    "attic.md": "---\nplace: attic\nexits: {south: hall}\n---\n# Attic\nAn attic.\n",
    "coin.md": "---\nitem: coin\nin: hall\n---\n# Gold coin\nShiny.\n",
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def inn(tmp_path: Path) -> Path:
    """A shared world: a hall, an attic, a coin."""
    folder = tmp_path / "inn"
    folder.mkdir()
    for name, text in INN.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


class Recognised:
    """The middleware that puts the principal there: whoever says a name in `x-who` is that player."""

    def __init__(self, app: ASGIApp, known: Mapping[str, Principal], recognise: Recognise | None):
        self._app, self._known, self._recognise = app, known, recognise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            name = next((value.decode() for key, value in scope["headers"] if key == b"x-who"), "")
            scope[SCOPE_KEY] = self._known.get(name) or (Principal.of(name, "player") if name else PUBLIC)
            if self._recognise is not None:
                scope[RECOGNISE_KEY] = self._recognise
        await self._app(scope, receive, send)


@dataclass
class Worker:
    """One worker that is served: its app, its address, what it measured and wrote."""

    app: App
    url: str
    measures: metrics.Measures
    errors: Errors
    lines: list[dict[str, Any]] = field(default_factory=list)


Serve = Callable[..., Awaitable[Worker]]


@pytest.fixture
async def serve(fresh_database: str, servers: Servers, tmp_path: Path, inn: Path) -> AsyncIterator[Serve]:
    """Serves workers of one installation, each with its own app, on loopback."""
    async with AsyncExitStack() as stack:
        known = {"admin": Principal.of("admin", "admin"), "reader": Principal.of("reader", narrowed=frozenset())}

        async def start(
            *routes: BaseRoute,
            recognise: Recognise | None = None,
            gather: metrics.Gather | None = None,
            redis: str = "",
            commits: Callable[[], Mapping[str, str]] | None = None,
            model: Model | None = None,
            **options: Any,
        ) -> Worker:
            store = await stack.enter_async_context(FencedStore.opened(fresh_database, redis or servers.redis_url))
            app = build(Settings(tmp_path / "home"), store=store, model=model)
            background = await stack.enter_async_context(between_turns(app))
            measures = metrics.Measures()
            worker = Worker(app, "", measures, Errors(measures))
            catalog = Catalog(app, [str(inn)])
            starlette = Starlette(
                routes=[
                    *routes,
                    *live.routes(Live(app, catalog, measures, worker.errors, **options)),
                    *metrics.routes(app, measures, gather),
                    *health.routes(health.Health(app, worker.errors, background=background, commits=commits)),
                ],
                exception_handlers={Exception: failed},
            )
            around = Requests(
                Recognised(starlette, known, recognise),
                measures,
                worker.errors,
                lambda line: worker.lines.append(json.loads(line)),
            )
            worker.url = await stack.enter_async_context(serving(around))
            return worker

        yield start


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncGenerator[str]:
    """An app on uvicorn; its host and port."""
    config = uvicorn.Config(app, ws="websockets-sansio", lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign]
    listener = socket.create_server(("127.0.0.1", 0))
    # So that what a client leaves unread is soon noticed.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    task = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await task


@dataclass
class Client:
    """A player's program. What is told meanwhile is kept in `told`."""

    socket: ClientConnection
    told: list[dict[str, Any]] = field(default_factory=list)
    number: int = 0

    async def next(self) -> dict[str, Any]:
        return json.loads(await asyncio.wait_for(self.socket.recv(), 30))

    async def ask(self, type: str, **more: Any) -> dict[str, Any]:
        """Sends a message and gives its answer."""
        self.number += 1
        await self.socket.send(json.dumps({"type": type, "id": self.number, **more}))
        while (answer := await self.next()).get("id") != self.number:
            self.told.append(answer)
        return answer

    async def events(self, count: int) -> list[dict[str, Any]]:
        """The next things that it is told, without who is there."""
        while len(self._heard()) < count:
            self.told.append(await self.next())
        return self._heard()[:count]

    def _heard(self) -> list[dict[str, Any]]:
        return [each for each in self.told if each["kind"] != "presence"]


@asynccontextmanager
async def _joined(worker: Worker, who: str, **options: Any) -> AsyncGenerator[Client]:
    async with connect(f"ws://{worker.url}/ws", additional_headers={"x-who": who}, **options) as socket:
        yield Client(socket)


@pytest.fixture
def joined() -> Callable[..., AbstractAsyncContextManager[Client]]:
    """Opens a player's connection to a worker."""
    return _joined
