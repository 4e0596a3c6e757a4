"""Owns the line in front of a provider: so many calls at once, players before agents before what is done in the background, and
within each every principal in turn.

`async with places.taken(principal, priority):`. It must not know calls.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal

Priority = Literal["player", "agent", "background"]
PRIORITIES: tuple[Priority, ...] = ("player", "agent", "background")


class Full(Exception):
    """Nobody else may wait: `args[0]` says how many do."""


class Places:
    """`concurrency` calls at once; `waiting` more wait, and then who takes up most of the line gives way."""

    def __init__(self, concurrency: int, waiting: int):
        self._free, self._bound = concurrency, waiting
        self._lines: dict[Priority, OrderedDict[str, deque[asyncio.Future[None]]]] = {
            priority: OrderedDict() for priority in PRIORITIES
        }
        self.waiting = 0

    @asynccontextmanager
    async def taken(self, principal: str, priority: Priority) -> AsyncGenerator[None]:
        """Raises `Full`."""
        await self._take(principal, priority)
        try:
            yield
        finally:
            self._give()

    async def _take(self, principal: str, priority: Priority) -> None:
        if self._free and not self.waiting:
            self._free -= 1
            return
        if self.waiting >= self._bound and not self._displaced(principal, priority):
            raise Full(f"{self.waiting} calls wait already")
        turn = asyncio.get_running_loop().create_future()
        self._lines[priority].setdefault(principal, deque()).append(turn)
        self.waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._give()  # it was this one's turn in the same moment
            elif self._left(turn, principal, priority):
                self.waiting -= 1
            raise

    def _give(self) -> None:
        """A place is free: it goes to the next in line."""
        for line in self._lines.values():
            while line:
                principal, turns = next(iter(line.items()))
                turn = turns.popleft()
                self.waiting -= 1
                # Behind all others, until it is its turn again.
                line.pop(principal)
                if turns:
                    line[principal] = turns
                if not turn.done():
                    turn.set_result(None)
                    return
        self._free += 1

    def _displaced(self, principal: str, priority: Priority) -> bool:
        """Whether somebody gave way: the last of who waits most among the least urgent, where that is more than our own."""
        lowest: Priority | None = next((each for each in reversed(PRIORITIES) if self._lines[each]), None)
        if lowest is None or PRIORITIES.index(lowest) < PRIORITIES.index(priority):
            return False
        line = self._lines[lowest]
        most = max(line, key=lambda each: len(line[each]))
        if lowest == priority and len(line[most]) <= len(line.get(principal, ())) + 1:
            return False
        turn = line[most][-1]
        self._left(turn, most, lowest)
        self.waiting -= 1
        if not turn.done():
            turn.set_exception(Full("others who wait less were let in"))
        return True

    def _left(self, turn: asyncio.Future[None], principal: str, priority: Priority) -> bool:
        """Takes somebody out of the line; False: was not in it."""
        line = self._lines[priority]
        turns = line.get(principal, deque())
        if turn not in turns:
            return False
        turns.remove(turn)
        if not turns:
            del line[principal]
        return True
