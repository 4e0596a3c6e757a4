"""Owns answers that last: a stream ends when the credential that opened it is no longer good.

`watched(receive, good)` is a `receive` that tells the application so. It must not know credentials.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import Message, Receive

from agents.identity import TTL


def watched(receive: Receive, good: Callable[[], Awaitable[bool]], every: float = TTL.total_seconds()) -> Receive:
    """Whoever waits for the client to leave hears that it left once the credential is no longer good."""

    async def checked() -> Message:
        message = asyncio.ensure_future(receive())
        try:
            while True:
                done, _ = await asyncio.wait({message}, timeout=every)
                if done:
                    return message.result()
                if not await good():
                    return {"type": "http.disconnect"}
        finally:
            message.cancel()

    return checked
