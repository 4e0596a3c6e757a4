"""Owns the ledger of models' calls: what each took, and what may still be spent in a day of UTC, by everybody and by each.

`Ledger` is what stores implement (`MemoryLedger` here, `storage.postgres.ledger`); one contract suite runs against each. It must
not know providers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

REMEMBERED = 10_000
"""Calls that a ledger in memory knows again."""
EVERYBODY = ""
"""The principal whose row is the sum of all."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be spent in a day; None: as much as is wanted."""

    calls: int | None = None
    cost: float | None = None
    """US dollars."""

    def hold(self, spent: Spent) -> bool:
        """Whether so much is within them. A billionth of a dollar too much is the arithmetic's."""
        within = self.calls is None or spent.calls <= self.calls
        return within and (self.cost is None or spent.cost <= self.cost + 1e-9)


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent, with what is reserved for calls that are under way."""

    calls: int = 0
    cost: float = 0.0

    def plus(self, calls: int, cost: float) -> Spent:
        return Spent(self.calls + calls, self.cost + cost)


UNLIMITED, NOTHING = Limits(), Spent()


@dataclass(frozen=True, slots=True)
class Reserved:
    """Whether it fits, and what was spent before by everybody and by the principal."""

    fits: bool
    day: Spent
    principal: Spent


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A request that left this process: of whom, for what, and what it took. It has no texts."""

    id: str
    at: datetime
    principal: str
    purpose: str
    provider: str
    model: str
    outcome: str
    """`ok`, or the kind of its error."""
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: float
    seconds: float
    day: date
    reserved: Spent = NOTHING
    """What was reserved for it on that day: what it took beyond that is added."""


class Ledger(Protocol):
    """Every method is atomic, and durable where the store is. Raises `StoreError` where the store is away."""

    async def reserve(self, day: date, principal: str, wanted: Spent, everybody: Limits, each: Limits) -> Reserved:
        """Takes `wanted` from what everybody and the principal may spend, or nothing where it does not fit."""
        ...

    async def record(self, calls: Sequence[CallRecord]) -> None:
        """Keeps what calls took, once for each id, and settles what was reserved for them."""
        ...

    async def spent(self, day: date) -> Mapping[str, Spent]:
        """By principal; `EVERYBODY` is the sum."""
        ...


class MemoryLedger:
    """In this process; see `Ledger`. The calls of the last days are gone with their day."""

    def __init__(self) -> None:
        self._days: dict[date, dict[str, Spent]] = {}
        self._calls: dict[str, None] = {}

    async def reserve(self, day: date, principal: str, wanted: Spent, everybody: Limits, each: Limits) -> Reserved:
        rows = self._rows(day)
        total, own = rows.get(EVERYBODY, Spent()), rows.get(principal, Spent())
        fits = everybody.hold(total.plus(wanted.calls, wanted.cost)) and each.hold(own.plus(wanted.calls, wanted.cost))
        if fits:
            self._add(day, principal, wanted.calls, wanted.cost)
        return Reserved(fits, total, own)

    async def record(self, calls: Sequence[CallRecord]) -> None:
        for call in calls:
            self.settle(call)

    async def spent(self, day: date) -> Mapping[str, Spent]:
        return self.known(day)

    def settle(self, call: CallRecord) -> None:
        """`record`, of one."""
        self._rows(call.day)
        if call.id not in self._calls:
            self._calls[call.id] = None
            if len(self._calls) > REMEMBERED:
                del self._calls[next(iter(self._calls))]
            self._add(call.day, call.principal, 1 - call.reserved.calls, call.cost - call.reserved.cost)

    def known(self, day: date) -> Mapping[str, Spent]:
        """`spent`."""
        return dict(self._days.get(day, {}))

    def learn(self, day: date, principal: str, reserved: Reserved, wanted: Spent) -> None:
        """Takes over what another ledger has spent by now, so that this one can go on in its place."""
        rows = self._rows(day)
        more = wanted if reserved.fits else Spent()
        rows[EVERYBODY] = reserved.day.plus(more.calls, more.cost)
        rows[principal] = reserved.principal.plus(more.calls, more.cost)

    def _rows(self, day: date) -> dict[str, Spent]:
        if day not in self._days:
            self._days = {known: rows for known, rows in self._days.items() if (day - known).days < 2}
            self._calls.clear()
        return self._days.setdefault(day, {})

    def _add(self, day: date, principal: str, calls: int, cost: float) -> None:
        rows = self._rows(day)
        for name in {EVERYBODY, principal}:
            rows[name] = rows.get(name, Spent()).plus(calls, cost)
