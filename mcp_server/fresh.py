"""Owns how long a client may keep an answer, and whether it may share it: what the protocol of 2026-07-28 calls cache hints.

`HINTS` for lists, `of_resources` for what is read. It must not know what resources hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

RELEASE = CacheHint(ttl_ms=3_600_000, scope="public")
"""What changes with the release alone, and is the same for everybody."""
NEVER = CacheHint(ttl_ms=0, scope="private")
"""What the next turn or commit may change. Who wants to know subscribes."""

HINTS: Mapping[CacheableMethod, CacheHint] = {
    "server/discover": RELEASE,
    "tools/list": RELEASE,
    "prompts/list": RELEASE,
    "resources/list": RELEASE,
    "resources/templates/list": RELEASE,
    "resources/read": NEVER,
}
_RELEASED = ("skill://", "ui://")


async def of_resources(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Says of resources that ship with the release how long they last."""
    answer = await call_next(ctx)
    uri = (ctx.params or {}).get("uri")
    if (
        ctx.method == "resources/read"
        and isinstance(uri, str)
        and uri.startswith(_RELEASED)
        and isinstance(answer, dict)
    ):
        return {**answer, **({"ttlMs": RELEASE.ttl_ms, "cacheScope": RELEASE.scope} if "ttlMs" in answer else {})}
    return answer
