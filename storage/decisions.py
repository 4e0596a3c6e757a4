"""Owns what is kept of how messages were answered: plain records, the `Decisions` protocol, and that of one process.

`storage.postgres.decisions` keeps them for all. No record names a player or holds words of theirs. It must not know routes.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

KEPT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Decision:
    """One message: the way it took, why, how long, and what it cost. Seconds and US dollars."""

    id: str
    at: datetime
    route: str
    tier: str
    stage: str
    """What settled it: `rules`, `kept`, `cache`, `label`, `call`, `fallback`."""
    reason: str
    world: str
    persona: str
    seconds: float
    routing: float
    """Of these until the route was known."""
    calls: int
    cost: float
    full: float
    """What it would have cost as a full call, by estimate."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many messages went one way, with their means in seconds and their sums in US dollars."""

    route: str
    tier: str
    stage: str
    messages: int
    seconds: float
    routing: float
    calls: int
    cost: float
    full: float


class Decisions(Protocol):
    """Both methods are atomic and raise `storage.StoreAway`."""

    async def add(self, decisions: Sequence[Decision]) -> None:
        """Keeps them, each once, and forgets those of more than `KEPT_DAYS` days before."""
        ...

    async def shares(self, since: datetime) -> Sequence[Share]:
        """How messages were answered since then, the commonest way first."""
        ...


class MemoryDecisions:
    """`Decisions` within one process: the last 10,000."""

    def __init__(self) -> None:
        self.kept: deque[Decision] = deque(maxlen=10_000)

    async def add(self, decisions: Sequence[Decision]) -> None:
        known = {each.id for each in self.kept}
        self.kept += [each for each in decisions if each.id not in known]

    async def shares(self, since: datetime) -> Sequence[Share]:
        ways: defaultdict[tuple[str, str, str], list[Decision]] = defaultdict(list)
        for each in self.kept:
            if each.at >= since:
                ways[each.route, each.tier, each.stage].append(each)
        found = [
            Share(
                *way,
                messages=len(several),
                seconds=sum(each.seconds for each in several) / len(several),
                routing=sum(each.routing for each in several) / len(several),
                calls=sum(each.calls for each in several),
                cost=sum(each.cost for each in several),
                full=sum(each.full for each in several),
            )
            for way, several in ways.items()
        ]
        return sorted(found, key=lambda each: (-each.messages, each.route, each.tier, each.stage))
