"""Owns a cache in two layers, this process and Redis, for what never changes under its key (a decision, a model's answer).

`await cache.get(key)`, `await cache.put(key, data)`; keys name everything that the value depends on. It must not be used for
the state of a game: that is `storage.redis.hot`.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

from storage.redis.client import RedisClient
from storage.redis.link import RedisAway


class LayeredCache:
    """Values live `memory` seconds in this process, the newest `limit` of them, and `redis` seconds in Redis."""

    def __init__(
        self,
        client: RedisClient,
        name: str,
        *,
        memory: float,
        redis: float,
        limit: int = 1024,
        now: Callable[[], float] = time.monotonic,
    ):
        self._client, self._name, self._memory, self._redis = client, name, memory, redis
        self._limit, self._now = limit, now
        self._held: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self.hits = self.redis_hits = self.misses = 0

    async def get(self, key: str) -> bytes | None:
        """The value; without Redis only what this process has."""
        held = self._held.get(key)
        if held is not None and self._now() < held[0]:
            self._held.move_to_end(key)
            self.hits += 1
            return held[1]
        data: bytes | None = None
        with suppress(RedisAway):
            data = await self._client.call("GET", self._key(key))
        if data is None:
            self.misses += 1
            return None
        self.redis_hits += 1
        self._hold(key, data)
        return data

    async def put(self, key: str, data: bytes) -> None:
        self._hold(key, data)
        with suppress(RedisAway):
            await self._client.call("SET", self._key(key), data, "PX", int(self._redis * 1000))

    def _key(self, key: str) -> str:
        return f"cache:{self._name}:{{{key}}}"

    def _hold(self, key: str, data: bytes) -> None:
        self._held[key] = (self._now() + self._memory, data)
        self._held.move_to_end(key)
        while len(self._held) > self._limit:
            self._held.popitem(last=False)
