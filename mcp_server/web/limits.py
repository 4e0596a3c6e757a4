"""Owns how often somebody may ask: a figure for each class of requests, counted for all workers together.

`await limiter.take(who)` raises `Limited`. Without Redis each process counts for itself, by the same figures. It must not know
transports.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from agents.access import Principal, Refused
from mcp_server.web.doors import household
from storage.redis import Limits, RedisAway, Taken

Kind = Literal["public", "player", "admin", "model", "failed"]


@dataclass(frozen=True, slots=True)
class Figure:
    """`rate` a second on average, and `burst` at once."""

    rate: float
    burst: float


FIGURES: Final[Mapping[Kind, Figure]] = {
    "public": Figure(100 / 60, 100),
    "player": Figure(10, 20),
    "admin": Figure(50 / 60, 50),
    "model": Figure(1000 / 3600, 1000),
    "failed": Figure(10 / 60, 10),
}
"""`public` and `failed` (credentials that are not good) by address, the others by principal; who is public, always by address."""
MOST = 10_000


class Limited(Refused):
    """Too many requests; `wait` is in how many seconds there may be another one."""

    def __init__(self, wait: float):
        self.wait = max(1, math.ceil(wait))
        super().__init__("Too many requests", f"Try again in {self.wait} s.")


class Limiter:
    """`limits`: shared by all workers; None: this process alone."""

    def __init__(
        self,
        limits: Limits | None,
        *,
        figures: Mapping[Kind, Figure] = FIGURES,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._limits, self._figures, self._clock = limits, figures, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._blocked: OrderedDict[str, float] = OrderedDict()

    async def take(self, who: Principal, kind: Kind | None = None) -> None:
        """Counts a request or a command. Raises `Limited`. The owner at this machine is held back by no figure but `model`."""
        if who.kind == "local" and kind != "model":
            return
        public = who.kind == "public"
        if public and kind != "model":
            kind = "public"
        taken = await self._take(kind or "player", household(who.address) if public else who.id)
        if not taken.allowed:
            raise Limited(taken.wait)

    async def wait(self, who: Principal, kind: Kind | None = None) -> float:
        """As `take`; gives the seconds to wait, 0 where it is allowed."""
        try:
            await self.take(who, kind)
        except Limited as error:
            return error.wait
        return 0.0

    def admit(self, address: str) -> None:
        """Raises `Limited` for an address from which too many bad credentials came lately; asks nobody."""
        until = self._blocked.get(household(address), 0.0)
        if until > self._clock():
            raise Limited(until - self._clock())

    async def failed(self, address: str) -> None:
        """Counts a credential that is not good. Raises `Limited`, as `admit` does from now on."""
        name = household(address)
        taken = await self._take("failed", name)
        if not taken.allowed:
            self._blocked[name] = self._clock() + taken.wait
            if len(self._blocked) > MOST:
                self._blocked.popitem(last=False)
            raise Limited(taken.wait)

    async def _take(self, kind: Kind, name: str) -> Taken:
        figure, bucket = self._figures[kind], f"{kind}:{name}"
        if self._limits is not None:
            try:
                return await self._limits.take(bucket, rate=figure.rate, burst=figure.burst)
            except RedisAway:
                pass
        return self._here(bucket, figure)

    def _here(self, bucket: str, figure: Figure) -> Taken:
        """As `storage.redis.Limits` counts, in this process."""
        now = self._clock()
        tokens, since = self._buckets.pop(bucket, (figure.burst, now))
        tokens = min(figure.burst, tokens + (now - since) * figure.rate)
        allowed = tokens >= 1
        self._buckets[bucket] = tokens - allowed, now
        if len(self._buckets) > MOST:
            self._buckets.popitem(last=False)
        return Taken(allowed, tokens - allowed, 0.0 if allowed else (1 - tokens) / figure.rate)
