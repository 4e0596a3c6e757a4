"""Owns clashes: two rules that can both decide one action and do not name each other; and rules that never can.

Conditions are read as facts about terms (`item.location == player.location`, `world.hour >= 23`); two rules are apart where
no values satisfy both. What cannot be read so is taken as possible. It must not run rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from kb.diagnostics import Diagnostic, problem
from kb.expressions import Expr
from kb.expressions.checker import conjuncts
from kb.expressions.nodes import Binary, ListNode, Literal, Node, Unary
from kb.rulebook import Rule, Rulebook
from kb.types import Bool, Choice, Int, Type

_FLIP: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_NOT: Final = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
OTHER: Final = "(anything else)"


@dataclass
class Facts:
    """What must hold of each term (its source text) for a rule to apply."""

    types: dict[str, Type] = field(default_factory=dict[str, Type])
    tests: dict[str, list[tuple[str, Any]]] = field(default_factory=dict[str, list[tuple[str, Any]]])

    def add(self, term: str, type_: Type, op: str, value: Any) -> None:
        self.types[term] = type_
        self.tests.setdefault(term, []).append((op, value))

    def solve(self) -> dict[str, Any] | None:
        """A value for each term, or None where the facts contradict each other."""
        values: dict[str, Any] = {}
        for term, tests in self.tests.items():
            candidates = [v for v in _candidates(self.types[term], tests) if all(_holds(v, op, w) for op, w in tests)]
            if not candidates:
                return None
            values[term] = candidates[0]
        return values


def _candidates(type_: Type, tests: Iterable[tuple[str, Any]]) -> list[Any]:
    if isinstance(type_, Bool):
        return [True, False]
    if isinstance(type_, Choice):
        return list(type_.options)
    named: list[Any] = []
    for _, wanted in tests:
        named += cast("tuple[Any, ...]", wanted) if isinstance(wanted, tuple) else (wanted,)
    if any(isinstance(value, int | float) and not isinstance(value, bool) for value in named):
        near = {point for value in named if isinstance(value, int | float) for point in (value - 1, value, value + 1)}
        if isinstance(type_, Int):
            near = {point for point in near if type_.low <= point <= type_.high}
        return sorted(near)
    return [*named, OTHER]


def _holds(value: Any, op: str, wanted: Any) -> bool:
    match op:
        case "==":
            return value == wanted
        case "!=":
            return value != wanted
        case "in":
            return value in wanted
        case "not-in":
            return value not in wanted
        case "<":
            return value < wanted
        case "<=":
            return value <= wanted
        case ">":
            return value > wanted
        case _:
            return value >= wanted


def facts_of(exprs: Iterable[Expr], facts: Facts | None = None) -> Facts:
    """The facts that a list of conditions states."""
    facts = facts or Facts()
    for expr in exprs:
        for part in conjuncts(expr.tree):
            _fact(part, expr.source, facts, positive=True)
    return facts


def _fact(node: Node, source: str, facts: Facts, *, positive: bool) -> None:
    if isinstance(node, Unary) and node.op == "!":
        _fact(node.of, source, facts, positive=not positive)
        return
    if isinstance(node, Binary) and node.op == "||" and not positive:
        _fact(node.left, source, facts, positive=False)
        _fact(node.right, source, facts, positive=False)
        return
    if isinstance(node, Binary) and node.op in _FLIP:
        for term, other, op in ((node.left, node.right, node.op), (node.right, node.left, _FLIP[node.op])):
            if isinstance(other, Literal) and not isinstance(term, Literal):
                facts.add(_text(term, source), term.type, op if positive else _NOT[op], other.value)
                return
        # `a == b` and `b == a` are one term, true or false.
        sides = sorted((_text(node.left, source), _text(node.right, source)))
        if node.op in {"==", "!="}:
            facts.add(" == ".join(sides), Bool(), "==", (node.op == "==") is positive)
            return
    if isinstance(node, Binary) and node.op == "in" and isinstance(node.right, ListNode):
        values = [each.value for each in node.right.items if isinstance(each, Literal)]
        if len(values) == len(node.right.items):
            facts.add(_text(node.left, source), node.left.type, "in" if positive else "not-in", tuple(values))
            return
    facts.add(_text(node, source), Bool(), "==", positive)


def _text(node: Node, source: str) -> str:
    return " ".join(source[node.start : node.end].split())


def clashes(rulebook: Rulebook) -> list[Diagnostic]:
    """RB305 for pairs that clash, RB309 for rules that can never apply."""
    problems: list[Diagnostic] = []
    told: set[tuple[str, str]] = set()
    for rule in rulebook.rules.values():
        if facts_of(c.expr for c in rule.when).solve() is None:
            hint = "Change one of its conditions."
            problems.append(
                problem("RB309", rule.span, "The rule can never apply: its conditions contradict each other", hint)
            )
    behind = _behind(rulebook.rules)
    for action in rulebook.actions.values():
        rules = [rulebook.rules[id] for id in action.rules]
        for index, second in enumerate(rules):
            for first in rules[:index]:
                pair = (first.id, second.id)
                if pair in told or _ordered(first, second, behind):
                    continue
                witness = _both(first, second)
                if witness is not None:
                    told.add(pair)
                    problems.append(_clash(first, second, witness))
    return problems


def _behind(rules: Mapping[str, Rule]) -> dict[str, set[str]]:
    """Rule → every rule that it stands before, directly or through others."""
    behind: dict[str, set[str]] = {}
    for id in rules:
        found: set[str] = set()
        waiting = list(rules[id].instead_of)
        while waiting:
            target = waiting.pop()
            if target in found or target not in rules:
                continue
            found.add(target)
            # What was worked out for another rule is taken over whole.
            if target in behind:
                found |= behind[target]
            else:
                waiting += rules[target].instead_of
        behind[id] = found
    return behind


def _ordered(first: Rule, second: Rule, behind: Mapping[str, set[str]]) -> bool:
    """Whether the order between two rules is stated."""
    return (
        first.own
        or second.own
        or first.requires != second.requires
        or second.id in behind[first.id]
        or first.id in behind[second.id]
        or ("all" in first.instead_of) != ("all" in second.instead_of)
    )


def _both(first: Rule, second: Rule) -> Mapping[str, Any] | None:
    """Values under which both rules apply."""
    for role, allowed in first.narrowing.items():
        other = second.narrowing.get(role)
        if other is not None and not any(each in other for each in allowed):
            return None
    facts = facts_of(c.expr for c in first.when)
    return facts_of((c.expr for c in second.when), facts).solve()


def _clash(first: Rule, second: Rule, witness: Mapping[str, Any]) -> Diagnostic:
    state = ", ".join(f"`{term}` is {_shown(value)}" for term, value in list(witness.items())[:6])
    where = f" when {state}" if state else " always"
    what = f"`{second.id}` and `{first.id}` ({first.span}) clash: both apply{where}"
    hint = f"Write `instead of: {first.id}` in the one that goes first, or add a condition that parts them."
    return problem("RB305", second.span, what, hint)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f'"{value}"' if isinstance(value, str) and value != OTHER else str(value)
