"""Owns what calls cost: budgets that hold before a call, and the record of each call after it.

`await reserve(…)`, then `record(call)`, which a task brings to the ledger. While the store is away this process counts for
itself, from where it left off. It must not know providers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime

from agents.models.model import ModelError
from storage import StoreError
from storage.ledger import EVERYBODY, NOTHING, UNLIMITED, CallRecord, Ledger, Limits, MemoryLedger, Reserved, Spent

PATIENCE = 1.0
"""Seconds that a call waits for the ledger."""
AGAIN = 5.0
"""Seconds until the ledger is tried again."""
KEPT = 10_000
"""Records that wait for the ledger; the oldest of more are lost."""
BATCH = 500


@dataclass(frozen=True, slots=True)
class Reservation:
    """What was set aside for a call: in the ledger (nothing, where it was away) and in this process."""

    day: date
    stored: Spent = NOTHING
    here: Spent = NOTHING


class Accounts:
    """`now` gives the time in UTC."""

    def __init__(self, ledger: Ledger, everybody: Limits, each: Limits, now: Callable[[], datetime]):
        self._ledger, self._everybody, self._each, self._now = ledger, everybody, each, now
        self._here = MemoryLedger()
        self._waiting: deque[CallRecord] = deque(maxlen=KEPT)
        self._task: asyncio.Task[None] | None = None
        self.lost = 0
        """Records that no ledger ever got."""

    async def reserve(self, principal: str, cost: float) -> Reservation:
        """Takes a call and its estimated cost from what may be spent today. Raises `ModelError("budget", …)`."""
        day, wanted = self._now().date(), Spent(1, cost)
        if self._everybody == self._each == UNLIMITED:
            return Reservation(day)
        limits = (self._everybody, self._each)
        stored = NOTHING
        try:
            async with asyncio.timeout(PATIENCE):
                found = await self._ledger.reserve(day, principal, wanted, *limits)
            self._here.learn(day, principal, found, wanted)
            stored = wanted
        except (StoreError, TimeoutError):
            found = await self._here.reserve(day, principal, wanted, *limits)
        if not found.fits:
            raise _spent(found, wanted, *limits)
        return Reservation(day, stored, wanted)

    def record(self, call: CallRecord, reservation: Reservation) -> None:
        """Keeps what a call took; it need not be waited for."""
        self._here.settle(replace(call, day=reservation.day, reserved=reservation.here))
        if len(self._waiting) == KEPT:
            self.lost += 1
        self._waiting.append(replace(call, day=reservation.day, reserved=reservation.stored))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())

    async def today(self) -> dict[str, Spent]:
        """What was spent by principal, as far as the ledger says."""
        day = self._now().date()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._flush()
                return dict(await self._ledger.spent(day))
        except (StoreError, TimeoutError):
            return dict(self._here.known(day))

    @property
    def here(self) -> Spent:
        """What everybody spent today, as far as this process knows."""
        return self._here.known(self._now().date()).get(EVERYBODY, Spent())

    async def close(self) -> None:
        """Brings what is left to the ledger, or gives up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._flush()
        self.lost += len(self._waiting)

    async def _write(self) -> None:
        while self._waiting:
            try:
                await self._flush()
            except StoreError:
                await asyncio.sleep(AGAIN)

    async def _flush(self) -> None:
        while self._waiting:
            batch = [self._waiting[index] for index in range(min(BATCH, len(self._waiting)))]
            await self._ledger.record(batch)  # twice does no harm
            known = {call.id for call in batch}
            while self._waiting and self._waiting[0].id in known:
                self._waiting.popleft()


def _spent(found: Reserved, wanted: Spent, everybody: Limits, each: Limits) -> ModelError:
    own = not each.hold(found.principal.plus(wanted.calls, wanted.cost))
    limits, spent = (each, found.principal) if own else (everybody, found.day)
    whose = "the principal's" if own else "the day's"
    shown = [f"{spent.calls} of {limits.calls} calls"] if limits.calls is not None else []
    shown += [f"{spent.cost:.4f} of {limits.cost:.4f} dollars"] if limits.cost is not None else []
    return ModelError(
        "budget",
        f"{whose} budget is spent: {', '.join(shown)}",
        "It begins anew at midnight UTC; [budget] of the models' file says how much.",
    )
