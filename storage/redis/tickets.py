"""Owns tickets: short-lived words that stand once for something that should not be said in a URL.

`ticket = await tickets.issue(data)`, `data = await tickets.redeem(ticket)`. It must not know what they stand for.
"""

from __future__ import annotations

import hashlib
import secrets

from storage.redis.client import RedisClient

LIFE = 30
"""Seconds."""


class Tickets:
    """Shared by all workers. Raises `RedisAway`."""

    def __init__(self, client: RedisClient):
        self._client = client

    async def issue(self, data: bytes) -> str:
        """128 random bits in hexadecimal digits."""
        ticket = secrets.token_hex(16)
        await self._client.call("SET", _name(ticket), data, "EX", LIFE)
        return ticket

    async def redeem(self, ticket: str) -> bytes | None:
        """What the ticket stands for; None: it is unknown, too old, or was redeemed before."""
        return await self._client.call("GETDEL", _name(ticket))


def _name(ticket: str) -> str:
    """Who can read keys in Redis cannot redeem what they name."""
    return f"ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"
