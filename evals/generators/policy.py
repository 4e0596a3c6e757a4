"""Owns random policies and what each comes to: conditions, exceptions, a table of limits, who may ask; with an oracle in plain Python.

`policy(random, 1)` draws one, `request(random, policy)` facts for it, `decide(policy, facts, role)` says what must come of them. It must
not use the compiler, the referee or a rulebook.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from evals.generators.conditions import (
    Both,
    Compare,
    Condition,
    Cost,
    Count,
    DaysSince,
    Either,
    Fact,
    Facts,
    Is,
    Not,
    OneOf,
    Order,
    Plus,
    SomeItem,
    true,
)

SIZE = 5
MAX_SIZE = 20
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
TIERS, REGIONS, REASONS = (
    ("bronze", "silver", "gold"),
    ("north", "south", "east"),
    ("repair", "travel", "training", "gift"),
)
ORDERS: tuple[Order, ...] = ("<", "<=", ">", ">=", "==", "!=")
_SAMPLE = 100
"""Requests on which a policy's conditions are tried while it is drawn."""
_PASS_ALL = 0.1
"""The share of requests that all conditions together let through, about; each lets through 0.6 at least."""
STAFF_ONLY = "only a game master may do that"
"""What the system answers whoever lacks the role gm."""


Near = Mapping[str, list[float]]
"""By a fact's name the values that matter."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table of limits; None: whatever it is."""

    tiers: tuple[str, ...] | None
    reason: str | None
    points: tuple[int, int] | None
    """From, to; both included."""
    limit: int

    def fits(self, facts: Facts) -> bool:
        """Whether the row is for these facts."""
        return (
            (self.tiers is None or facts["member.tier"] in self.tiers)
            and (self.reason is None or facts["reason"] == self.reason)
            and (self.points is None or self.points[0] <= facts["member.points"] <= self.points[1])
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """What must hold, what must not, and up to which amount. The last row fits everything."""

    number: int
    staff: bool
    """Only the role gm may ask."""
    when: tuple[Condition, ...]
    unless: tuple[Condition, ...]
    rows: tuple[Row, ...]

    @property
    def id(self) -> str:
        return f"policy-{self.number}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What comes of a request: allowed, or what refused it and which of its kind (0: the first)."""

    by: Literal["", "role", "when", "unless", "limit"] = ""
    number: int = 0

    @property
    def allowed(self) -> bool:
        return not self.by


def decide(policy: Policy, facts: Facts, role: str) -> Decision:
    """The oracle: who asks, then every condition in order, then every exception in order, then the limit of the first row that fits."""
    if policy.staff and role == "player":
        return Decision("role")
    for number, condition in enumerate(policy.when):
        if not true(condition, facts):
            return Decision("when", number)
    for number, condition in enumerate(policy.unless):
        if true(condition, facts):
            return Decision("unless", number)
    number, row = next((number, row) for number, row in enumerate(policy.rows) if row.fits(facts))
    return Decision("limit", number) if facts["amount"] > row.limit else Decision()


def policy(pick: random.Random, number: int, size: int = SIZE) -> Policy:
    """A random policy with so many conditions and exceptions together, at least one condition, under which some requests are allowed."""
    size = max(1, min(size, MAX_SIZE))
    while True:
        drawn = _drawn(pick, number, size)
        allowed = sum(decide(drawn, request(pick, {}), "gm").allowed for _ in range(_SAMPLE))
        if allowed >= _SAMPLE // 30:
            return drawn


def _drawn(pick: random.Random, number: int, size: int) -> Policy:
    """A policy of which each condition refuses some of what comes to it, and not most."""
    split, share = pick.randint(1, size), max(0.6, _PASS_ALL ** (1 / size))
    left = [request(pick, {}) for _ in range(_SAMPLE)]
    when: list[Condition] = []
    unless: list[Condition] = []
    while len(when) + len(unless) < size:
        condition, wanted = _condition(pick, depth=2), len(when) < split
        passed = [facts for facts in left if true(condition, facts) == wanted]
        if share * len(left) <= len(passed) < len(left):
            (when if wanted else unless).append(condition)
            left = passed if len(passed) >= _SAMPLE // 10 else [request(pick, {}) for _ in range(_SAMPLE)]
    return Policy(number, pick.random() < 0.2, tuple(when), tuple(unless), _rows(pick))


def _rows(pick: random.Random) -> tuple[Row, ...]:
    """Rows of which each is the first that fits something; the last fits everything."""
    rows = [
        Row(
            tuple(pick.sample(TIERS, pick.randint(1, 2))) if pick.random() < 0.6 else None,
            pick.choice(REASONS) if pick.random() < 0.4 else None,
            (low := pick.randrange(0, 300, 10), low + pick.randrange(0, 200, 10)) if pick.random() < 0.4 else None,
            pick.randrange(0, 200, 5),
        )
        for _ in range(pick.randint(1, 4))
    ]
    rows.append(Row(None, None, None, pick.randrange(20, 200, 5)))
    edges = {0, *(at + by for row in rows for at in row.points or () for by in (-1, 0, 1))}
    every = [
        {"member.tier": tier, "reason": reason, "member.points": points}
        for tier in TIERS
        for reason in (*REASONS, "another")
        for points in edges
        if points >= 0
    ]
    first = {next(number for number, row in enumerate(rows) if row.fits(facts)) for facts in every}
    kept = [row for number, row in enumerate(rows) if number in first]
    return tuple(kept)


def _condition(pick: random.Random, depth: int) -> Condition:
    if depth and pick.random() < 0.3:
        one, other = _condition(pick, depth - 1), _condition(pick, depth - 1)
        return pick.choice((Both(one, other), Either(one, other), Not(one)))
    order = pick.choice(ORDERS[:4])
    match pick.randrange(10):
        case 0:
            return Compare(Fact("amount"), order, pick.randrange(10, 150))
        case 1:
            return Compare(Fact("member.points"), order, pick.randrange(20, 400))
        case 2:
            return Compare(Fact("member.balance"), order, pick.randrange(0, 400) / 4)
        case 3:
            return Compare(Fact("amount"), order, Fact("member.points"))
        case 4:
            return Compare(Plus(Fact("member.used"), Fact("amount")), order, pick.randrange(50, 400))
        case 5:
            return Compare(DaysSince("member.joined"), order, pick.randrange(5, 400))
        case 6:
            return pick.choice(
                (Compare(Cost(), order, pick.randrange(0, 400) / 4), SomeItem(order, pick.randrange(0, 200) / 4))
            )
        case 7:
            return Compare(Count(), pick.choice(ORDERS), pick.randrange(0, 4))
        case 8:
            return pick.choice((Is("urgent"), Is("member.blocked")))
        case _:
            name, of = pick.choice((("member.tier", TIERS), ("member.region", REGIONS), ("reason", REASONS)))
            return OneOf(name, tuple(pick.sample(of, pick.randint(1, len(of) - 1))))


def thresholds(policy: Policy) -> Iterator[tuple[str, float]]:
    """Every name with a value that it is compared with."""
    waiting: list[Condition] = [*policy.when, *policy.unless]
    while waiting:
        match waiting.pop():
            case Not(that):
                waiting.append(that)
            case Both(one, other) | Either(one, other):
                waiting += [one, other]
            case Compare(Fact(name), _, (int() | float()) as at):
                yield name, at
            case Compare(Plus(), _, (int() | float()) as at):
                yield "amount", at
            case Compare(DaysSince(), _, (int() | float()) as at):
                yield "days", at
            case Compare(Cost(), _, (int() | float()) as at) | SomeItem(_, at):
                yield "cost", at
            case _:
                pass
    for row in policy.rows:
        yield "amount", row.limit
        if row.points:
            yield from (("member.points", at) for at in row.points)


def near(policy: Policy) -> Near:
    """The values with which a policy compares each name."""
    found: dict[str, list[float]] = {}
    for name, at in thresholds(policy):
        found.setdefault(name, []).append(at)
    return found


def request(pick: random.Random, near: Near) -> dict[str, Any]:
    """Random facts, most of whose numbers lie at one of these values or right beside."""

    def number(name: str, high: int, step: float = 1) -> float:
        at = pick.choice(near[name]) + pick.choice((-step, 0, step)) if name in near and pick.random() < 0.7 else -1
        return at if at >= 0 else pick.randrange(0, int(high / step)) * step

    costs = [number("cost", 60, 0.25) for _ in range(pick.randint(0, 3))]
    # At the very day's end and beginning as well: a day counts when it is whole.
    joined = NOW - timedelta(days=int(number("days", 500)), minutes=pick.choice((0, 0, 1, 1439)))
    return {
        "now": NOW,
        "amount": int(number("amount", 250)),
        "reason": pick.choice(REASONS),
        "urgent": pick.random() < 0.5,
        "items": [{"sku": f"s-{n}", "cost": float(cost)} for n, cost in enumerate(costs)],
        "member.tier": pick.choice(TIERS),
        "member.region": pick.choice(REGIONS),
        "member.points": int(number("member.points", 500)),
        "member.balance": float(number("member.balance", 120, 0.25)),
        "member.blocked": pick.random() < 0.3,
        "member.used": pick.choice((0, 0, pick.randrange(0, 200))),
        "member.joined": joined,
    }
