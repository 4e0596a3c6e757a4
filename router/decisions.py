"""Owns the record of how messages were answered: counted for metrics at once, kept for operators later, in batches.

`async with Recorder(store.decisions, …) as recorder: recorder.add(decision)`. It holds up no message: what cannot be kept is dropped
and counted. It must not know how routes are chosen.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from storage import StoreError
from storage.decisions import Decision, Decisions, Share
from storage.metrics import Histogram, counter, family

MOST = 10_000
"""Decisions that wait; more are dropped."""
BATCH = 500
EVERY = 1.0
"""Seconds between two batches."""


class Estimate:
    """What a message would cost as a full call: the mean of the calls that this process made; before the first, a prompt of
    `TOKENS` tokens and an answer of `ANSWER` at the prices given, US dollars for a million tokens."""

    TOKENS, ANSWER = 1_500, 60

    def __init__(self, input_price: float = 0.0, output_price: float = 0.0):
        self._mean = (self.TOKENS * input_price + self.ANSWER * output_price) / 1_000_000
        self._calls = 0

    def learn(self, cost: float) -> None:
        """What one routing call took."""
        self._calls += 1
        # Of the last hundred or so; the first replaces the guess.
        self._mean += (cost - self._mean) / min(self._calls, 100)

    @property
    def full(self) -> float:
        return self._mean


class Recorder:
    """Inside `async with` it keeps what it is told; `add` works outside too, and counts."""

    def __init__(self, kept: Decisions, *, every: float = EVERY):
        self._kept, self._every = kept, every
        self._waiting: deque[Decision] = deque()
        self._task: asyncio.Task[None] | None = None
        self._messages: Counter[tuple[str, str, str]] = Counter()
        self.took = Histogram("router_answer_seconds", "From a message to its answer.")
        self.routed = Histogram("router_routing_seconds", "From a message to its route.")
        self.dropped = self.calls = 0
        self.saved = self.cost = self.full = 0.0

    def add(self, decision: Decision) -> None:
        """Counts it, and keeps it soon."""
        self._messages[decision.route, decision.tier, decision.stage] += 1
        self.took.observe(decision.seconds)
        self.routed.observe(decision.routing)
        self.calls += decision.calls
        self.cost += decision.cost
        self.full += decision.full
        self.saved += decision.calls == 0
        if len(self._waiting) >= MOST:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(decision)

    async def flush(self) -> None:
        """Keeps what waits. While the store is away nothing is lost but what is too much."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            try:
                await self._kept.add(batch)
            except BaseException as error:
                self._waiting.extendleft(reversed(batch))  # each is kept once, by its id
                if isinstance(error, StoreError):
                    return
                raise

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.flush()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await self.flush()

    def render(self, cached: dict[str, int] | None = None) -> str:
        """For Prometheus; `cached`: what `router.cache.shares` tells."""
        messages = [
            ({"route": route, "tier": tier, "stage": stage}, float(count))
            for (route, tier, stage), count in self._messages.items()
        ]
        asked = [({"result": name}, float(count)) for name, count in (cached or {}).items()]
        return "".join(
            (
                family("router_messages_total", "counter", "Messages by route, tier and what settled them.", messages),
                family(
                    "router_cache_total", "counter", "Questions to the cache of answers, by what came of them.", asked
                ),
                counter("router_calls_total", "Calls of models that messages led to.", self.calls),
                counter("router_saved_total", "Messages that took no call.", self.saved),
                counter("router_cost_usd_total", "What messages cost, US dollars.", self.cost),
                counter("router_full_cost_usd_total", "The same, had each been a full call; an estimate.", self.full),
                counter("router_decisions_dropped_total", "Decisions that could not be kept.", self.dropped),
                self.took.render(),
                self.routed.render(),
            )
        )


async def distribution(kept: Decisions, now: Callable[[], datetime], hours: float = 24.0) -> dict[str, Any]:
    """How messages were answered in the last hours: `messages`, `calls`, `tiers` (shares), `cost`, `full_cost`
    (US dollars), and `ways`, each with its `share`. Raises `StoreAway`."""
    found: Sequence[Share] = await kept.shares(now() - timedelta(hours=hours))
    total = sum(each.messages for each in found)
    ways = [
        {
            "route": each.route,
            "tier": each.tier,
            "stage": each.stage,
            "messages": each.messages,
            "share": round(each.messages / total, 4),
            "milliseconds": round(each.seconds * 1000, 2),
            "routing_milliseconds": round(each.routing * 1000, 2),
            "calls": each.calls,
            "cost": each.cost,
        }
        for each in found
    ]
    return {
        "messages": total,
        "calls": sum(each.calls for each in found),
        "tiers": {
            tier: round(sum(each.messages for each in found if each.tier == tier) / total, 4)
            for tier in dict.fromkeys(each.tier for each in found)
        },
        "cost": sum(each.cost for each in found),
        "full_cost": sum(each.full for each in found),
        "ways": ways,
    }
