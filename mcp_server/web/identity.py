"""Owns what stands before everything that is served: names and origins, sizes, who asks, how often.

`Guard(app, gate)` is ASGI; behind it `scope["rulebound.principal"]` is a `Principal`. No part of a credential is ever logged,
kept or answered. It must not know what is served.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, get_args
from urllib.parse import parse_qs

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from agents.access import LOCAL, PUBLIC, Principal
from agents.access import Scope as Permission
from agents.identity import Identities, Unrecognised
from agents.identity.errors import IssuerAway
from mcp_server.web import bodies
from mcp_server.web.doors import LOOPBACK, Doors, same_page
from mcp_server.web.lasting import watched
from mcp_server.web.limits import Limited, Limiter
from mcp_server.web.live import RECOGNISE_KEY, Recognise
from mcp_server.web.refusals import Refusal, tool_error
from mcp_server.who import SCOPE_KEY, TAKE_KEY
from storage.redis import RedisAway
from storage.redis.tickets import Tickets
from storage.store import StoreAway, StoreError

log = logging.getLogger(__name__)
METADATA = "/.well-known/oauth-protected-resource"
OPEN = ("/health", "/webhook", "/openapi.json", "/.well-known/")
"""What is served without a credential whatever the operator says; the webhook has a signature of its own."""
LONG = frozenset({"/mcp"})
"""Where a page may be in the body."""


@dataclass(frozen=True, slots=True)
class Gate:
    """How this server is entered."""

    doors: Doors = field(default_factory=Doors)
    public_url: str = ""
    issuer: str = ""
    public: bool = True
    """Without a credential one reads what is shared; False: one is refused."""
    trust_loopback: bool = False
    """Whoever asks from this machine and shows no credential is its owner: for machines of one person."""
    relayed: Callable[[Scope], bool] = lambda _: False
    """Whether another worker passed a request on, which it has counted."""

    def challenge(self, error: str = "", scope: str = "") -> Mapping[str, str]:
        """`WWW-Authenticate`: what is wrong with the credential, and where to learn how to get one (RFC 6750, RFC 9728)."""
        told = {"error": error, "scope": scope}
        if self.issuer:
            told["resource_metadata"] = f"{self.public_url.rstrip('/')}{METADATA}/mcp"
        said = ", ".join(f'{name}="{value}"' for name, value in told.items() if value)
        return {"www-authenticate": f"Bearer {said}".strip()}

    def refuse(self, who: Principal, scope: str, message: str, hint: str) -> Refusal:
        """The refusal of somebody whose credential does not reach: without one they are asked to show it."""
        if who.kind == "public":
            return Refusal(401, "unauthorized", message, hint, self.challenge(scope=scope))
        return Refusal(403, "insufficient_scope", message, hint, self.challenge("insufficient_scope", scope))


class Guard:
    """ASGI."""

    def __init__(
        self, app: ASGIApp, gate: Gate, identities: Identities, limiter: Limiter, tickets: Tickets | None = None
    ):
        self._app, self._gate, self._identities = app, gate, identities
        self._limiter, self._tickets = limiter, tickets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            inner = await self._enter(scope, receive)
        except Refusal as refusal:
            log.info("refused: %s %s from %s", refusal.status, refusal.error, (scope.get("client") or ("", 0))[0])
            await refusal.answer(scope, receive, send)
            return
        if isinstance(inner, Response):
            await inner(scope, receive, send)
        else:
            await self._app(scope, inner, send)

    async def _enter(self, scope: Scope, receive: Receive) -> Receive | Response:
        """What the application receives from, or the answer to a tool call that came too soon. Raises `Refusal`."""
        headers = _headers(scope)
        host, origin, path = headers.get(b"host", ""), headers.get(b"origin"), scope["path"]
        self._gate.doors.check(host, origin)
        most = bodies.PAGE if path in LONG else bodies.COMMAND
        if not path.startswith("/webhook/"):
            bodies.declared(headers.get(b"content-length"), most)
        peer, port = scope.get("client") or ("", 0)
        address = self._gate.doors.address(peer, headers.get(b"x-forwarded-for", ""))
        scope["client"] = address, port
        credential = await self._credential(scope, headers, address)
        found = await self._recognise(credential, address) if credential else self._stranger(scope, headers, peer)
        who = replace(found, address=address)
        scope[SCOPE_KEY], scope["user"] = who, _user(who)
        scope[TAKE_KEY] = partial(self._limiter.take, who)
        limited = await self._counted(scope, who)
        if scope["type"] == "websocket":
            if limited is not None:
                raise limited
            if credential:
                scope[RECOGNISE_KEY] = self._again(credential, address)
            return receive
        later = watched(receive, self._still(credential, who)) if credential else receive
        # The body of a webhook may be large, and is hashed as it comes.
        if scope["method"] in ("GET", "HEAD") or path.startswith("/webhook/"):
            if limited is not None:
                raise limited
            return later
        small = path == "/mcp" and not who.may("kb:write")
        body, first = await bodies.read(receive, bodies.COMMAND if small else most)
        if limited is not None:
            return (
                tool_error(body, headers.get(b"mcp-protocol-version", ""), limited)
                if path == "/mcp"
                else limited.response
            )
        return bodies.again(first, later)

    async def _counted(self, scope: Scope, who: Principal) -> Refusal | None:
        if self._gate.relayed(scope):
            return None
        try:
            await self._limiter.take(who, "admin" if scope["path"].startswith("/admin") else None)
        except Limited as error:
            return too_many(error)
        return None

    async def _credential(self, scope: Scope, headers: Mapping[bytes, str], address: str) -> str:
        """The bearer token, or what a ticket stands for; empty where there is none. Raises `Refusal`."""
        said = headers.get(b"authorization")
        if said is not None:
            kind, _, credential = said.partition(" ")
            if kind.lower() != "bearer" or not credential.strip():
                raise Refusal(401, "invalid_token", "Credentials are bearer tokens", Unrecognised.hint, self._bad())
            return credential.strip()
        if scope["type"] == "websocket" and b"ticket=" in scope["query_string"]:
            return await self._redeem(scope["query_string"], address)
        return ""

    def _stranger(self, scope: Scope, headers: Mapping[bytes, str], peer: str) -> Principal:
        """Who shows no credential. Raises `Refusal`."""
        # A proxy on this machine has a loopback address too, and so has the browser of whoever looks at a foreign page.
        passed_on = {b"x-forwarded-for", b"forwarded", b"via"} & headers.keys()
        foreign = headers.get(b"sec-fetch-site", "none") not in ("none", "same-origin")
        foreign = foreign or not same_page(headers.get(b"host", ""), headers.get(b"origin"))
        own = peer in LOOPBACK and not passed_on and not foreign
        if self._gate.trust_loopback and own:
            return LOCAL
        if self._gate.public or scope["path"].startswith(OPEN):
            return PUBLIC
        raise self._gate.refuse(PUBLIC, "", "This server asks for a credential", Unrecognised.hint)

    async def _recognise(self, credential: str, address: str) -> Principal:
        """Raises `Refusal`."""
        known = self._identities.known(credential)
        if known is not None:
            return known
        try:
            self._limiter.admit(address)
            return await self._identities.recognise(credential)
        except Limited as error:
            raise too_many(error) from None
        except IssuerAway as error:
            raise Refusal(503, "issuer_away", str(error), error.hint, {"retry-after": "30"}) from None
        except Unrecognised as error:
            await self._failed(address)
            raise Refusal(401, "invalid_token", str(error), error.hint, self._bad()) from None
        except StoreError:
            raise away("Credentials") from None

    def _again(self, credential: str, address: str) -> Recognise:
        """Whose credential it is by now; None: nobody's any more. It raises `StoreError` where nobody can tell."""

        async def recognise() -> Principal | None:
            try:
                return replace(await self._identities.recognise(credential), address=address)
            except IssuerAway as error:
                raise StoreAway(str(error)) from error
            except Unrecognised:
                return None

        return recognise

    def _still(self, credential: str, before: Principal) -> Callable[[], Awaitable[bool]]:
        """Whether a credential still allows what it did; where nobody can tell, it is asked again."""
        recognise = self._again(credential, before.address)

        async def good() -> bool:
            try:
                now = await recognise()
            except StoreError:
                return True
            return now is not None and before.scopes <= now.scopes and before.teams <= now.teams

        return good

    async def _redeem(self, query: bytes, address: str) -> str:
        """A page in a browser can send no header with a WebSocket, so it shows a ticket that it got a moment ago."""
        try:
            self._limiter.admit(address)
            ticket = parse_qs(query.decode("latin-1")).get("ticket", [""])[0]
            found = await self._tickets.redeem(ticket) if self._tickets is not None else None
        except Limited as error:
            raise too_many(error) from None
        except RedisAway:
            raise away("Tickets") from None
        if found is None:
            await self._failed(address)
            hint = "Get another at POST /ticket."
            raise Refusal(401, "invalid_token", "The ticket is unknown, or was used", hint, self._bad())
        return found

    async def _failed(self, address: str) -> None:
        try:
            await self._limiter.failed(address)
        except Limited as error:
            raise too_many(error) from None

    def _bad(self) -> Mapping[str, str]:
        return self._gate.challenge("invalid_token")


