"""Owns how the plain routes refuse: the scope that a request needs, and the JSON that says so. It must not know routes."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse

from agents.access import PUBLIC, Principal, Refused, Scope
from mcp_server.who import SCOPE_KEY


def principal(connection: HTTPConnection) -> Principal:
    """Who asks; nobody in particular where no middleware has recognised anybody."""
    return connection.scope.get(SCOPE_KEY, PUBLIC)


def only(connection: HTTPConnection, scope: Scope) -> JSONResponse | None:
    """The refusal of a request that lacks a scope: 401 where there is no credential, else 403."""
    who = principal(connection)
    try:
        who.need(scope)
    except Refused as refused:
        public = who.kind == "public"
        answer = refusal_of(401 if public else 403, "forbidden", str(refused), refused.hint)
        if public:
            answer.headers["www-authenticate"] = "Bearer"
        return answer
    return None


def refusal_of(status: int, code: str, message: str, hint: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message, "hint": hint}}, status)
