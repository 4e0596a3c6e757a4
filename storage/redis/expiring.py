"""Owns `storage.expiring.Expiring` over Redis: between all workers. It must not know what is kept."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from storage.expiring import ExpiringAway
from storage.redis.client import RedisClient, Script
from storage.redis.link import RedisAway

_SWAP = Script.of("""
-- ARGV: whether something is there, what it is, what it becomes, its life in ms
local found = redis.call('GET', KEYS[1])
if (ARGV[1] == '1' and found == ARGV[2]) or (ARGV[1] == '0' and not found) then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
  return 1
end
return 0
""")


class RedisExpiring:
    """See `storage.expiring.Expiring`."""

    def __init__(self, client: RedisClient):
        self._client = client

    async def get(self, key: str) -> bytes | None:
        with _or_away():
            return await self._client.call("GET", _name(key))

    async def swap(self, key: str, old: bytes | None, new: bytes, seconds: float) -> bool:
        known, life = "0" if old is None else "1", int(seconds * 1000)
        with _or_away():
            return bool(await self._client.run(_SWAP, [_name(key)], [known, old or b"", new, life]))


@contextmanager
def _or_away() -> Generator[None]:
    try:
        yield
    except RedisAway as error:
        raise ExpiringAway(str(error)) from error


def _name(key: str) -> str:
    return f"expiring:{{{key}}}"
