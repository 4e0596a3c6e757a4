"""Owns what is kept in Redis of a player in an experience: the session, what is carried, where the player has been.

Every entry knows the version of the game that it was made from and the server that it was given to: an older one never
replaces a newer one, and a server that was rolled back has none. It must not know what is in a session.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from storage.redis.client import RedisClient, Script

HOUR = 3600

_PUT = Script.of("""
-- KEYS: session, inventory, visited. ARGV: run, version, seconds, session, number of items, items, places
local known = redis.call('HMGET', KEYS[1], 'run', 'version')
if known[1] == ARGV[1] and tonumber(known[2]) >= tonumber(ARGV[2]) then return 0 end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
redis.call('HSET', KEYS[1], 'run', ARGV[1], 'version', ARGV[2], 'data', ARGV[4])
local items = tonumber(ARGV[5])
for at = 6, #ARGV do
  redis.call('SADD', at <= 5 + items and KEYS[2] or KEYS[3], ARGV[at])
end
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[3]) end
return 1
""")
_GET = Script.of("""
-- KEYS: session, set or the session again. ARGV: run, least version, member or nothing
local known = redis.call('HMGET', KEYS[1], 'run', 'version', 'data')
if known[1] ~= ARGV[1] or tonumber(known[2]) < tonumber(ARGV[2]) then return false end
if KEYS[1] == KEYS[2] then return {known[2], known[3]} end
if ARGV[3] ~= '' then return {known[2], redis.call('SISMEMBER', KEYS[2], ARGV[3])} end
return {known[2], redis.call('SMEMBERS', KEYS[2])}
""")


@dataclass(frozen=True, slots=True)
class PlayerEntry:
    """A player in an experience, as of a version of the game."""

    version: int
    session: bytes
    inventory: Collection[str]
    visited: Collection[str]


class PlayerCache:
    """Entries live for an hour. Give `least`, the version that is known from elsewhere, where an older answer would be wrong.

    Every method raises `RedisAway`; `None` is a miss: read PostgreSQL, then `put`.
    """

    def __init__(self, client: RedisClient, *, seconds: int = HOUR):
        self._client, self._seconds = client, seconds

    @staticmethod
    def _key(player: str, what: str, experience: str) -> str:
        return f"player:{{{player}}}:{what}:{experience}"

    async def put(self, player: str, experience: str, entry: PlayerEntry) -> bool:
        """Keeps an entry unless a newer one is kept."""
        keys = [self._key(player, what, experience) for what in ("session", "inventory", "visited")]
        args = [self._client.run_id, entry.version, self._seconds, entry.session, len(entry.inventory)]
        return bool(await self._client.run(_PUT, keys, [*args, *entry.inventory, *entry.visited]))

    async def session(self, player: str, experience: str, least: int = 0) -> tuple[int, bytes] | None:
        """The version and the session's bytes."""
        key = self._key(player, "session", experience)
        found = await self._client.run(_GET, [key, key], [self._client.run_id, least, ""])
        return None if found is None else (int(found[0]), found[1])

    async def inventory(self, player: str, experience: str, least: int = 0) -> frozenset[str] | None:
        return await self._members(player, "inventory", experience, least)

    async def visited(self, player: str, experience: str, least: int = 0) -> frozenset[str] | None:
        return await self._members(player, "visited", experience, least)

    async def carries(self, player: str, experience: str, item: str, least: int = 0) -> bool | None:
        return await self._has(player, "inventory", experience, item, least)

    async def has_visited(self, player: str, experience: str, place: str, least: int = 0) -> bool | None:
        return await self._has(player, "visited", experience, place, least)

    async def forget(self, player: str, experience: str) -> None:
        keys = [self._key(player, what, experience) for what in ("session", "inventory", "visited")]
        await self._client.call("DEL", *keys)

    async def _members(self, player: str, what: str, experience: str, least: int) -> frozenset[str] | None:
        keys = [self._key(player, "session", experience), self._key(player, what, experience)]
        found = await self._client.run(_GET, keys, [self._client.run_id, least, ""])
        return None if found is None else frozenset(member.decode() for member in found[1])

    async def _has(self, player: str, what: str, experience: str, member: str, least: int) -> bool | None:
        keys = [self._key(player, "session", experience), self._key(player, what, experience)]
        found = await self._client.run(_GET, keys, [self._client.run_id, least, member])
        return None if found is None else bool(found[1])
