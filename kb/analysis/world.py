"""Owns whether every place can be reached from the start.

Exits are followed, and every place that a page names elsewhere (an effect that moves, a field that refers to it) counts as
reachable. It must not run turns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kb.diagnostics import Diagnostic, Severity, Span, problem
from kb.expressions import Expr
from kb.expressions.nodes import Literal, Name, Node, children
from kb.rulebook import Rulebook
from kb.types import Type


def unreachable(rulebook: Rulebook) -> list[Diagnostic]:
    """RB603 for each place that nothing leads to."""
    places = {
        seed.id: rulebook.templates[seed.template]
        for seed in rulebook.seeds
        if "exits" in rulebook.kinds[rulebook.templates[seed.template].kind].fields
    }
    start = rulebook.settings.start
    if not places or start not in places:
        return []
    reached, waiting = set[str](), [start, *(id for id in _named(rulebook) if id in places)]
    while waiting:
        id = waiting.pop()
        if id in reached or id not in places:
            continue
        reached.add(id)
        waiting += places[id].values.get("exits", {}).values()
    return [
        problem(
            "RB603",
            place.span,
            f"The place `{id}` cannot be reached from `{start}`",
            "Give it an exit from another place.",
            Severity.WARNING,
        )
        for id, place in places.items()
        if id not in reached
    ]


def _named(rulebook: Rulebook) -> Iterable[str]:
    """Ids in effects of rules, tables, workflows and agents, and in fields of templates other than exits."""
    for template in rulebook.templates.values():
        for name, value in template.values.items():
            if name != "exits" and isinstance(value, str):
                yield value
    for value in (
        *rulebook.rules.values(),
        *rulebook.tables.values(),
        *rulebook.workflows.values(),
        *rulebook.agents.values(),
    ):
        for part in ("then", "rows", "steps", "always"):
            for expr in _expressions(getattr(value, part, ())):
                yield from _ids(expr.tree)


def _expressions(value: Any) -> Iterable[Expr]:
    if isinstance(value, Expr):
        yield value
    elif isinstance(value, tuple):
        for each in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _expressions(each)
    elif hasattr(value, "__dataclass_fields__") and not isinstance(value, Span | Type):
        for name in value.__dataclass_fields__:
            yield from _expressions(getattr(value, name))


def _ids(node: Node) -> Iterable[str]:
    if isinstance(node, Literal) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, Name) and node.role == "instance":
        yield node.id
    for each in children(node):
        yield from _ids(each)
