"""A server with the guard and the administration on loopback, over real stores, and an issuer of tokens beside it."""

import asyncio
import json
import logging
import socket
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from redis import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from agents.access import LOCAL
from agents.identity import Granting
from agents.players import PlayerService
from mcp_server.web import admin, openapi
from mcp_server.web.entrance import Entrance
from mcp_server.web.identity import metadata
from mcp_server.web.live import RECOGNISE_KEY
from mcp_server.who import SCOPE_KEY
from rulebound.app import access_of, build
from rulebound.settings import Settings
from storage.embedded import Servers
from storage.fenced import FencedStore

URL = "https://play.example.org"
RSA = rsa.generate_private_key(65537, 2048)
KEYS: dict[str, Any] = {
    "rsa": RSA,
    "ec": ec.generate_private_key(ec.SECP256R1()),
    "ed": ed25519.Ed25519PrivateKey.generate(),
}
ALGORITHMS = {"rsa": ("RS256", RSAAlgorithm), "ec": ("ES256", ECAlgorithm),
              "ed": ("EdDSA", OKPAlgorithm)}  # fmt: skip


def jwk(id: str, key: Any = None) -> dict[str, Any]:
    """A public key as the issuer publishes it."""
    algorithm, kind = ALGORITHMS[id]
    public = (key or KEYS[id]).public_key()
    return {**json.loads(kind.to_jwk(public)), "kid": id, "alg": algorithm, "use": "sig"}


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncGenerator[str]:
    """The address at which an app is served."""
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, proxy_headers=False, ws="websockets-sansio"
    )
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign]
    listener = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@dataclass
class FakeIssuer:
    """Signs tokens, and publishes its keys over HTTP."""

    url: str = ""
    keys = KEYS
    read: int = 0
    """How often its keys were read."""

    def answer(self, path: str) -> dict[str, Any] | None:
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"}
        if path != "/jwks":
            return None
        self.read += 1
        return {"keys": [{"kty": "oct", "kid": "secret", "k": "AAAA"}, *map(jwk, KEYS)]}

    def claims(self, **given: Any) -> dict[str, Any]:
        now = int(time.time())
        whole = {"iss": self.url, "sub": "ada@example.org", "aud": f"{URL}/mcp", "exp": now + 600, "iat": now, **given}
        return {name: value for name, value in whole.items() if value is not None}

    def token(self, key: str = "ec", *, header: dict[str, Any] | None = None, **given: Any) -> str:
        """A token with claims that are good, but for the given ones; None: without it."""
        algorithm = ALGORITHMS[key][0]
        return jwt.encode(self.claims(**given), KEYS[key], algorithm, {"kid": key, **(header or {})})


@pytest.fixture(scope="session")
def published() -> Iterator[FakeIssuer]:
    """The issuer, on loopback."""
    issuer = FakeIssuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = issuer.answer(self.path)
            self.send_response(200 if told else 404)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is written."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield issuer
        server.shutdown()


class Clock:
    """The time, and as much later as a test wants it to be."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Site:
    """What is served, and what a test needs to look behind it."""

    url: str
    store: FencedStore
    entrance: Entrance
    granting: Granting
    issuer: FakeIssuer
    clock: Clock
    http: httpx2.AsyncClient
    said: list[str] = field(default_factory=list[str])
    """Every credential that was made, none of which may show anywhere."""

    async def ask(self, method: str, path: str, credential: str = "", **more: Any) -> httpx2.Response:
        headers = {**({"authorization": f"Bearer {credential}"} if credential else {}), **more.pop("headers", {})}
        return await self.http.request(method, self.url + path, headers=headers, **more)

    async def key(self, *roles: Any, **more: Any) -> str:
        """A new key with these roles, made by the owner of the machine."""
        more.setdefault("scopes", sorted(LOCAL.scopes))
        _, text = await self.granting.create_key(LOCAL, "a test's", roles=roles, **more)
        self.said.append(text)
        return text

    def token(self, key: str = "ec", **given: Any) -> str:
        self.said.append(self.issuer.token(key, **given))
        return self.said[-1]

    async def whoami(self, credential: str) -> dict[str, Any]:
        answer = await self.ask("GET", "/whoami", credential)
        return answer.json() if answer.status_code == 200 else {"status": answer.status_code}


class Serving:
    """Serves sites of one installation: `await serve(trust_loopback=True)`."""

    def __init__(self, stack: AsyncExitStack, database: str, redis: str, home: Path, issuer: FakeIssuer):
        self._stack, self._database, self._redis, self._home = stack, database, redis, home
        self.clock, self.issuer = Clock(), issuer

    async def __call__(self, *, public: bool = True, issuer: bool = True, redis: str = "", **more: Any) -> Site:
        opened = FencedStore.opened(self._database, redis or self._redis)
        store = await self._stack.enter_async_context(opened)
        settings = Settings(self._home, url=URL, public=public, proxies=more.pop("proxies", ()),
                            issuer=self.issuer.url if issuer else "")  # fmt: skip
        access = access_of(settings, store, self.clock)
        app = build(settings, store=store, access=access)
        entrance = Entrance.of(app, **more)
        await self._stack.enter_async_context(access.identities.listening())
        players = PlayerService(store, app.games, now=self.clock)
        desk = admin.Desk(store, access.granting, players, entrance.tickets)
        whole = Starlette(routes=[
            *admin.routes(desk, entrance.gate), *metadata(entrance.gate), openapi.route(admin.OPERATIONS, URL),
            Route("/mcp", echo, methods=["GET", "POST", "DELETE"]), Route("/act", echo, methods=["POST"]),
            Route("/health", echo), WebSocketRoute("/ws", again),
        ])  # fmt: skip
        url = await self._stack.enter_async_context(serving(entrance.guard(whole)))
        http = await self._stack.enter_async_context(httpx2.AsyncClient(trust_env=False, timeout=30))
        return Site(url, store, entrance, access.granting, self.issuer, self.clock, http)


async def echo(request: Request) -> Response:
    """Who asks, as the guard says it, and what was said."""
    who = request.scope[SCOPE_KEY]
    body = (await request.body()).decode()
    return JSONResponse({"principal": who.id, "kind": who.kind, "address": who.address, "body": body})


async def again(websocket: WebSocket) -> None:
    """Says who connected, and with every message whether they may stay."""
    await websocket.accept()
    await websocket.send_json({"principal": websocket.scope[SCOPE_KEY].id})
    async for _ in websocket.iter_text():
        who = await websocket.scope[RECOGNISE_KEY]()
        await websocket.send_json({"principal": who and who.id})


@pytest.fixture
async def serve(database: str, servers: Servers, tmp_path: Path, published: FakeIssuer) -> AsyncIterator[Serving]:
    with Redis.from_url(servers.redis_url) as redis:  # nobody was counted before
        for key in redis.scan_iter("limit:*"):
            redis.delete(key)
    published.read = 0
    async with AsyncExitStack() as stack:
        yield Serving(stack, database, servers.redis_url, tmp_path / "home", published)


@pytest.fixture
async def site(serve: Serving, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Site]:
    """A site; at the end no credential that a test made may stand in a log."""
    caplog.set_level(logging.DEBUG)
    served = await serve()
    yield served
    for said in served.said:
        assert said not in caplog.text
        assert said.rsplit("_" if said.startswith("rb_") else ".", 1)[-1] not in caplog.text
