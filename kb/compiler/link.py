"""Owns the step from compiled pages to one Rulebook: which rules belong to an action and in which order they are considered.

Own rules (rows of `## Rules`) come first, then rules that stand `instead of` others, then the rest, a world's before
its libraries'. It must not know how pages are compiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from kb.diagnostics import Diagnostic, problem
from kb.rulebook import Rule
from kb.suggest import suggest


@dataclass(frozen=True, slots=True)
class Order:
    """Rule ids by what sets them off, each in the order in which they are considered."""

    actions: Mapping[str, tuple[str, ...]]
    after: Mapping[str, tuple[str, ...]]
    enters: tuple[str, ...]
    events: Mapping[str, tuple[str, ...]]
    every_turn: tuple[str, ...]
    timed: tuple[str, ...]


def order_rules(rules: Mapping[str, Rule], action_ids: Iterable[str]) -> tuple[Order, list[Diagnostic]]:
    """The order of all rules (given in page order, a world's before its libraries'), and what is wrong with it."""
    problems = _unknown_instead(rules)
    rank, circular = _ranks(rules)
    problems += circular
    place = {id: index for index, id in enumerate(rules)}

    def key(id: str) -> tuple[int, int, int]:
        rule = rules[id]
        group = 0 if rule.own else 1 if "all" in rule.instead_of else 2
        return (group, -rank[id], place[id])

    by_kind: dict[str, list[str]] = {}
    for id, rule in rules.items():
        by_kind.setdefault(rule.trigger.kind, []).append(id)
    actions: dict[str, tuple[str, ...]] = {}
    after: dict[str, tuple[str, ...]] = {}
    for action in action_ids:
        named = [id for id in by_kind.get("action", ()) if rules[id].trigger.action in (action, "any")]
        if any(rules[id].trigger.action == action for id in named):
            actions[action] = tuple(sorted(named, key=key))
        followers = [id for id in by_kind.get("after", ()) if rules[id].trigger.action in (action, "any")]
        after[action] = tuple(sorted(followers, key=key))
    events: dict[str, list[str]] = {}
    for id in by_kind.get("event", ()):
        events.setdefault(rules[id].trigger.event or "", []).append(id)
    return Order(
        actions=actions,
        after=after,
        enters=tuple(by_kind.get("enters", ())),
        events={event: tuple(ids) for event, ids in events.items()},
        every_turn=tuple(by_kind.get("turn", ())),
        timed=(*by_kind.get("every", ()), *by_kind.get("at", ())),
    ), problems


def _unknown_instead(rules: Mapping[str, Rule]) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    for rule in rules.values():
        for id in rule.instead_of:
            if id != "all" and id not in rules:
                hint = suggest(id, rules) or "Name a rule by its id, or `all`."
                found.append(problem("RB306", rule.span, f"`instead of: {id}` names no rule", hint))
    return found


def _ranks(rules: Mapping[str, Rule]) -> tuple[dict[str, int], list[Diagnostic]]:
    """How many rules each rule stands before, along `instead of`; and the first circle."""
    targets = {id: [target for target in rule.instead_of if target in rules] for id, rule in rules.items()}
    try:
        order = list(TopologicalSorter(targets).static_order())
    except CycleError as error:
        circle: list[str] = error.args[1]
        what = f"`instead of` goes round in a circle: {' → '.join(reversed(circle))}"
        return dict.fromkeys(rules, 0), [problem("RB306", rules[circle[0]].span, what, "Leave one of them out.")]
    ranks: dict[str, int] = {}
    for id in order:
        ranks[id] = max((ranks[target] + 1 for target in targets[id]), default=0)
    return ranks, []
