"""Owns how a request is refused over HTTP: a status, an error word, what to do; never what was said in the request.

`raise Refusal(413, "too_large", …)`, `await refusal.answer(scope, receive, send)`. It must not know why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from agents.access import PUBLIC, Principal, Refused
from agents.access import Scope as Permission
from mcp_server.who import SCOPE_KEY


class Refusal(Exception):
    """The request is not served. `error` is for programs, `message` and `hint` for people."""

    def __init__(self, status: int, error: str, message: str, hint: str = "", headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status, self.error, self.hint, self.headers = status, error, hint, dict(headers or {})

    @property
    def response(self) -> JSONResponse:
        said = {"error": self.error, "message": str(self)}
        return JSONResponse(said | ({"hint": self.hint} if self.hint else {}), self.status, self.headers)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or a WebSocket that was not accepted yet."""
        if scope["type"] == "http" or "websocket.http.response" in scope.get("extensions", {}):
            await self.response(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 4000 + self.status, "reason": self.error})


def principal(connection: HTTPConnection) -> Principal:
    """Who asks; nobody in particular where no middleware has recognised anybody."""
    return connection.scope.get(SCOPE_KEY, PUBLIC)


def only(connection: HTTPConnection, scope: Permission) -> Refusal | None:
    """The refusal of a request that lacks a scope: 401 where there is no credential, else 403."""
    who = principal(connection)
    try:
        who.need(scope)
    except Refused as refused:
        if who.kind == "public":
            return Refusal(401, "unauthorized", str(refused), refused.hint, {"www-authenticate": "Bearer"})
        return Refusal(403, "insufficient_scope", str(refused), refused.hint)
    return None


def tool_error(body: bytes, version: str, refusal: Refusal) -> JSONResponse:
    """The refusal of a message of MCP: a tool call gets a tool's error, which a model can read; anything else the status."""
    try:
        asked: Any = orjson.loads(body)
        called = asked["method"] == "tools/call" and isinstance(asked["id"], int | str)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return refusal.response
    if not called:
        return refusal.response
    result: dict[str, Any] = {"content": [{"type": "text", "text": f"{refusal}. {refusal.hint}"}], "isError": True}
    if version >= "2026":
        result["resultType"] = "complete"
    return JSONResponse({"jsonrpc": "2.0", "id": asked["id"], "result": result}, headers=refusal.headers)
