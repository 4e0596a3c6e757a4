"""Owns what reading and writing hot copies share in one worker: its names, its clock, what it knows of the fence, its memory.

`storage.redis.hot` builds one `Site`. It must not know the protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from storage.redis.client import RedisClient
from storage.redis.copies import Ask, Copy, Memory
from storage.redis.fence import FenceView, Times
from storage.redis.pubsub import PubSub


@dataclass(slots=True)
class HotStats:
    """Where reads were answered, and what became of writes."""

    process: int = 0
    redis: int = 0
    loaded: int = 0
    filled: int = 0
    marked: int = 0
    unmarked: int = 0
    """Writes without marks, while nobody reads copies."""
    waited: int = 0
    """Writes that waited for readers in other workers."""
    lost: int = 0
    """Writes whose mark was gone or too old after the commit; they were marked again before they were acknowledged."""

    @property
    def hit_rate(self) -> float:
        """The share of reads that PostgreSQL did not see."""
        reads = self.process + self.redis + self.loaded
        return (self.process + self.redis) / reads if reads else 0.0


@dataclass(slots=True)
class Site:
    """One worker. `worker` is new at every start of a process and has no space in it."""

    worker: str
    prefix: str
    client: RedisClient
    pubsub: PubSub
    fence: FenceView
    memory: Memory
    times: Times
    life: int
    """Milliseconds for which a copy stays in Redis after it was last read."""
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    stats: HotStats
    tokens: int = 0

    @property
    def lease(self) -> int:
        """Milliseconds of a lease."""
        return int(self.times.lease * 1000)

    @property
    def channels(self) -> str:
        """What the channels of workers begin with."""
        return f"{self.prefix}:worker:"

    @property
    def channel(self) -> str:
        return self.channels + self.worker

    def keys(self, game: str) -> tuple[str, ...]:
        """The game's keys under the present server and epoch: copy, marks, fill token, readers. One slot of a cluster."""
        state = self.fence.state
        base = f"{self.prefix}:{state.run[:12]}:{state.epoch}:{{{game}}}:"
        return base + "h", base + "m", base + "f", base + "r"

    def token(self) -> str:
        self.tokens += 1
        return f"{self.worker}.{self.tokens}"

    def linked(self) -> bool:
        """Whether we are connected to the server that holds the copies."""
        run = self.client.run_id
        return bool(run) and run == self.fence.state.run

    def hot(self) -> bool:
        return self.now() < self.fence.hot_until and self.linked()

    async def refresh(self) -> None:
        """Knows the fence as of half a `Times.fresh` ago or less. Raises what the fence raises."""
        await self.fence.refresh(self.client.run_id)

    def ask(self, game: str) -> Ask:
        return self.memory.ask(game, self.now(), self.fence.state.epoch)

    def hold(self, ask: Ask, copy: Copy) -> None:
        """Holds what was answered, for as long as the lease that was asked for with it."""
        if not ask.spoiled and self.pubsub.listening(self.channel):
            self.memory.hold(ask.game, copy, ask.sent + self.times.lease)

    async def either(self, event: asyncio.Event, seconds: float) -> None:
        """Waits for the event, or until the time is over."""
        waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self.sleep(seconds))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
