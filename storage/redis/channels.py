"""Owns `storage.channels.Channels` over Redis: between all workers. It must not know what is said."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager

import orjson

from storage.channels import ChannelsAway
from storage.records import Json
from storage.redis.client import RedisClient
from storage.redis.link import RedisAway
from storage.redis.presence import Presence, in_room
from storage.redis.pubsub import PubSub
from storage.redis.rooms import Event, Missed, Rooms
from storage.redis.rooms import channel as named


class RedisChannels:
    """See `storage.channels.Channels`."""

    def __init__(self, client: RedisClient, pubsub: PubSub):
        self._rooms, self._presence = Rooms(client, pubsub), Presence(client)

    async def say(self, channel: str, data: Json) -> None:
        with _or_away():
            await self._rooms.say(named(channel), orjson.dumps(data))

    @asynccontextmanager
    async def listen(self, channel: str) -> AsyncGenerator[AsyncIterator[Json | None]]:
        async with self._rooms.listen(named(channel)) as events:
            yield _read(events)

    async def recent(self, channel: str) -> Sequence[Json]:
        with _or_away():
            events, _ = await self._rooms.recent(named(channel))
        return [orjson.loads(each.data) for each in events]

    async def enter(self, place: str, member: str, seconds: float) -> None:
        with _or_away():
            await self._presence.enter(in_room(place), member, seconds)

    async def leave(self, place: str, member: str) -> None:
        with _or_away():
            await self._presence.leave(in_room(place), member)

    async def who(self, place: str) -> Sequence[str]:
        with _or_away():
            return await self._presence.who(in_room(place))


@contextmanager
def _or_away() -> Generator[None]:
    try:
        yield
    except RedisAway as error:
        raise ChannelsAway(str(error)) from error


async def _read(events: AsyncIterator[Event | Missed]) -> AsyncIterator[Json | None]:
    async for each in events:
        yield None if isinstance(each, Missed) else orjson.loads(each.data)
