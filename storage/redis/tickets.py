"""Owns tickets: short-lived words that stand once for a secret that should not be said in a URL.

`ticket = await tickets.issue(secret)`, `secret = await tickets.redeem(ticket)`. It must not know what the secret is for.
"""

from __future__ import annotations

import hashlib

from cryptography.fernet import Fernet, InvalidToken

from storage.redis.client import RedisClient

LIFE = 30
"""Seconds."""


class Tickets:
    """Shared by all workers. Raises `RedisAway`."""

    def __init__(self, client: RedisClient):
        self._client = client

    async def issue(self, secret: str) -> str:
        """256 random bits, which are what the secret is sealed with: whoever reads Redis cannot read it."""
        ticket = Fernet.generate_key()
        await self._client.call("SET", _name(ticket), Fernet(ticket).encrypt(secret.encode()), "EX", LIFE)
        return ticket.decode()

    async def redeem(self, ticket: str) -> str | None:
        """What the ticket stands for; None: it is unknown, too old, or was redeemed before."""
        sealed = await self._client.call("GETDEL", _name(ticket.encode()))
        try:
            return None if sealed is None else Fernet(ticket).decrypt(sealed).decode()
        except (InvalidToken, ValueError):
            return None


def _name(ticket: bytes) -> str:
    return f"ticket:{hashlib.sha256(ticket).hexdigest()}"
