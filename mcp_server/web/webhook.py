"""Owns the signed webhook by which a Git host says that a knowledge base was pushed: `POST /webhook/{kb}`.

`route(catalog, secret)`. GitHub's, Gitea's and Forgejo's signature, GitLab's token, or `X-Signature-256` of anything else. What the
message says is never read: it only makes the server ask the repository. It must not know pages.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import OrderedDict

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agents.knowledge import KnowledgeError
from mcp_server.catalog import Catalog

MAX_BODY = 25 * 1024 * 1024
"""Bytes, as much as GitHub sends; they are hashed as they come and not kept."""
SECONDS = 20.0
"""How long a message may take to come."""
REMEMBERED = 10_000
"""Deliveries that are known again. Each worker knows its own: one that is played to another makes it ask once more, no more."""
_SIGNATURES = ("x-hub-signature-256", "x-signature-256")
_DELIVERIES = ("x-github-delivery", "x-gitea-delivery", "x-gitlab-event-uuid", "x-delivery")


def secret_of(sealed_with: bytes, kb: str) -> str:
    """What is entered at the Git host as the webhook's secret: of this installation, for this knowledge base alone."""
    return hmac.new(sealed_with, b"webhook\0" + kb.encode("utf-8", "surrogatepass"), "sha256").hexdigest()


def route(catalog: Catalog, sealed_with: bytes) -> Route:
    """The route; `sealed_with` is the secret that all workers of the installation share."""
    seen: OrderedDict[tuple[str, str], None] = OrderedDict()
    asking: dict[str, asyncio.Lock] = {}

    async def pushed(request: Request) -> Response:
        kb = request.path_params["kb"]
        secret = secret_of(sealed_with, kb)
        try:
            async with asyncio.timeout(SECONDS):
                genuine = await _genuine(request, secret)
        except _TooLarge:
            return _told(413, "The message is too large", f"At most {MAX_BODY} bytes.")
        except (TimeoutError, ClientDisconnect):
            return _told(408, "The message did not come", "Send it again.")
        if not genuine:
            # Whether there is such a knowledge base is for those to know who have its secret.
            return _told(401, "The signature is missing or wrong", "`rulebound kb webhook NAME` tells the secret.")
        delivery = next((request.headers[name] for name in _DELIVERIES if name in request.headers), "")[:200]
        if delivery and (kb, delivery) in seen:
            return JSONResponse({"status": "seen"})
        try:
            async with asking.setdefault(kb, asyncio.Lock()):
                commit = await catalog.service.refresh(kb)
        except KnowledgeError as error:
            return _told(502, str(error), error.hint)
        if commit is None:
            return _told(404, f"There is no knowledge base {kb!r} to take up", "`rulebound kb list` lists them.")
        if delivery:
            seen[kb, delivery] = None
            while len(seen) > REMEMBERED:
                seen.popitem(last=False)
        return JSONResponse({"status": "taken up", "commit": commit})

    return Route("/webhook/{kb}", pushed, methods=["POST"])


class _TooLarge(Exception):
    """The message has more bytes than `MAX_BODY`."""


async def _genuine(request: Request, secret: str) -> bool:
    """Whether the sender has the secret. The whole message is read where it is signed."""
    token = request.headers.get("x-gitlab-token")
    if token is not None:
        return hmac.compare_digest(token.encode("latin-1", "replace"), secret.encode())
    given = next((request.headers[name] for name in _SIGNATURES if name in request.headers), "")
    digest, size = hmac.new(secret.encode(), digestmod=hashlib.sha256), 0
    if int(request.headers.get("content-length") or 0) > MAX_BODY:
        raise _TooLarge
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise _TooLarge
        digest.update(chunk)
    return hmac.compare_digest(given.encode("latin-1", "replace"), f"sha256={digest.hexdigest()}".encode())


def _told(status: int, error: str, hint: str) -> JSONResponse:
    return JSONResponse({"error": error, "hint": hint}, status)
