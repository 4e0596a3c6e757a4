"""Owns who is where, and until when: in a room, online, active in an experience. Who does not say so again is gone.

`await presence.enter(in_room("tavern"), "ada", seconds=60)`; `await presence.who(in_room("tavern"))`. It must not know why.
"""

from __future__ import annotations

from collections.abc import Sequence

from storage.redis.client import RedisClient, Script

_ENTER = Script.of("""
-- ARGV: member, ms. Gives 1 when it was not there before.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local new = redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return new
""")
_WHO = Script.of("""
local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time[1] * 1000 + math.floor(time[2] / 1000))
return redis.call('ZRANGE', KEYS[1], 0, -1)
""")

ONLINE = "global:active_players"
ACTIVE = 1800.0
"""Seconds for which a player counts as active after the last turn."""


def in_room(id: str) -> str:
    return f"room:{{{id}}}:players"


def active_in(experience: str) -> str:
    return f"experience:{{{experience}}}:active_players"


class Presence:
    """All methods raise `RedisAway`."""

    def __init__(self, client: RedisClient):
        self._client = client

    async def enter(self, place: str, member: str, seconds: float) -> bool:
        """Is there for some seconds more; True: was not there before."""
        return bool(await self._client.run(_ENTER, [place], [member, int(seconds * 1000)]))

    async def leave(self, place: str, member: str) -> bool:
        return bool(await self._client.call("ZREM", place, member))

    async def who(self, place: str) -> Sequence[str]:
        """Who is there; who leaves first comes first."""
        return [member.decode() for member in await self._client.run(_WHO, [place])]
