"""Owns the plain HTTP API as data: a table of operations, each with its path, its scope, what it takes and gives.

`OPERATIONS` is in `mcp_server.web.admin`; `routes(operations, desk)` serves a table and `openapi.document` describes it. It must
not know what operations do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agents.access import Principal, Refused, Scope
from agents.identity import AccessError
from agents.identity.granting import NotFound
from mcp_server.web.identity import Gate, too_many
from mcp_server.web.limits import Limited
from mcp_server.web.refusals import Refusal
from mcp_server.who import SCOPE_KEY
from storage import StoreError
from storage.postgres.progress import NoSuchPlayer


class Model(BaseModel):
    """What is said and answered; what is not described is refused."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class Nothing(Model):
    pass


@dataclass(frozen=True, slots=True)
class Asked:
    """What came with a request, checked: `path` as text, `query` and `body` as the operation's models."""

    who: Principal
    path: dict[str, str]
    query: Any
    body: Any
    credential: str
    """What `who` was recognised by; empty for who showed none."""


@dataclass(frozen=True, slots=True)
class Operation:
    """`confirm` names the part of the path that a destructive act repeats as `?confirm=`; `audit` what it is called in the
    audit where what it does keeps no entry itself."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    summary: str
    run: Callable[[Any, Asked], Awaitable[Model | None]]
    answer: type[Model] = Nothing
    scope: Scope | None = "admin"
    query: type[Model] = Nothing
    body: type[Model] | None = None
    confirm: str = ""
    audit: str = ""

    @property
    def name(self) -> str:
        return self.run.__name__


Audit = Callable[[Principal, str, str], Awaitable[None]]
"""Keeps an entry: who, what, and the id that it was about or nothing."""


def routes(operations: Sequence[Operation], desk: Any, gate: Gate, audit: Audit) -> list[Route]:
    """Routes for a table; `desk` is what operations are run on."""
    return [Route(each.path, _endpoint(each, desk, gate, audit), methods=[each.method]) for each in operations]


def _endpoint(operation: Operation, desk: Any, gate: Gate, audit: Audit) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        who: Principal = request.scope[SCOPE_KEY]
        try:
            if operation.scope is not None:
                who.need(operation.scope)
            if any("\0" in each for each in (*request.path_params.values(), *request.query_params.values())):
                raise _nul()
            query, body = _query(operation, request), await _body(operation, request)
            credential = request.headers.get("authorization", "").partition(" ")[2].strip()
            asked = Asked(who, dict(request.path_params), query, body, credential)
            answer = await operation.run(desk, asked)
            if operation.audit:
                await audit(who, operation.audit, asked.path.get("id", ""))
        except Limited as error:
            return too_many(error).response
        except Refused as error:
            return gate.refuse(who, operation.scope or "", str(error), error.hint).response
        except Refusal as refusal:
            return refusal.response
        except (NotFound, NoSuchPlayer) as error:
            return Refusal(404, "not_found", str(error), error.hint).response
        except AccessError as error:
            return Refusal(400, "invalid", str(error), error.hint).response
        except StoreError as error:
            return Refusal(503, "away", "This cannot be done at present", error.hint, {"retry-after": "5"}).response
        if answer is None:
            return Response(status_code=204)
        return Response(
            orjson.dumps(answer.model_dump(mode="json")),
            media_type="application/json",
            headers={"cache-control": "no-store"},
        )

    return endpoint


def _query(operation: Operation, request: Request) -> Model:
    """Raises `Refusal`, also where what cannot be taken back is not confirmed."""
    given = dict(request.query_params)
    confirmed = given.pop("confirm", None) if operation.confirm else None
    if operation.confirm and confirmed != request.path_params[operation.confirm]:
        target = f"?confirm={request.path_params[operation.confirm]}"
        raise Refusal(400, "confirm", "This cannot be taken back", f"If it is meant, ask again with {target}")
    try:
        return operation.query.model_validate_strings(given)
    except ValidationError as error:
        raise _invalid(error) from None


async def _body(operation: Operation, request: Request) -> Model | None:
    if operation.body is None:
        return None
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "type", "The body is JSON", "Send it with content-type: application/json")
    said = await request.body()
    if b"\\u0000" in said:
        raise _nul()
    try:
        return operation.body.model_validate_json(said)
    except ValidationError as error:
        raise _invalid(error) from None


def _nul() -> Refusal:
    return Refusal(400, "invalid", "No text holds the character 0", "See /openapi.json.")


def _invalid(error: ValidationError) -> Refusal:
    """What is wrong where, without what was said."""
    found = error.errors(include_url=False, include_context=False, include_input=False)[:5]
    told = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in found)
    return Refusal(400, "invalid", told, "See /openapi.json.")
