"""Owns how derived fields are computed: the built-in ones, and those that a rulebook derives.

`Derivations(shape)`, once for each rulebook; `Turn.derived` asks it. It must not know rules or write anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kb.referee.shape import TEMPLATE, Shape
from kb.rulebook import Derived

if TYPE_CHECKING:
    from kb.referee.frame import Turn

Compute = Callable[["Turn", str], Any]


class Derivations:
    """How each kind's derived fields are computed. A field that the rulebook derives stands before a built-in one."""

    def __init__(self, shape: Shape):
        self._zeros: dict[str, Any] = {**_ZEROS, **shape.zeros}
        self._by_template: dict[str, dict[str, Compute]] = {}
        for template, above in shape.isa.items():
            found: dict[str, Compute] = {"description": _description}
            for kind in _BUILTIN:
                if kind in above:
                    found |= _BUILTIN[kind]
            page = shape.rulebook.templates.get(template)
            declared = shape.rulebook.kinds[page.kind if page else template].derived
            found |= {name: _expression(each) for name, each in declared.items()}
            self._by_template[template] = found

    def of(self, template: str) -> Mapping[str, Compute]:
        """The derived fields of a template's (or kind's) instances."""
        return self._by_template.get(template, {})

    def zero(self, field: str) -> Any:
        """What a field reads as where there is none."""
        return self._zeros.get(field, "")


def _expression(derived: Derived) -> Compute:
    name, expr = derived.self_name, derived.expr

    def compute(turn: Turn, id: str) -> Any:
        names = turn.vars
        before = names.get(name)
        names[name] = id
        try:
            return expr(turn)
        finally:
            if before is None:
                del names[name]
            else:
                names[name] = before

    return compute


def _description(turn: Turn, id: str) -> str:
    page = turn.shape.rulebook.templates.get(turn.rows[id][TEMPLATE])
    if page is None:
        return ""
    names = turn.vars
    before = dict(names)
    names.update({kind.replace("-", "_"): id for kind in turn.shape.isa[page.id]})
    try:
        return page.description(turn)
    finally:
        names.clear()
        names.update(before)


def _contents(turn: Turn, id: str) -> tuple[str, ...]:
    return turn.index["location"].get(id, ())


def room_of(turn: Turn, id: str) -> str:
    """The place at the end of the chain of locations; "" where there is none."""
    rows, isa = turn.rows, turn.shape.isa
    for _ in range(len(rows) + 1):
        row = rows.get(id)
        if row is None:
            return ""
        if "place" in isa[row[TEMPLATE]]:
            return id
        id = row.get("location", "")
    return ""


def _near(turn: Turn, id: str) -> bool:
    """In the player's room, or carried, however deep."""
    rows, player = turn.rows, turn.player
    room = turn.vars["room"]
    for _ in range(len(rows) + 1):
        if id == player or (id == room and room):
            return True
        row = rows.get(id)
        if row is None:
            return False
        id = row.get("location", "")
    return False


def _here(turn: Turn, id: str) -> bool:
    return turn.vars["room"] == id


def _always(turn: Turn, id: str) -> bool:
    return True


def _hour(turn: Turn, id: str) -> int:
    return turn.rows[id]["time"].hour


def _minute(turn: Turn, id: str) -> int:
    return turn.rows[id]["time"].minute


def _day(turn: Turn, id: str) -> int:
    begins: datetime = turn.shape.rulebook.settings.begins
    return (turn.rows[id]["time"].date() - begins.date()).days + 1


_BUILTIN: dict[str, dict[str, Compute]] = {
    "thing": {"contents": _contents, "room": room_of, "perceivable": _near},
    "player": {"inventory": _contents},
    "npc": {"inventory": _contents},
    "place": {"perceivable": _here},
    "waypoint": {"perceivable": _always},
    "world": {"hour": _hour, "minute": _minute, "day": _day},
}
_ZEROS: dict[str, Any] = {
    "contents": (),
    "inventory": (),
    "perceivable": False,
    "room": "",
    "description": "",
    "hour": 0,
    "minute": 0,
    "day": 0,
}
