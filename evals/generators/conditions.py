"""Owns conditions of made-up policies as plain data, and what they come to in plain Python.

`true(condition, facts)` is the oracle; `evals.generators.policy_pages` writes the same data in the rule language. It must not use the
compiler, the referee or a rulebook.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Facts = Mapping[str, Any]
"""By name: `amount`, `member.points`, `items` (a list of `{"cost": …}`), `now`."""
Order = Literal["<", "<=", ">", ">=", "==", "!="]


@dataclass(frozen=True, slots=True)
class Fact:
    """What a name holds."""

    name: str


@dataclass(frozen=True, slots=True)
class Plus:
    """Two numbers together."""

    one: Term
    other: Term


@dataclass(frozen=True, slots=True)
class DaysSince:
    """Whole days from a time to now."""

    name: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What all items cost together."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many items there are."""


Term = Fact | Plus | DaysSince | Cost | Count | int | float | str


@dataclass(frozen=True, slots=True)
class Compare:
    """Two terms compared."""

    one: Term
    order: Order
    other: Term


@dataclass(frozen=True, slots=True)
class OneOf:
    """A name holds one of these."""

    name: str
    of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Is:
    """A name holds yes."""

    name: str


@dataclass(frozen=True, slots=True)
class SomeItem:
    """An item costs so much."""

    order: Order
    cost: float


@dataclass(frozen=True, slots=True)
class Not:
    that: Condition


@dataclass(frozen=True, slots=True)
class Both:
    one: Condition
    other: Condition


@dataclass(frozen=True, slots=True)
class Either:
    one: Condition
    other: Condition


Condition = Compare | OneOf | Is | SomeItem | Not | Both | Either


def value(term: Term, facts: Facts) -> Any:
    """What a term comes to."""
    match term:
        case Fact(name):
            return facts[name]
        case Plus(one, other):
            return value(one, facts) + value(other, facts)
        case DaysSince(name):
            now, then = facts["now"], facts[name]
            assert isinstance(now, datetime)
            assert isinstance(then, datetime)
            return int((now - then).total_seconds() // 86_400)
        case Cost():
            total = 0.0
            for item in facts["items"]:
                total += item["cost"]
            return total
        case Count():
            return len(facts["items"])
        case _:
            return term


def true(condition: Condition, facts: Facts) -> bool:
    """Whether a condition holds."""
    match condition:
        case Compare(one, order, other):
            return _ordered(value(one, facts), order, value(other, facts))
        case OneOf(name, of):
            return facts[name] in of
        case Is(name):
            return facts[name] is True
        case SomeItem(order, cost):
            return any(_ordered(item["cost"], order, cost) for item in facts["items"])
        case Not(that):
            return not true(that, facts)
        case Both(one, other):
            return true(one, facts) and true(other, facts)
        case Either(one, other):
            return true(one, facts) or true(other, facts)


def _ordered(one: Any, order: Order, other: Any) -> bool:
    match order:
        case "<":
            return one < other
        case "<=":
            return one <= other
        case ">":
            return one > other
        case ">=":
            return one >= other
        case "==":
            return one == other
        case "!=":
            return one != other
