"""Owns the news of which games have changed, for whoever shows one without playing it: in any worker, some times a second.

`News(channels).changed(game)` after each commit; `async with news.listen() as changed: async for games in changed: …`. It must
not know who looks, nor what changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress

from storage.channels import Channels, ChannelsAway

CHANNEL = "room:changed-games"
PAUSE = 0.05
"""Seconds in which changes are collected: a busy server tells many games at once."""


class News:
    """What changed is told by each process that plays; what is missed while Redis is away is told as `None`: look again."""

    def __init__(self, channels: Channels):
        self._channels = channels
        self._changed = set[str]()
        self._telling: asyncio.Task[None] | None = None

    def changed(self, game: str) -> None:
        """A game has a new version."""
        self._changed.add(game)
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell())

    async def close(self) -> None:
        """Tells what is yet to be told."""
        if self._telling is not None:
            await self._telling

    async def _tell(self) -> None:
        try:
            while self._changed:
                await asyncio.sleep(PAUSE)
                games, self._changed = sorted(self._changed), set[str]()
                with suppress(ChannelsAway):  # listeners are told that they missed something
                    await self._channels.say(CHANNEL, {"games": games})
        finally:
            self._telling = None

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator[AsyncIterator[list[str] | None]]:
        """Ids of games that have changed from now on; None: any of them may have."""
        async with self._channels.listen(CHANNEL) as said:
            yield _games(said)


async def _games(said: AsyncIterator[dict[str, list[str]] | None]) -> AsyncIterator[list[str] | None]:
    async for each in said:
        yield None if each is None else each["games"]
