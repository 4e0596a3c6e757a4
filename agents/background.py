"""Owns what runs between turns: clocks of worlds that are due, and telling others what was committed.

`Background(games, store.work, store.channels, now=…)`; `async with background:` runs it, in as many workers as there are. All that it
does is kept in the store, so that another worker goes on where one dies. It must not know databases, Redis or rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Self

from agents.game import GameService
from storage import Due, NoSuchGame, Untold, Work
from storage.channels import Channels, ChannelsAway

LEASE = 60.0
"""Seconds for which a worker has what it took; then another one may do it."""
POLL = 1.0
"""Seconds after which a worker looks again, where nothing wakes it before."""
MOST_CLOCKS = 50
MOST_MESSAGES = 1000
MAX_PAUSE = 300.0
"""Seconds: after failures the pause doubles from one second to this."""


class Background:
    """Runs clocks and tells, and `also` what does something when nothing else is to be done and gives how much that was. `now` is
    the clock."""

    def __init__(
        self,
        games: GameService,
        work: Work,
        channels: Channels,
        *,
        now: Callable[[], datetime],
        also: Sequence[Callable[[], Awaitable[int]]] = (),
    ):
        self._also = also
        self._games, self._work, self._channels, self._now = games, work, channels, now
        self.trouble = ""
        """What keeps it from working at present; empty where nothing does."""
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        loops = [
            (self.clocks, asyncio.Event()),
            (self.tell, self._news),
            *((work, asyncio.Event()) for work in self._also),
        ]
        self._tasks = [asyncio.create_task(self._forever(*loop)) for loop in loops]
        self._games.on_told(self.wake)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def wake(self) -> None:
        """Something was committed that others are to be told."""
        self._news.set()

    async def _forever(self, work: Callable[[], Awaitable[int]], news: asyncio.Event) -> None:
        """Does what there is to do, over and over; a store that is away is asked again, less and less often."""
        failures = 0
        while True:
            news.clear()
            try:
                did = await work()
                failures, self.trouble = 0, ""
            except Exception as error:
                # Whatever it is, the others' clocks and messages must not stop for it; health tells of it.
                did, failures, self.trouble = 0, failures + 1, str(error) or type(error).__name__
            if not did:
                with suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), POLL if failures == 0 else pause(failures, most=10.0))

    # --- clocks

    async def clocks(self) -> int:
        """Runs the clocks that are due now, and turns that waited for the database; how many. Raises `StoreError` where the
        store is away."""
        waited = await self._games.catch_up()
        due = await self._work.due(self._now(), MOST_CLOCKS, LEASE)
        await asyncio.gather(*(self._tick(each) for each in due))
        return len(due) + waited

    async def _tick(self, due: Due) -> None:
        try:
            following = await self._games.tick(due.game)
        except NoSuchGame:
            following = None
        except Exception as error:
            # One world's trouble must not stop the others' clocks; it is kept and listed.
            again = self._now() + timedelta(seconds=pause(due.attempts))
            await self._work.failed(due, f"{type(error).__name__}: {error}", again)
            return
        await self._work.done(due, following)

    # --- telling

    async def tell(self) -> int:
        """Publishes what waits; how many. Raises `StoreError` or `ChannelsAway` where one of them is away."""
        waiting = await self._work.untold(self._now(), MOST_MESSAGES, LEASE)
        by_game: dict[str, list[Untold]] = {}
        for each in waiting:
            by_game.setdefault(each.game, []).append(each)
        published: list[str] = []
        try:
            for game, messages in list(by_game.items()):
                published += await self._publish(messages)
                del by_game[game]
        except ChannelsAway:
            await self._work.wait(by_game, self._now())
            raise
        finally:
            # What was published before the channel went away is not published again.
            if published:
                await self._work.told(published)
        return len(published)

    async def _publish(self, messages: Sequence[Untold]) -> list[str]:
        """The ids of those that were published: up to the first that fails."""
        done: list[str] = []
        for each in messages:
            try:
                await self._channels.say(each.told.channel, each.told.payload)
            except ChannelsAway:
                await self._work.told(done)
                raise
            except Exception as error:
                # The next ones of this game wait behind it; it is tried again later, and listed.
                again = self._now() + timedelta(seconds=pause(each.attempts + 1))
                await self._work.unheard(each, f"{type(error).__name__}: {error}", again)
                return done
            done.append(each.told.id)
        return done


def pause(attempts: int, most: float = MAX_PAUSE) -> float:
    """Seconds to wait after so many failures."""
    return min(2.0 ** (attempts - 1), most)
