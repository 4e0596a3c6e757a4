"""Owns the second connection to Redis: messages of channels, handed to callbacks as they come.

`await pubsub.listen(channel, on_message)`; the callback gets the bytes of every message, and `None` where hearing begins, or
begins again after the connection was lost: what was said before is not known. It must not know what the messages mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from storage.redis.client import Backoff
from storage.redis.link import connection

OnMessage = Callable[[bytes | None], None]


@dataclass(slots=True)
class _Channel:
    """Who listens, and whether the server has confirmed it on the present connection."""

    listeners: list[OnMessage] = field(default_factory=list[OnMessage])
    confirmed: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, data: bytes | None) -> None:
        for on_message in tuple(self.listeners):
            on_message(data)


class PubSub:
    """Keeps its subscriptions over reconnections. A callback must be quick and must not raise."""

    def __init__(self, url: str, *, timeout: float = 1.0, backoff: Backoff | None = None):
        self._url, self._timeout = url, timeout
        self._backoff = backoff or Backoff()
        self._channels: dict[bytes, _Channel] = {}
        self._connection: AbstractConnection | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._heard = True

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None

    def listening(self, channel: str) -> bool:
        """Whether messages of the channel reach us now."""
        found = self._channels.get(channel.encode())
        return found is not None and found.confirmed.is_set()

    async def listen(self, channel: str, on_message: OnMessage) -> bool:
        """Adds a callback and waits for the server to confirm the channel; False: not yet, it will when it can."""
        name = channel.encode()
        found = self._channels.get(name)
        if found is None:
            found = self._channels[name] = _Channel()
            await self._send("SUBSCRIBE", name)
        found.listeners.append(on_message)
        if found.confirmed.is_set():
            on_message(None)
        with suppress(TimeoutError):
            await asyncio.wait_for(found.confirmed.wait(), self._timeout)
        return found.confirmed.is_set()

    async def forget(self, channel: str, on_message: OnMessage) -> None:
        name = channel.encode()
        found = self._channels[name]
        found.listeners.remove(on_message)
        if not found.listeners:
            del self._channels[name]
            await self._send("UNSUBSCRIBE", name)

    # --- the background

    async def _send(self, *words: bytes | str) -> None:
        """Sends where there is a connection; a new connection subscribes to everything anyway."""
        if self._connection is not None:
            with suppress(RedisError, OSError):
                await self._connection.send_command(*words, check_health=False)

    async def _keep(self) -> None:
        while True:
            link = connection(self._url, self._timeout)
            try:
                await link.connect()
                self._connection = link
                self._backoff.reset()
                if self._channels:
                    await self._send("SUBSCRIBE", *self._channels)
                await self._serve(link)
            except (RedisError, OSError):
                pass  # it is tried again, and the client tells why
            finally:
                self._connection = None
                for channel in self._channels.values():
                    channel.confirmed.clear()
                await link.disconnect(nowait=True)
            await asyncio.sleep(self._backoff.take())

    async def _serve(self, link: AbstractConnection) -> None:
        """Hands out messages until the connection breaks or falls silent."""
        self._heard = True
        tasks = {asyncio.create_task(self._ping()), asyncio.create_task(self._read(link))}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ping(self) -> None:
        """Ends when the server has been silent after a ping."""
        while self._heard:
            self._heard = False
            await self._send("PING")
            await asyncio.sleep(self._timeout)

    async def _read(self, link: Any) -> None:
        while True:
            reply: Any = await link.read_response(disconnect_on_error=False)
            self._heard = True
            if isinstance(reply, bytes):  # PONG, where nothing is subscribed yet
                continue
            channel = self._channels.get(reply[1])
            if channel is not None and reply[0] == b"message":
                channel.tell(reply[2])
            elif channel is not None and reply[0] == b"subscribe":
                channel.confirmed.set()
                channel.tell(None)
