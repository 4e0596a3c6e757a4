"""Owns connections that last: a WebSocket or a stream ends when the credential that opened it is no longer good.

`watched(scope, receive, send, good)` is a `receive` that tells the application so. It must not know credentials.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import Message, Receive, Scope, Send

from agents.identity import TTL

CLOSED = 4401
"""With which a WebSocket ends: show a credential again."""


def watched(
    scope: Scope,
    receive: Receive,
    send: Send,
    good: Callable[[], Awaitable[bool]],
    every: float = TTL.total_seconds(),
) -> Receive:
    """Asks whether the credential is good with each message, and every so many seconds without one."""

    async def checked() -> Message:
        message = asyncio.ensure_future(receive())
        try:
            while True:
                done, _ = await asyncio.wait({message}, timeout=every)
                if not await good():
                    break
                if done:
                    return message.result()
        finally:
            message.cancel()
        if scope["type"] == "http":
            return {"type": "http.disconnect"}
        await send({"type": "websocket.close", "code": CLOSED, "reason": "The credential is no longer good"})
        return {"type": "websocket.disconnect", "code": CLOSED}

    return checked
