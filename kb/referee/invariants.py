"""Owns what must be true after every turn, and which invariants a turn can have broken at all.

`Invariants(rulebook).check(turn)`. It must not know what the turn did.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    """An invariant; `name` is its instance's local name and `kind` the instance's kind ("" for the experience's)."""

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
                    _must_hold(turn, each, id)

    def broken(self, turn: Turn) -> list[tuple[Condition, str]]:
        """Invariants that do not hold, and the first instance for which each does not."""
        found: list[tuple[Condition, str]] = []
        for each in self._all:
            for id in turn.every(each.kind) if each.kind else (turn.player,):
                try:
                    _must_hold(turn, each, id)
                except (Refused, EvaluationError):
                    found.append((each.condition, id if each.kind else ""))
                    break
        return found


def _instances(turn: Turn, invariant: _Invariant, changed: set[str]) -> list[str]:
    if not invariant.kind:
        if "player" not in invariant.condition.expr.names:
            return [""]
        return [each for each in turn.every("player") if each in changed or each == turn.player]
    if invariant.local:
        return [each for each in sorted(changed) if turn.isa(each, invariant.kind)]
    return list(turn.every(invariant.kind))


def _must_hold(turn: Turn, invariant: _Invariant, id: str) -> None:
    condition = invariant.condition
    if invariant.kind:
        before = turn.vars.get(invariant.name)
        turn.vars[invariant.name] = id
        try:
            held = condition.expr(turn)
        finally:
            if before is None:
                del turn.vars[invariant.name]
            else:
                turn.vars[invariant.name] = before
    elif id and id != turn.player:
        with turn.acting(id):
            held = condition.expr(turn)
    else:
        held = condition.expr(turn)
    if not held:
        turn.trace.append(TraceLine("invariant", condition.span, condition.prose, False))
        what = f" ({id})" if id else ""
        raise Refused("That cannot be.", f"{condition.prose} would no longer hold{what}")


def _prepared(rulebook: Rulebook, condition: Condition, kind: str) -> _Invariant:
    name = kind.replace("-", "_")
    expr = condition.expr
    local = bool(kind) and _is_local(expr.tree, name) and not _free(expr)
    return _Invariant(condition, kind, name, local, closure(rulebook, expr))


def _free(expr: Expr) -> bool:
    """Whether it depends on more than the state: the clock, chance, what was done."""
    return bool(expr.names & {"action", "event"}) or any(
        (isinstance(node, Name) and node.role == "now") or (isinstance(node, Call) and node.name in {"roll", "pick"})
        for node in _walk(expr.tree)
    )


def _is_local(tree: Node, name: str) -> bool:
    for node in _walk(tree):
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
