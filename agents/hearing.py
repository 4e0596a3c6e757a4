"""Owns what a player hears while they sit at the prompt: what others say and do, and who is there.

`async with listening(store, seat, since) as heard: async for each in heard: …`. What is told through channels comes at once;
what was missed is read from the store, so that nothing is lost or told twice. It must not know terminals or Redis.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass

from storage import Seat, Store, StoreError
from storage.channels import ChannelsAway
from storage.records import Json

POLL = 10.0
"""Seconds after which the store is asked, in case nobody can tell us."""
BATCH = 500
"""Turns that are read at a time."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that a player hears. `turn` is the one it came from and `at` its place there, to go on after; presence has
    the turn that was read last, and no place."""

    turn: int
    type: str
    text: str
    at: int | None = None
    made: float | None = None
    """When the turn was taken, in seconds since 1970; None where that is not known."""


@asynccontextmanager
async def listening(
    store: Store, seat: Seat, since: int, at: int | None = None, *, poll: float = POLL
) -> AsyncGenerator[AsyncIterator[Heard]]:
    """What a player hears after turn `since`, or after place `at` in it, without end."""
    place, member = f"game:{seat.game}", f"{seat.instance} {seat.name}"
    async with store.channels.listen(f"user:{seat.player}") as news:
        ear = _Ear(store, seat, (since, at), place, member, poll)
        try:
            async with aclosing(ear.hear(news)) as heard:
                yield heard
        finally:
            with suppress(ChannelsAway):
                await store.channels.leave(place, member)


class _Ear:
    """`floor` is the turn up to which the store was read; `given` what was told since, by turn and place in it."""

    def __init__(self, store: Store, seat: Seat, since: tuple[int, int | None], place: str, member: str, poll: float):
        self._store, self._seat, self._place, self._member, self._poll = store, seat, place, member, poll
        turn, at = since
        self._floor = turn if at is None else turn - 1
        self._given = set[tuple[int, int]]() if at is None else {(turn, place) for place in range(at + 1)}
        self._present: frozenset[str] | None = None

    async def hear(self, news: AsyncIterator[Json | None]) -> AsyncGenerator[Heard]:
        coming: asyncio.Task[Json | None] | None = None
        loop = asyncio.get_running_loop()
        read, until = True, 0.0
        try:
            while True:
                if read:
                    # Many who came at once do not ask at once for ever.
                    until = loop.time() + self._poll * random.uniform(0.5, 1.0)
                    async for each in self._from_store():
                        yield each
                    for each in await self._presence():
                        yield each
                coming = coming or asyncio.create_task(_next(news))
                await asyncio.wait((coming,), timeout=max(0.0, until - loop.time()))
                event, read = None, True
                if coming.done():
                    event, coming = coming.result(), None
                    read = event is None
                if event is not None and self._is_new(event):
                    yield Heard(event["turn"], event["type"], event["text"], event["at"], event.get("made"))
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)

    def _is_new(self, event: Json) -> bool:
        """Whether it is of this game and was not told before."""
        key = (event["turn"], event["at"])
        if event["game"] != self._seat.game or event["turn"] <= self._floor or key in self._given:
            return False
        self._given.add(key)
        return True

    async def _from_store(self) -> AsyncIterator[Heard]:
        """What the store has since the floor and was not told."""
        with suppress(StoreError):  # it is read again a little later
            newest = await self._store.turns(self._seat.game, self._floor, 1)
            last = newest[0].number if newest else self._floor
            while self._floor < last:
                until = self._floor + BATCH
                for turn in await self._store.turns(self._seat.game, self._floor, until=until):
                    for at, each in enumerate(turn.outcome.get("heard", ())):
                        if each["to"] == self._seat.instance and (turn.number, at) not in self._given:
                            self._given.add((turn.number, at))
                            yield Heard(turn.number, each["type"], each["text"], at, turn.at.timestamp())
                    self._floor = turn.number
                self._floor = max(self._floor, min(until, last))
        self._given = {key for key in self._given if key[0] > self._floor}

    async def _presence(self) -> Iterator[Heard]:
        """Who came to their prompts and who left them since the last look; we are there for two more looks."""
        channels, before = self._store.channels, self._present
        with suppress(ChannelsAway):
            await channels.enter(self._place, self._member, 2 * self._poll)
            self._present = frozenset(await channels.who(self._place)) - {self._member}
        now = self._present or frozenset()
        lines = [f"{_name(each)} is here." for each in sorted(now - (before or frozenset()))]
        lines += [f"{_name(each)} is away." for each in sorted((before or frozenset()) - now)]
        return (Heard(self._floor, "presence", line) for line in lines)


def _name(member: str) -> str:
    return member.partition(" ")[2]


async def _next(news: AsyncIterator[Json | None]) -> Json | None:
    return await anext(news)
