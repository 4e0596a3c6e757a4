"""Owns what is done for every request: its id, its line in the log, its measurement, and errors that nobody expected.

`Requests(app, measures, errors)` is pure ASGI and goes around everything; `failed` is its handler of exceptions for Starlette.
It must not know routes, and never writes what was said or shown: no bodies, no headers, no queries, no messages of errors.
"""

from __future__ import annotations

import re
import sys
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agents.access import PUBLIC, Principal
from mcp_server.web.metrics import Measures
from mcp_server.who import SCOPE_KEY
from storage import new_id

ID_KEY = "rulebound.request_id"
"""Where the id of a request is in its ASGI scope."""
KEPT = 50
_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class BrokenOff(Exception):
    """An answer failed after it had begun, so that the server has to break off the connection."""


class Errors:
    """Errors that nobody expected: how many of each type, and the last ones with the ids of their requests."""

    def __init__(self, measures: Measures):
        self.counts = Counter[str]()
        self.last: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._measures = measures

    def note(self, error: BaseException, id: str, route: str) -> dict[str, Any]:
        """Keeps an error; gives what is kept: its type and where it was raised, not its message, which may quote anything."""
        name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
        self.counts[name] += 1
        self._measures.errors.labels(name).inc()
        places = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-5:]]
        kept = {"time": datetime.now(UTC).isoformat(), "id": id, "route": route, "error": name, "at": places}
        self.last.append(kept)
        return kept

    def report(self) -> dict[str, Any]:
        return {"counts": dict(self.counts.most_common(KEPT)), "last": list(self.last)}


def to_stderr(line: bytes) -> None:
    """Writes a line of the log."""
    sys.stderr.buffer.write(line)
    sys.stderr.buffer.flush()


class Requests:
    """ASGI middleware. `log` takes lines of JSON."""

    def __init__(self, app: ASGIApp, measures: Measures, errors: Errors, log: Callable[[bytes], None] = to_stderr):
        self._app, self._measures, self._errors, self._log = app, measures, errors, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        id = given.decode() if _ID.fullmatch(given) else new_id()
        scope[ID_KEY] = id
        status, whole, begin, web = 0, False, time.perf_counter(), scope["type"] == "http"

        async def outward(message: Message) -> None:
            nonlocal status, whole
            type = message["type"]
            if type in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
                status = message.get("status", 101)
                message = {**message, "headers": [*message.get("headers", ()), (b"x-request-id", id.encode())]}
            elif type == "websocket.close" and not status:
                status = 403
            elif type == "http.response.body":
                whole = not message.get("more_body", False)
            await send(message)

        failed: dict[str, Any] = {}
        try:
            await self._app(scope, receive, outward)
        except Exception as error:
            failed = self._errors.note(error, id, route_of(scope))
            if web and status and not whole:
                raise BrokenOff(id) from None
            if not whole:
                await _sorry(outward, web=web, id=id)
        finally:
            seconds = time.perf_counter() - begin
            route = route_of(scope)
            if web:
                method = scope["method"] if scope["method"] in _METHODS else "OTHER"
                self._measures.http_seconds.labels(method, route).observe(seconds)
                self._measures.http_requests.labels(method, route, status).inc()
            else:
                method = "WS"
            who: Principal = scope.get(SCOPE_KEY, PUBLIC)
            told = {
                "time": datetime.now(UTC), "id": id, "method": method, "route": route, "status": status,
                "ms": round(seconds * 1000, 2), "principal": who.id,
                "address": who.address or (scope["client"][0] if scope.get("client") else ""),
            }  # fmt: skip
            if failed:
                told |= {name: failed[name] for name in ("error", "at")}
            self._log(orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE))


def route_of(scope: Scope) -> str:
    """The route's pattern, so that there are as many as we have."""
    return getattr(scope.get("route"), "path", "") or "none"


async def failed(request: Request, _: Exception) -> JSONResponse:
    """Answers in place of what failed, for Starlette's `exception_handlers`: it would say something of its own."""
    return JSONResponse(_internal(request.scope[ID_KEY]), 500)


def _internal(id: str) -> dict[str, Any]:
    message = f"This failed, and it is our fault. Tell an operator this id: {id}"
    return {"error": "internal", "message": message, "hint": "Try again."}


async def _sorry(send: Send, *, web: bool, id: str) -> None:
    """Answers in place of what failed outside of Starlette, or closes."""
    if web:
        body = orjson.dumps(_internal(id))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body", "body": body})
    else:
        await send({"type": "websocket.close", "code": 1011, "reason": f"This failed, and it is our fault: {id}"})
