"""Owns which rule decides an action: its roles bound and checked, then the first rule that fits.

`bind`, `choose`, `failing`, `narrowed`. It must not run effects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kb.referee.frame import Turn
from kb.referee.model import Action, Refused, TraceLine
from kb.referee.shape import TEMPLATE
from kb.rulebook import ActionType, Condition, Role, Rule
from kb.types import Ref, TypeMismatch, storable

_RANK = {"player": 0, "gm": 1, "admin": 2}


@dataclass(frozen=True, slots=True)
class Choice:
    """Which rule decides; or why none does, and which rule says so (None: nobody but the referee)."""

    rule: Rule | None
    spokesman: Rule | None
    reason: str


def bind(turn: Turn, action: Action) -> None:
    """The action's roles as local names, checked against their types."""
    type_ = turn.shape.rulebook.actions.get(action.type)
    if type_ is None:
        raise Refused("That is not something one can do here.", f"no action is {action.type!r}")
    bound: dict[str, Any] = {"verb": type_.verb, "text": storable(action.text)}
    given = action.roles
    for name, role in type_.roles.items():
        value = given.get(name)
        if value is None:
            if role.required:
                what = f"What is the {name.replace('_', ' ')}?"
                raise Refused(what, f"{name} is missing: it is {role.type}")
            value = role.type.zero() if role.start is None else role.start
        bound[name] = turn.vars[name] = _fitted(turn, role, value)
    turn.vars["action"] = bound
    if len(given) > len(type_.roles) or any(name not in type_.roles for name in given):
        raise _too_much(type_, given)


def _too_much(type_: ActionType, given: Iterable[str]) -> Refused:
    unknown = ", ".join(repr(name) for name in given if name not in type_.roles)
    return Refused("That is not something one can do here.", f"{type_.id!r} takes no {unknown}")


def _fitted(turn: Turn, role: Role, value: Any) -> Any:
    type_ = role.type
    try:
        value = type_.coerce(value)
    except TypeMismatch as error:
        raise Refused("That does not fit.", f"{role.name}: {error}") from None
    if isinstance(type_, Ref) and value and not turn.refers(type_, value):
        raise Refused("There is no such thing.", f"{role.name}: {value!r} is no {type_}")
    return value


NOTHING: Final[frozenset[str]] = frozenset()


def choose(turn: Turn, rules: Iterable[Rule], unknown: frozenset[str] = NOTHING) -> Choice:
    """The first rule whose narrowing, role and conditions hold; or the last one considered and why it does not.

    Conditions that read a name in `unknown` are taken to hold.
    """
    row = turn.rows.get(turn.player)
    rank = _RANK[row["role"]] if row is not None else 0
    spokesman: Rule | None = None
    reason = "nothing provides for it"
    for rule in rules:
        if rule.narrowing and not narrowed(turn, rule):
            continue
        if _RANK[rule.requires] > rank:
            spokesman, reason = None, f"only {_who(rule)} may do that"
            continue
        failed = failing(turn, rule.when, unknown)
        if failed is None:
            return Choice(rule, None, "")
        # A row of a rule table, or a rule on any action, is an exception; it does not say what is usual.
        if not rule.own and rule.trigger.action != "any":
            spokesman, reason = rule, failed.prose
    return Choice(None, spokesman, reason)


def _who(rule: Rule) -> str:
    return "an admin" if rule.requires == "admin" else "a game master"


def failing(turn: Turn, conditions: Sequence[Condition], unknown: frozenset[str] = NOTHING) -> Condition | None:
    """The first condition that does not hold; each one tried goes into the trace."""
    trace = turn.trace
    for condition in conditions:
        if unknown and not unknown.isdisjoint(condition.expr.names):
            continue
        held = condition.expr(turn)
        trace.append(TraceLine("condition", condition.span, condition.prose, held))
        if not held:
            return condition
    return None


def refuse_unless(turn: Turn, rule: Rule) -> None:
    """Refuses where a row of the rule's Unless holds."""
    for refusal in rule.unless:
        held = refusal.condition(turn)
        turn.trace.append(TraceLine("unless", refusal.span, refusal.condition.source, held))
        if held:
            raise Refused(refusal.text(turn), refusal.condition.source)


def narrowed(turn: Turn, rule: Rule) -> bool:
    """Whether the roles are what the rule's pattern names: a template's instance, or one of the values."""
    names, rows = turn.vars, turn.rows
    for name, allowed in rule.narrowing.items():
        value = names.get(name)
        options = (allowed,) if isinstance(allowed, str) else allowed
        if value in options:
            continue
        row = rows.get(value) if isinstance(value, str) else None
        if row is None or row[TEMPLATE] not in options:
            return False
    return True
