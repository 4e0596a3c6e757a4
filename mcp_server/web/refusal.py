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
        body = {"error": {"code": "forbidden", "message": str(refused), "hint": refused.hint}}
        if who.kind == "public":
            return JSONResponse(body, 401, {"www-authenticate": "Bearer"})
        return JSONResponse(body, 403)
    return None
