"""Owns channels between workers: what is said in a room, to a user or to all, kept a while for those who come later.

`await rooms.say(room("tavern"), data)`; `async for event in rooms.listen(room("tavern"), after=last_id)`. An event may be
delivered twice, by its id, but never silently lost: see `Missed`. It must not know what is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from storage.redis.client import RedisClient, Script
from storage.redis.link import RedisAway
from storage.redis.pubsub import PubSub

_SAY = Script.of("""
-- ARGV: events kept, their life in ms, channel, data
local id = redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[1], '*', 'd', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PUBLISH', ARGV[3], id .. ' ' .. ARGV[4])
return id
""")
_RECENT = Script.of("""
-- ARGV: the last id that was seen or nothing, number of events. First whether nothing between is gone.
if ARGV[1] == '' then
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', ARGV[2])
  local events = {}
  for at = #last, 1, -1 do events[#events + 1] = last[at] end
  return {1, events}
end
local known = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
local events = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+')
return {#known, events}
""")

NOTHING = "0-0"
"""The id before the first."""


@dataclass(frozen=True, slots=True)
class Channel:
    """Where something is said: its name in publish and subscribe, and the key of what was said."""

    name: str
    key: str


def room(id: str) -> Channel:
    return Channel(f"room:{id}", f"room:{{{id}}}:events")


def user(id: str) -> Channel:
    return Channel(f"user:{id}", f"user:{{{id}}}:events")


GLOBAL = Channel("global", "global:events")


def channel(name: str) -> Channel:
    """The channel of this name: `room:…`, `user:…` or `global`."""
    kind, _, id = name.partition(":")
    return {"room": room, "user": user}[kind](id) if id else GLOBAL


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was said. Ids of a channel grow; `after` takes up after one."""

    id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Missed:
    """Events may have been missed before the next one: read again what they are about."""


def _order(id: str) -> tuple[int, int]:
    time, _, number = id.partition("-")
    return int(time), int(number)


class Listener:
    """What one subscriber has not yet taken. Of a slow one events are dropped, and it is told."""

    def __init__(self, limit: int):
        self._limit = limit
        self._events: list[Event | None] = []
        self._arrived = asyncio.Event()

    def hear(self, message: bytes | None) -> None:
        if len(self._events) >= self._limit:
            self._events.clear()
            message = None
        if message is None:
            self._events.append(None)
        else:
            id, _, data = message.partition(b" ")
            self._events.append(Event(id.decode(), data))
        self._arrived.set()

    async def take(self) -> list[Event | None]:
        """Waits for events; `None`: some may be lost here."""
        await self._arrived.wait()
        self._arrived.clear()
        events, self._events = self._events, []
        return events


class Rooms:
    """Channels of all workers on the same Redis."""

    def __init__(
        self, client: RedisClient, pubsub: PubSub, *, kept: int = 100, seconds: float = 3600.0, backlog: int = 1000
    ):
        self._client, self._pubsub = client, pubsub
        self._kept, self._life, self._backlog = kept, int(seconds * 1000), backlog

    async def say(self, channel: Channel, data: bytes) -> str:
        """Tells all who listen, in every worker; gives the event's id. Raises `RedisAway`: then say it again later."""
        id = await self._client.run(_SAY, [channel.key], [self._kept, self._life, channel.name, data])
        return id.decode()

    async def recent(self, channel: Channel, after: str = "", limit: int | None = None) -> tuple[Sequence[Event], bool]:
        """The events after the one that was seen last, and whether they are all; for a new joiner the last `limit`, or all."""
        whole, rows = await self._client.run(_RECENT, [channel.key], [after, limit or self._kept])
        return [Event(id.decode(), fields[1]) for id, fields in rows], bool(whole)

    @asynccontextmanager
    async def listen(self, channel: Channel, after: str = "") -> AsyncGenerator[AsyncIterator[Event | Missed]]:
        """What was said lately, or since the event `after`, and then everything as it comes.

        `async with rooms.listen(channel) as events: async for event in events: ...`. The iterator never ends by itself.
        """
        listener = Listener(self._backlog)
        await self._pubsub.listen(channel.name, listener.hear)
        try:
            yield self._events(channel, listener, after)
        finally:
            await self._pubsub.forget(channel.name, listener.hear)

    async def _events(self, channel: Channel, listener: Listener, last: str) -> AsyncIterator[Event | Missed]:
        while True:
            for event in await listener.take():
                if event is not None:
                    if _order(event.id) > _order(last):
                        last = event.id
                        yield event
                    continue
                # We hear everything from here on; what was said before is read, and told apart by its id if it comes twice.
                events, whole = await self._catch_up(channel, last)
                last = last if whole and last else NOTHING
                if not whole:
                    yield Missed()
                for earlier in events:
                    last = earlier.id
                    yield earlier

    async def _catch_up(self, channel: Channel, after: str) -> tuple[Sequence[Event], bool]:
        """As `recent`, as soon as Redis answers; where something is gone, all that is kept."""
        while True:
            await self._client.connected()
            with suppress(RedisAway):
                events, whole = await self.recent(channel, after)
                return (events, True) if whole else ((await self.recent(channel))[0], False)