def metadata(gate: Gate) -> list[Route]:
    """What a client reads to learn where tokens for this server are made (RFC 9728); none without an issuer."""
    if not gate.issuer:
        return []
    base = gate.public_url.rstrip("/")

    async def whole(_: Request) -> Response:
        return JSONResponse(_described(base, gate.issuer))

    async def mcp(_: Request) -> Response:
        return JSONResponse(_described(f"{base}/mcp", gate.issuer))

    return [Route(METADATA, whole), Route(f"{METADATA}/mcp", mcp)]


def _described(resource: str, issuer: str) -> dict[str, Any]:
    return {
        "resource": resource,
        "authorization_servers": [issuer],
        "scopes_supported": [each for each in get_args(Permission) if each not in ("admin", "owner")],
        "bearer_methods_supported": ["header"],
        "resource_name": "Rulebound",
    }


def too_many(error: Limited) -> Refusal:
    return Refusal(429, "too_many", str(error), error.hint, {"retry-after": str(error.wait)})


def away(what: str) -> Refusal:
    return Refusal(503, "away", f"{what} cannot be checked at present", "Try again.", {"retry-after": "5"})


def _user(who: Principal) -> AuthenticatedUser:
    """Binds sessions of the SDK to the principal. It holds no credential."""
    return AuthenticatedUser(AccessToken(token="", client_id=f"{who.kind}:{who.id}", scopes=[], subject=who.id))


SINGLE = frozenset({b"host", b"origin", b"authorization", b"content-length"})


def _headers(scope: Scope) -> dict[bytes, str]:
    """The headers; repeated ones joined. Raises `Refusal` where one that decides is repeated."""
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        text = value.decode("latin-1").strip()
        if name not in found:
            found[name] = text
        elif name in SINGLE:
            raise Refusal(400, "headers", "A header that stands once stands twice")
        else:
            found[name] = f"{found[name]},{text}"
    return found
