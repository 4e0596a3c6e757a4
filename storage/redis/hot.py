"""Owns the hot copy of games: in this process, then in Redis, fenced so that nobody reads an older version than was
acknowledged or seen before. `docs/decisions/0003-fenced-hot-copy.md` tells the protocol and why it is safe.

`hot.get(game)`, `await hot.read(game, load)`, `async with hot.writing(game) as writes: commit; writes.committed(game, change)`.
It must not know what a game is, nor PostgreSQL, which it meets only as `Fence` and in its callers.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal, Self

from storage.redis.client import RedisClient
from storage.redis.copies import Copy, Memory, copy_of, fields
from storage.redis.fence import Fence, FenceView, Times
from storage.redis.pubsub import PubSub
from storage.redis.scripts import FILL, READ
from storage.redis.site import HotStats, Site
from storage.redis.writing import Writes, Writing
from storage.store import StoreError

logger = logging.getLogger(__name__)
FILLING = 3000
"""Milliseconds for which one reader is the only one who may fill in a missing copy."""


class HotCopies:
    """The copies that one worker reads and writes. `worker` must be new at every start of a process."""

    def __init__(
        self,
        client: RedisClient,
        pubsub: PubSub,
        fence: Fence,
        worker: str | None = None,
        *,
        times: Times | None = None,
        life: float = 900.0,
        limit: int = 4096,
        prefix: str = "rb",
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ):
        times = times or Times()
        self.stats = HotStats()
        self._now = now
        self._memory = Memory(limit)
        self._fence = FenceView(fence, times, self._memory.forget_all, now, sleep)
        self._held = self._memory.get
        self._site = Site(
            worker=worker or uuid.uuid4().hex[:16], prefix=prefix, client=client, pubsub=pubsub, fence=self._fence,
            memory=self._memory, times=times, life=int(life * 1000), now=now, sleep=sleep, stats=self.stats,
        )  # fmt: skip
        self._writing = Writing(self._site)
        self.begin = self._writing.begin
        self.settle = self._writing.settle
        self.note_fence = self._fence.note
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        site = self._site
        await site.pubsub.listen(site.channel, self._writing.heard)
        with suppress(StoreError):
            await site.refresh()
        self._background(self._every(site.times.fresh / 4, site.refresh))
        self._background(self._every(site.times.lease / 4, self.renew))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._site.pubsub.forget(self._site.channel, self._writing.heard)

    # --- reading

    def get(self, game: str) -> Copy | None:
        """The copy in this process, where it is known to be the newest."""
        held = self._held(game)
        if held is None:
            return None
        now = self._now()
        if now >= held.until or now >= self._fence.hot_until:
            return None
        held.used = True
        self.stats.process += 1
        return held.copy

    async def read(self, game: str, load: Callable[[], Awaitable[Copy]]) -> Copy:
        """The newest copy: from this process, from Redis, or from PostgreSQL by `load`, whose errors are raised."""
        copy = self.get(game)
        if copy is not None:
            return copy
        token = self._site.token()
        copy, keys = await self._ask(game, token)
        if copy is not None:
            self.stats.redis += 1
            return copy
        self.stats.loaded += 1
        copy = await load()
        self._memory.keep(game, copy)
        if keys:
            self._background(self._fill(game, copy, token, keys))
        return copy

    @property
    def mode(self) -> Literal["hot", "quiet", "off"]:
        """For health reports. `quiet`: nobody reads copies, because a worker is without Redis or the server is new; `off`:
        we do not, because Redis is not connected or the fence is not known."""
        if self._site.hot():
            return "hot"
        return "quiet" if self._site.linked() and self._now() < self._fence.covered else "off"

    def last_known(self, game: str) -> Copy | None:
        """A copy that was the newest once, for when PostgreSQL is away: whoever shows it says so."""
        held = self._held(game)
        return None if held is None else held.copy

    async def renew(self) -> None:
        """Renews the leases that end soon, of copies that were read since the last time."""
        if self._site.hot():
            soon = self._now() + self._site.times.lease / 2
            await asyncio.gather(*(self._ask(game, "") for game in self._memory.lapsing(soon)))

    async def _ask(self, game: str, token: str) -> tuple[Copy | None, tuple[str, ...]]:
        """The copy that Redis has; else the keys where we may fill one in by the token, if it is not empty; else nothing."""
        site = self._site
        if not site.hot():
            return None, ()
        keys, held, ask = site.keys(game), self._held(game), site.ask(game)
        version = -1 if held is None else held.copy.version
        try:
            reply = await site.client.run(READ, keys, (site.worker, site.lease, version, token, FILLING, site.life))
        except StoreError:
            return None, ()
        finally:
            self._memory.answered(ask)
        if site.now() >= self._fence.hot_until or ask.epoch != self._fence.state.epoch:
            return None, ()
        if reply[0] == b"copy" or reply[0] == b"same":
            copy = held.copy if held is not None and reply[0] == b"same" else copy_of(reply[1])
            site.hold(ask, copy)
            return copy, ()
        return None, keys if reply[0] == b"fill" else ()

    async def _fill(self, game: str, copy: Copy, token: str, keys: tuple[str, ...]) -> None:
        """Stores what was loaded after the token was given."""
        site = self._site
        ask = site.ask(game)
        pairs = fields(copy.version, copy.head, copy.parts)
        try:
            if await site.client.run(FILL, keys, (site.worker, site.lease, token, site.life, *pairs)):
                self.stats.filled += 1
                if keys == site.keys(game):
                    site.hold(ask, copy)
        except StoreError:
            pass  # the next reader tries again
        finally:
            self._memory.answered(ask)

    # --- writing: `begin` and `settle` for many games at once, or

    @asynccontextmanager
    async def writing(self, *games: str) -> AsyncGenerator[Writes]:
        """Hides the games' copies; commit inside, tell what came of it; after the block the commits may be acknowledged."""
        writes = await self.begin(games)
        try:
            yield writes
        finally:
            await self.settle(writes)

    # --- the background

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._site.sleep(seconds)
            try:
                await work()
            except StoreError:
                pass  # it is tried again, and whoever needs it is told
            except Exception:
                logger.exception("the background of the hot copies failed; it goes on")
