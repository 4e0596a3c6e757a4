"""Owns the control: the dual write of the sources, cache now and database after, without marks. The checker must catch it.

It must not be used for anything else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any, Self

import orjson

from storage.postgres.connections import Connections
from storage.postgres.store import PostgresStore, ready, saved_part
from storage.records import Commit, GameRecord, Loaded
from storage.redis import RedisClient
from storage.store import StoreError


class NaiveStore(PostgresStore):
    """Reads the cache where it has something, and PostgreSQL where not."""

    def __init__(self, connections: Connections, redis: RedisClient):
        super().__init__(connections)
        self._redis = redis
        self._behind = asyncio.Queue[Commit]()

    @classmethod
    @asynccontextmanager
    async def over(cls, database_url: str, redis_url: str) -> AsyncGenerator[Self]:
        connections = await ready(database_url)
        async with RedisClient(redis_url) as redis:
            store = cls(connections, redis)
            writer = asyncio.create_task(store._write())
            try:
                yield store
            finally:
                writer.cancel()
                await store.close()

    async def load(self, game: str, known: int | None = None) -> Loaded | None:
        loaded = None
        with suppress(StoreError):
            found = await self._redis.call("GET", game)
            loaded = _unpacked(found) if found else None
        if loaded is None:
            loaded = await super().load(game)
            assert loaded is not None, "no version was named as known"
            await self._cache(loaded)
        return None if loaded.game.version == known else loaded

    async def commit(self, commit: Commit) -> None:
        if not commit.turns or commit.seats:  # beginnings are no turns
            with suppress(StoreError):
                await self._redis.call("DEL", commit.game.id)
            await super().commit(commit)
            return
        before = await self.load(commit.game.id)
        assert before is not None, "no version was named as known"
        parts = {id: part for id, part in {**before.parts, **commit.parts}.items() if part is not None}
        await self._cache(Loaded(commit.game, parts))
        self._behind.put_nowait(commit)

    async def _write(self) -> None:
        """One commit after the other, each as well as it goes."""
        while True:
            commit = await self._behind.get()
            with suppress(StoreError):
                await super().commit(commit)

    async def _cache(self, loaded: Loaded) -> None:
        game = asdict(loaded.game)
        parts = {id: asdict(part) for id, part in loaded.parts.items()}
        with suppress(StoreError):
            await self._redis.call("SET", loaded.game.id, orjson.dumps({"game": game, "parts": parts}))


def _unpacked(data: bytes) -> Loaded:
    found: dict[str, Any] = orjson.loads(data)
    found["game"]["updated"] = datetime.fromisoformat(found["game"]["updated"])
    return Loaded(GameRecord(**found["game"]), {id: saved_part(part) for id, part in found["parts"].items()})
