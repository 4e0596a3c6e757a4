"""What it costs to know who asks and how often, beside the same application without it; the floor is a bare script call of Redis.

`python3 tasks.py bench access`: servers of its own, in a folder that it removes.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message

from agents.access import LOCAL
from agents.identity import Issuer, IssuerKeys
from benchmarks.hot import cost
from benchmarks.measure import peak, row
from mcp_server.web.entrance import Entrance
from mcp_server.web.limits import FIGURES, Figure
from rulebound.app import access_of, build
from rulebound.settings import Settings
from storage import new_id
from storage.embedded import Supervisor
from storage.fenced import FencedStore
from storage.testing import database

REQUIREMENTS = ("0.37", "2.11", "4.30", "4.31", "4.33")
TARGET = 300
"""Microseconds of this process that a request may take longer."""
ACT = 30
"""Milliseconds that an act of an admin may take."""
CALLS, ROUNDS = 1000, 5
"""Of each kind; `cost` does so many rounds."""
BODY = json.dumps(
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "act", "arguments": {}}}
).encode()


async def echo(request: Request) -> Response:
    return JSONResponse({"length": len(await request.body())})


def asking(app: ASGIApp, credential: str = "") -> Any:
    """A request as a server hands it over, without the network."""
    headers = [(b"host", b"localhost:8000"), (b"content-type", b"application/json")]
    if credential:
        headers.append((b"authorization", f"Bearer {credential}".encode()))

    async def ask() -> None:
        scope = {"type": "http", "method": "POST", "path": "/mcp", "raw_path": b"/mcp", "query_string": b"", "root_path": "",
                 "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000), "scheme": "http"}  # fmt: skip
        status = 0

        async def receive() -> Message:
            return {"type": "http.request", "body": BODY, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)

        await app(scope, receive, send)
        assert status == 200, status

    return ask


async def both(call: Any, callers: int) -> tuple[float, float]:
    """Seconds of the machine and of this process for one call."""
    begin = time.process_time()
    wall = await cost(call, callers=callers, calls=CALLS)
    return wall, (time.process_time() - begin) / (ROUNDS * CALLS)


async def measure(database_url: str, redis_url: str, home: Path) -> None:
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(FencedStore.opened(database_url, redis_url))
        settings = Settings(home)
        access = access_of(settings, store)
        entrance = Entrance.of(build(settings, store=store, access=access))
        # Every request is counted, and none is refused.
        entrance.limiter._figures = dict.fromkeys(FIGURES, Figure(1e6, 1e6))  # pyright: ignore[reportPrivateUsage]
        _, key = await access.granting.create_key(LOCAL, "bench", roles=["designer"])
        app = Starlette(routes=[Route("/mcp", echo, methods=["POST"])])
        guarded = entrance.guard(app)
        bare = await stack.enter_async_context(Redis.from_url(redis_url))
        script = bare.register_script("return redis.call('PING')")

        floor = await cost(script, calls=1000)
        row("a bare script call of Redis by redis-py (floor)", f"{floor * 1e6:,.1f} µs")
        for callers in (1, 50):
            plain = await both(asking(app), callers)
            row(f"the application alone, {callers} at once", f"{plain[0] * 1e6:,.1f} µs")
            for name, credential in (("without a credential", ""), ("with a key", key)):
                spent = await both(asking(guarded, credential), callers)
                wall, cpu = spent[0] - plain[0], (spent[1] - plain[1]) * 1e6
                added = f"{wall / floor:.2f} floors; CPU {cpu:,.1f} µs, {cpu / TARGET:.2f} of the target"
                row(f"added by the guard {name}, {callers} at once", f"{wall * 1e6:,.1f} µs", added)
                assert cpu < TARGET, "the guard costs more than its target"

        async def anew() -> None:
            access.identities.forget()
            await access.identities.recognise(key)

        row("a key that is not known yet", f"{await cost(anew, calls=500) * 1e6:,.1f} µs")
        row("a token that is not known yet", f"{await cost(await _token(), calls=500) * 1e6:,.1f} µs")

        async def act() -> None:
            await access.granting.grant(LOCAL, somebody, "gm")
            await access.granting.withdraw(LOCAL, somebody, "gm")

        somebody = new_id()
        spent = await cost(act, calls=100) / 2
        row("an act of an admin, audited", f"{spent * 1e3:,.2f} ms", f"{spent * 1e3 / ACT:.2f} of the target")
    row("peak memory", f"{peak()} MiB")


async def _token() -> Any:
    """Checks a token, its issuer's key being known."""
    secret = ec.generate_private_key(ec.SECP256R1())
    public = {**ECAlgorithm.to_jwk(secret.public_key(), as_dict=True), "kid": "k"}

    async def fetch(_: str) -> bytes:
        return json.dumps({"keys": [public]}).encode()

    url = "https://issuer.example.org"
    issuer = Issuer(url, ["us"], IssuerKeys(url, url, fetch=fetch))
    claims = {"iss": url, "aud": "us", "sub": "ada", "exp": int(time.time()) + 3600}
    token = jwt.encode(claims, secret, "ES256", {"kid": "k"})
    return lambda: issuer.read(token)


def main() -> None:
    """Prints figures, and fails where the guard costs more than its target."""
    with tempfile.TemporaryDirectory() as name:
        supervisor = Supervisor(Path(name))
        servers = supervisor.acquire()
        try:
            with database(servers) as url:
                asyncio.run(measure(url, servers.redis_url, Path(name)))
        finally:
            supervisor.release()


if __name__ == "__main__":
    main()
