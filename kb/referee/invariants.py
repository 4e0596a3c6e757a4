"""Owns what must be true after every turn, and which invariants a turn can have broken at all.

`Invariants(rulebook).check(turn)`. It must not know what the turn did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kb.expressions import EvaluationError, Expr
from kb.expressions.nodes import Call, Member, Name, Node, children
from kb.referee.frame import Turn
from kb.referee.model import Refused, TraceLine
from kb.rulebook import Condition, Rulebook
from kb.types import Record

_BUILT_IN = {
    "contents": {"location"},
    "inventory": {"location"},
    "room": {"location"},
    "perceivable": {"location"},
    "hour": {"time"},
    "minute": {"time"},
    "day": {"time"},
}


@dataclass(frozen=True, slots=True)
class _Invariant:
    """An invariant of a kind, or (with the kind "") of the experience. `name` is the local name of the instance that it is
    about: for each player where the experience's names one, "" where it is about the world."""

    condition: Condition
    kind: str
    name: str
    local: bool
    """Whether it reads stored fields of its own instance alone."""
    reads: frozenset[str] | None
    """The fields that can break it; None: anything can."""


class Invariants:
    """A rulebook's invariants made ready."""

    def __init__(self, rulebook: Rulebook):
        self._all = [_prepared(rulebook, each, "") for each in rulebook.invariants]
        for kind in rulebook.kinds.values():
            self._all += [_prepared(rulebook, each, kind.id) for each in kind.invariants]

    def check(self, turn: Turn) -> None:
        """Refuses the turn where something no longer holds."""
        if not self._all:
            return
        changed, names = turn.changed()
        for each in self._all:
            if each.reads is None or "" in names or not each.reads.isdisjoint(names):
                for id in _instances(turn, each, changed):
                    if not _holds(turn, each, id) and not _broken_before(turn, each, id):
                        condition, what = each.condition, f" ({id})" if id else ""
                        turn.trace.append(TraceLine("invariant", condition.span, condition.prose, False))
                        raise Refused("That cannot be.", f"{condition.prose} would no longer hold{what}")

    def broken(self, turn: Turn) -> list[tuple[Condition, list[str]]]:
        """Invariants that do not hold, and for which instances; [""] where it is about none."""
        found: list[tuple[Condition, list[str]]] = []
        for each in self._all:
            ids = [id for id in _everyone(turn, each) if not _holds(turn, each, id)]
            if ids:
                found.append((each.condition, ids))
        return found


def _everyone(turn: Turn, invariant: _Invariant) -> Sequence[str]:
    return turn.every(invariant.kind or "player") if invariant.name else ("",)


def _instances(turn: Turn, invariant: _Invariant, changed: set[str]) -> Sequence[str]:
    if invariant.local:
        kind = invariant.kind or "player"
        return [each for each in sorted(changed) if turn.isa(each, kind)]
    return _everyone(turn, invariant)


def _holds(turn: Turn, invariant: _Invariant, id: str) -> bool:
    """Whether it holds for an instance; what cannot be worked out does not."""
    expr, names = invariant.condition.expr, turn.vars
    try:
        if not invariant.kind and id in ("", turn.player):
            return expr(turn)
        if not invariant.kind:
            with turn.acting(id):
                return expr(turn)
        turn.vars = {**names, invariant.name: id}
        return expr(turn)
    except EvaluationError:
        return False
    finally:
        turn.vars = names


def _broken_before(turn: Turn, invariant: _Invariant, id: str) -> bool:
    """Whether it did not hold even before the turn (a later version may ask for more): then it stops nobody."""
    before = Turn(turn.state, turn.derivations, turn.player, turn.inputs)
    if id and id not in before.rows:
        return False
    return not _holds(before, invariant, id)


def _prepared(rulebook: Rulebook, condition: Condition, kind: str) -> _Invariant:
    expr = condition.expr
    name = kind.replace("-", "_") if kind else "player" if expr.names & {"player", "room"} else ""
    local = bool(name) and is_local(expr, name)
    return _Invariant(condition, kind, name, local, closure(rulebook, expr))


def _free(expr: Expr) -> bool:
    """Whether it depends on more than the state: the clock, chance, what was done."""
    return bool(expr.names & {"action", "event"}) or any(
        (isinstance(node, Name) and node.role == "now") or (isinstance(node, Call) and node.name in {"roll", "pick"})
        for node in _walk(expr.tree)
    )


def is_local(expr: Expr, name: str) -> bool:
    """Whether an expression depends on stored fields of the thing with this local name, and on nothing else."""
    if _free(expr) or "room" in expr.names:
        return False
    for node in _walk(expr.tree):
        if isinstance(node, Member) and not isinstance(node.of.type, Record):
            own = isinstance(node.of, Name) and node.of.name == name
            if node.derived or not own:
                return False
        if isinstance(node, Name) and node.role in {"instance", "collection"}:
            return False
    return True


def closure(rulebook: Rulebook, expr: Expr) -> frozenset[str] | None:
    """The stored fields that an expression depends on, through derived fields too; None where they cannot be told."""
    if _free(expr):
        return None
    seen: set[str] = set()
    waiting = [field for _, field in (*expr.reads, *expr.searches)]
    if "room" in expr.names:
        waiting.append("location")
    while waiting:
        field = waiting.pop()
        if field in seen:
            continue
        if field == "description":
            return None
        seen.add(field)
        waiting += _BUILT_IN.get(field, ())
        for kind in rulebook.kinds.values():
            if field in kind.derived:
                inner = kind.derived[field].expr
                if _free(inner):
                    return None
                waiting += ["location", *(name for _, name in (*inner.reads, *inner.searches))]
    return frozenset(seen)


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for each in children(node):
        yield from _walk(each)
