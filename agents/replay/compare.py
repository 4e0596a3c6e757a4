"""Owns what differs between two outcomes of one turn, and which rule and line made it differ.

`difference(before, after)` over the JSON of `agents.record`. It must not know how outcomes come about.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

Data = Mapping[str, Any]
_ALLOWING = ("condition", "unless", "invariant")
"""Lines of which only the value decides, not how it is written."""


class Side(NamedTuple):
    """What decided on one side: a rule, and the line where the sides part."""

    rule: str
    """The rule's id; in parentheses what there is instead of a rule."""
    place: str
    """`path:line`; empty where no line took part."""
    commit: str
    line: str
    """The line as it is written."""

    @property
    def at(self) -> str:
        """`path:line@commit`, as traces cite it."""
        return f"{self.place}@{self.commit}" if self.place else ""


class Difference(NamedTuple):
    """What two outcomes do not share, a fact each: `gone` only before, `new` only after."""

    before: Side
    after: Side
    gone: tuple[str, ...]
    new: tuple[str, ...]


def difference(before: Data, after: Data, instance: str = "") -> Difference | None:
    """What differs in status, text, effects and events; None where nothing does. `instance` is who acted."""
    old, new = facts(before, instance), facts(after, instance)
    if old == new:
        return None
    gone, come = Counter(old) - Counter(new), Counter(new) - Counter(old)
    sides = _sides(before, after, instance)
    if not gone and not come:
        return Difference(*sides, tuple(old), tuple(new))
    return Difference(*sides, tuple(_only(old, gone)), tuple(_only(new, come)))


def facts(outcome: Data, instance: str) -> list[str]:
    """An outcome as lines for people: what is not done, what is read, by whom, and what changes."""
    status = outcome.get("status", "done")
    found = [] if status == "done" else [f"({status})"]
    found += str(outcome.get("text", "")).splitlines()
    for action in outcome.get("actions", ()):
        found += _told(action, instance)
    return found


def _told(action: Data, instance: str) -> list[str]:
    found = [f"to {each['to']}: {each['text']}" for each in action["messages"] if each["to"] != instance]
    found += sorted(_effect(each) for each in action["effects"])
    found += [f"event {each['name']} {_json(each['values'])}" for each in action["events"]]
    return found


def _effect(change: Data) -> str:
    if not change["field"]:
        return f"{change['id']}: {change['before'] or 'nothing'} → {change['after'] or 'nothing'}"
    return f"{change['id']}.{change['field']}: {_json(change['before'])} → {_json(change['after'])}"


def _only(told: Sequence[str], wanted: Counter[str]) -> list[str]:
    """The wanted ones in their order; of one that is told more often, the last ones."""
    left, found = wanted.copy(), list[str]()
    for fact in reversed(told):
        if left[fact] > 0:
            left[fact] -= 1
            found.append(fact)
    return found[::-1]


# --- what decided


def _sides(before: Data, after: Data, instance: str) -> tuple[Side, Side]:
    """The rules and lines where the first action that differs parts."""
    befores: list[Data | None] = [*before.get("actions", ())]
    afters: list[Data | None] = [*after.get("actions", ())]
    for old, new in zip_longest(befores, afters):
        if old is None or new is None or _part(old, instance) != _part(new, instance):
            break
    else:
        words = (f"({before.get('status', 'done')})", f"({after.get('status', 'done')})")
        return Side(words[0], "", "", ""), Side(words[1], "", "", "")
    deciding = _parting(_lines(old), _lines(new)) or _parting(_messages(old), _messages(new))
    lines = deciding or (_last(old), _last(new))
    return _side(old, lines[0], before), _side(new, lines[1], after)


def _part(action: Data, instance: str) -> tuple[Any, ...]:
    own = [each["text"] for each in action["messages"] if each["to"] == instance]
    return action["status"], action["rule"], own, _told(action, instance)


def _side(action: Data | None, line: tuple[str, str] | None, outcome: Data) -> Side:
    """A side that lacks the line where the other parts is told by its last one."""
    at, text = line or _last(action) or ("", "")
    place, _, commit = at.rpartition("@")
    status = outcome.get("status", "done")
    rule = action["rule"] or action["action"] if action else f"({'nothing' if status == 'done' else status})"
    return Side(rule or "(answer)", place, commit, text)


def _lines(action: Data | None) -> list[tuple[Any, str, str]]:
    """(what is compared, place, words) of each line that took part."""
    lines: list[Data] = action["lines"] if action else []
    return [
        ((line["kind"], line["value"], "" if line["kind"] in _ALLOWING else line["text"]), line["at"], line["text"])
        for line in lines
    ]


def _messages(action: Data | None) -> list[tuple[Any, str, str]]:
    told: list[Data] = action["messages"] if action else []
    return [((each["to"], each["text"]), each["at"], each["text"]) for each in told]


def _parting(
    old: list[tuple[Any, str, str]], new: list[tuple[Any, str, str]]
) -> tuple[tuple[str, str] | None, tuple[str, str] | None] | None:
    """Where two lists first differ, on both sides; None where they do not."""
    for one, other in zip_longest(old, new):
        if one is None or other is None or one[0] != other[0]:
            return one and one[1:], other and other[1:]
    return None


def _last(action: Data | None) -> tuple[str, str] | None:
    lines = _lines(action) or _messages(action)
    return lines[-1][1:] if lines else None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
