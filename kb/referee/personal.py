"""Owns which rules and agents concern a player: time runs those for each player, and all others once.

`personal(rulebook)` gives their ids. It must not know turns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, cast

from kb.expressions import Expr
from kb.rulebook import Award, Decide, Do, Effect, EndGame, Progress, Rulebook, Say, Tell

_WHO = frozenset({"player", "room"})


def personal(rulebook: Rulebook) -> frozenset[str]:
    """Those that name `player` or `room`, read a field that does, or do something to whoever acts."""
    named = _named(rulebook)
    holders = (*rulebook.rules.values(), *rulebook.agents.values())
    return frozenset(each.id for each in holders if _concerns(rulebook, each, named, set()))


def _named(rulebook: Rulebook) -> frozenset[str]:
    """Derived fields that name a player, themselves or through others. `perceivable` always does."""
    derived = [(name, each.expr) for kind in rulebook.kinds.values() for name, each in kind.derived.items()]
    found, before = {"perceivable"}, 0
    while len(found) > before:
        before = len(found)
        found |= {name for name, expr in derived if _names(expr, found)}
    return frozenset(found)


def _names(expr: Expr, named: frozenset[str] | set[str]) -> bool:
    return not expr.names.isdisjoint(_WHO) or any(field in named for _, field in expr.reads)


def _concerns(rulebook: Rulebook, holder: object, named: frozenset[str], seen: set[str]) -> bool:
    for part in _within(holder):
        if isinstance(part, Expr):
            if _names(part, named):
                return True
        elif isinstance(part, Say | EndGame | Award | Progress | Do) or (isinstance(part, Tell) and part.to is None):
            return True
        elif isinstance(part, Decide) and part.table not in seen:
            seen.add(part.table)
            if _concerns(rulebook, rulebook.tables[part.table], named, seen):
                return True
    return False


def _within(value: object) -> Iterator[Expr | Effect]:
    """The expressions and effects that a compiled value is made of."""
    if isinstance(value, Expr):
        yield value
        return
    if isinstance(value, Effect):
        yield value
    inner: Any = ()
    if is_dataclass(value):
        inner = (getattr(value, each.name) for each in fields(value))
    elif isinstance(value, Mapping):
        inner = cast("Mapping[Any, Any]", value).values()
    elif isinstance(value, tuple):
        inner = cast("tuple[Any, ...]", value)
    for each in inner:
        yield from _within(each)
