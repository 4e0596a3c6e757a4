"""Owns rate limits that all workers share: token buckets, counted on the server by its clock.

`await limits.take("player:ada", rate=10, burst=20)`. It must not know what is limited.
"""

from __future__ import annotations

from dataclasses import dataclass

from storage.redis.client import RedisClient, Script

_TAKE = Script.of("""
-- ARGV: tokens a second, most tokens, how many are wanted. Gives allowed, tokens left, seconds to wait, as text.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local rate, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local known = redis.call('HMGET', KEYS[1], 'tokens', 'time')
local tokens = math.min(burst, (tonumber(known[1]) or burst) + math.max(0, now - (tonumber(known[2]) or now)) * rate)
local allowed = tokens >= cost
if allowed then tokens = tokens - cost end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'time', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return {allowed and 1 or 0, tostring(tokens), tostring(allowed and 0 or (cost - tokens) / rate)}
""")


@dataclass(frozen=True, slots=True)
class Taken:
    """Whether it is allowed; if not, in how many seconds it is."""

    allowed: bool
    left: float
    wait: float


class Limits:
    """Buckets by name. Raises `RedisAway`: the caller decides whether to go on without a limit."""

    def __init__(self, client: RedisClient):
        self._client = client

    async def take(self, name: str, *, rate: float, burst: float, cost: float = 1.0) -> Taken:
        """Takes tokens from a bucket that holds `burst` and gets `rate` a second."""
        allowed, left, wait = await self._client.run(_TAKE, [f"limit:{{{name}}}"], [rate, burst, cost])
        return Taken(bool(allowed), float(left), float(wait))
