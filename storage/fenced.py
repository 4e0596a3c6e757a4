"""Owns the store that everybody uses: PostgreSQL is the truth, Redis and this process hold fenced copies of it.

`async with FencedStore.opened(database_url, redis_url) as store`. Without Redis it goes on, slower. It must not know rules.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, Self

import orjson

from storage.postgres.connections import Connections
from storage.postgres.fence import PostgresFence, state_of
from storage.postgres.privacy import Erased
from storage.postgres.store import PostgresStore, ready
from storage.records import Commit, GameRecord, Loaded, Part
from storage.redis import Change, Copy, HotCopies, PlayerCache, PubSub, RedisClient, Writes
from storage.redis.channels import RedisChannels
from storage.redis.expiring import RedisExpiring
from storage.redis.link import RedisAway
from storage.redis.rooms import user
from storage.reviving import Reviver

Revive = Callable[[], Awaitable[object]]


class FencedStore(PostgresStore):
    """See `storage.store.Store`. `hot` and `redis` tell how the copies and their server do."""

    def __init__(self, connections: Connections, hot: HotCopies, redis: RedisClient, pubsub: PubSub):
        super().__init__(connections, _Guard(hot))
        self.hot, self.redis, self.pubsub = hot, redis, pubsub
        self.channels = RedisChannels(redis, pubsub)
        self.expiring = RedisExpiring(redis)

    @classmethod
    @asynccontextmanager
    async def opened(cls, database_url: str, redis_url: str, revive: Revive | None = None) -> AsyncGenerator[Self]:
        """Connects to both and migrates. `revive` starts servers of ours that were lost. Raises `StoreAway`,
        `WrongSchema`."""
        reviver = Reviver(revive)
        connections = await ready(database_url, reviver)
        async with (
            RedisClient(redis_url, revive=reviver) as redis,
            PubSub(redis_url) as pubsub,
            HotCopies(redis, pubsub, PostgresFence(connections)) as hot,
        ):
            store = cls(connections, hot, redis, pubsub)
            try:
                yield store
            finally:
                await store.close()

    async def load(self, game: str, known: int | None = None) -> Loaded | None:
        copy = self.hot.get(game) or await self._read(game)
        return None if copy.version == known else _loaded(copy)

    async def _read(self, game: str) -> Copy:
        async def load() -> Copy:
            loaded = await PostgresStore.load(self, game)
            assert loaded is not None, "no version was named as known"
            return Copy(loaded.game.version, _head(loaded.game), {id: _part(part) for id, part in loaded.parts.items()})

        return await self.hot.read(game, load)

    async def erase(self, player: str, name: str, actor: str, address: str = "") -> Erased:
        erased = await super().erase(player, name, actor, address)
        # What anybody holds of these games is from before.
        async with self.hot.writing(*erased.games, *erased.shared) as writes:
            for game in writes.games:
                writes.replaced(game)
        with suppress(RedisAway):  # else it goes by itself within an hour
            await self.redis.call("DEL", user(player).key)
            for experience in erased.experiences:
                await PlayerCache(self.redis).forget(player, experience)
        return erased


class _Guard:
    """Hides the copies of games while they are written, and publishes what they became."""

    def __init__(self, hot: HotCopies):
        self._hot = hot

    async def begin(self, commits: Sequence[Commit]) -> Writes:
        return await self._hot.begin([each.game.id for each in commits])

    async def settle(
        self, marks: Any, kept: Sequence[Commit], refused: Sequence[Commit], fence: Any, asked: float
    ) -> None:
        self._hot.note_fence(state_of(fence), asked)
        for each in kept:
            parts = {id: part and _part(part) for id, part in each.parts.items()}
            marks.committed(each.game.id, Change(each.base, each.game.version, _head(each.game), parts))
        for each in refused:
            marks.refused(each.game.id)
        await self._hot.settle(marks)


def _head(game: GameRecord) -> bytes:
    """A game's record as JSON."""
    return orjson.dumps({name: getattr(game, name) for name in game.__slots__})


def _part(part: Part) -> bytes:
    return orjson.dumps([part.template, part.kind, part.data, part.location, part.point, part.tags])


def _loaded(copy: Copy) -> Loaded:
    head: dict[str, Any] = orjson.loads(copy.head)
    head["updated"] = datetime.fromisoformat(head["updated"])
    return Loaded(GameRecord(**head), {id: _read_part(data) for id, data in copy.parts.items()})


def _read_part(data: bytes) -> Part:
    template, kind, fields, location, point, tags = orjson.loads(data)
    return Part(template, kind, fields, location, point and (point[0], point[1]), tuple(tags))
