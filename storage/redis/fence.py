"""Owns the fence: when copies outside PostgreSQL may be read at all, and which server holds them.

`Fence` is kept in PostgreSQL, one row for all workers; `FenceView` is what one worker knows of it; `MemoryFence` is for
tests. `docs/decisions/0003-fenced-hot-copy.md` says why it is safe. It must not know Redis.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FenceState:
    """The fence's row, as it was at one instant between the question and the answer."""

    epoch: int
    """Counts up with every `hush`; copies of other epochs are dead."""
    run: str
    """The run id of the one server that holds the copies; empty before the first."""
    quiet: float
    """Seconds for which, from that instant, nobody reads copies; 0: they may be read."""
    clock: float
    """The database's clock at that instant, in seconds."""


class Fence(Protocol):
    """One durable row that all workers share. Both methods raise `StoreError` when PostgreSQL is away."""

    async def look(self) -> FenceState: ...

    async def hush(self, seconds: float, run: str | None = None) -> FenceState:
        """Begins a new epoch in which nobody reads copies for `seconds` from now (never for less than was asked before);
        with `run` that server holds the copies from then on. Gives the row after it."""
        ...


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds. All workers of one database must use the same."""

    fresh: float = 0.5
    """How long an answer of the fence allows to read copies, from before it was asked."""
    lease: float = 1.0
    """How long a worker may read a copy in its own memory, from before it asked."""
    mark: float = 5.0
    """How long a writer's mark hides the copies; a commit must be done by then."""
    hush: float = 12.0
    """How long a worker without Redis keeps all others from reading copies; renewed while it writes."""

    @property
    def quiet(self) -> float:
        """How long a new server is not read: until no mark that another server held is needed any more."""
        return self.mark + 2 * self.fresh


class FenceView:
    """What one worker knows of the fence, by its own monotonic clock."""

    def __init__(
        self,
        fence: Fence,
        times: Times,
        on_epoch: Callable[[], None],
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ):
        self._fence, self._times, self._on_epoch, self._now, self._sleep = fence, times, on_epoch, now, sleep
        self.state = FenceState(-1, "", 0.0, 0.0)
        self._asked = self._heard = float("-inf")
        self.hot_until = float("-inf")
        """Copies of this epoch may be read before this time."""
        self._commit_from = float("-inf")
        self._adopted = ""
        self._adopt_again = float("-inf")
        self._asking = asyncio.Lock()

    def note(self, state: FenceState, asked: float) -> None:
        """Takes an answer of the fence to a question that was asked at `asked`, also one that a commit brought along."""
        known, now = self.state, self._now()
        if state.epoch < known.epoch or (state.epoch == known.epoch and asked <= self._asked):
            return
        if state.epoch != known.epoch:
            if state.quiet > 0 and now >= self.covered:
                # Others may hold an answer from before this epoch; it lapses within `fresh`.
                self._commit_from = now + self._times.fresh
            self._on_epoch()
        self.state, self._asked, self._heard = state, asked, now
        self.hot_until = asked + self._times.fresh if state.quiet <= 0 else float("-inf")

    @property
    def covered(self) -> float:
        """Until when nobody reads copies, whatever happens."""
        return self._asked + self.state.quiet if self.state.quiet > 0 else float("-inf")

    def fresh(self, at: float) -> bool:
        """Whether what we know held at most `Times.fresh` before a time."""
        return at < self._asked + self._times.fresh

    def deadline(self, cover: float, slack: float) -> float:
        """By the database's clock: a commit that the database begins before this is done before `cover`."""
        return self.state.clock + (cover - self._heard) - slack

    async def refresh(self, run: str) -> None:
        """Looks where the last answer is not fresh, and makes `run` the holder of the copies where it is another server."""
        if self._aged() or self._foreign(run):
            async with self._asking:
                if self._aged():
                    await self._ask(self._fence.look)
                if self._foreign(run):
                    self._adopted, self._adopt_again = run, self._now() + 60
                    await self._ask(lambda: self._fence.hush(self._times.quiet, run))

    def _aged(self) -> bool:
        return self._now() >= self._asked + self._times.fresh / 2

    def _foreign(self, run: str) -> bool:
        """Once a minute at most for the same server: workers that are set up with different servers must not fight."""
        return bool(run) and run != self.state.run and (run != self._adopted or self._now() >= self._adopt_again)

    async def hush(self) -> None:
        """Sees to it that nobody reads copies for at least half of `Times.hush`."""
        async with self._asking:
            if self.covered < self._now() + self._times.hush / 2:
                await self._ask(lambda: self._fence.hush(self._times.hush))

    async def ready(self) -> None:
        """Waits until nobody can read copies of earlier epochs."""
        while (left := self._commit_from - self._now()) > 0:
            await self._sleep(left)

    async def _ask(self, ask: Callable[[], Awaitable[FenceState]]) -> None:
        asked = self._now()
        self.note(await ask(), asked)


class MemoryFence:
    """A fence for tests and for a single process."""

    def __init__(self, now: Callable[[], float] = time.monotonic):
        self._now = now
        self._epoch, self._run, self._until = 1, "", float("-inf")

    async def look(self) -> FenceState:
        now = self._now()
        return FenceState(self._epoch, self._run, max(0.0, self._until - now), now)

    async def hush(self, seconds: float, run: str | None = None) -> FenceState:
        self._epoch += 1
        self._until = max(self._until, self._now() + seconds)
        self._run = self._run if run is None else run
        return await self.look()
