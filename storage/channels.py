"""Owns the `Channels` protocol: telling whoever listens now, in any worker, and who is there; and the one of a single process.

`store.channels`. What must not be missed is kept by the store, and read there by who was told that they missed something.
It must not know what is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from storage.records import Json


class ChannelsAway(Exception):
    """Nobody can be told anything at present, and nothing is wrong with what was to be told."""


class Channels(Protocol):
    """Channels have names: `user:{player}`, `room:{game}:{place}`, `global`."""

    async def say(self, channel: str, data: Json) -> None:
        """Tells everyone who listens. Raises `ChannelsAway`."""
        ...

    def listen(self, channel: str) -> AbstractAsyncContextManager[AsyncIterator[Json | None]]:
        """What is said from now on, sometimes twice; None: something may have been missed. It ends never."""
        ...

    async def recent(self, channel: str) -> Sequence[Json]:
        """What was said last, oldest first. Raises `ChannelsAway`."""
        ...

    async def enter(self, place: str, member: str, seconds: float) -> None:
        """Somebody is there, for so long unless they say so again. Raises `ChannelsAway`."""
        ...

    async def leave(self, place: str, member: str) -> None:
        """Raises `ChannelsAway`."""
        ...

    async def who(self, place: str) -> Sequence[str]:
        """Raises `ChannelsAway`."""
        ...


KEPT = 100
"""How much of what was said on a channel is kept for those who come later."""


class LocalChannels:
    """`Channels` within one process. Whoever entered stays until they leave."""

    def __init__(self) -> None:
        self._listening: dict[str, list[asyncio.Queue[Json | None]]] = {}
        self._said: dict[str, list[Json]] = {}
        self._there: dict[str, dict[str, None]] = {}

    async def say(self, channel: str, data: Json) -> None:
        self._said[channel] = [*self._said.get(channel, ()), data][-KEPT:]
        for queue in self._listening.get(channel, ()):
            queue.put_nowait(data)

    @asynccontextmanager
    async def listen(self, channel: str) -> AsyncGenerator[AsyncIterator[Json | None]]:
        queue: asyncio.Queue[Json | None] = asyncio.Queue()
        self._listening.setdefault(channel, []).append(queue)
        try:
            yield _events(queue)
        finally:
            self._listening[channel].remove(queue)

    async def recent(self, channel: str) -> Sequence[Json]:
        return self._said.get(channel, [])

    async def enter(self, place: str, member: str, seconds: float) -> None:
        self._there.setdefault(place, {})[member] = None

    async def leave(self, place: str, member: str) -> None:
        self._there.get(place, {}).pop(member, None)

    async def who(self, place: str) -> Sequence[str]:
        return list(self._there.get(place, ()))


async def _events(queue: asyncio.Queue[Json | None]) -> AsyncIterator[Json | None]:
    while True:
        yield await queue.get()
