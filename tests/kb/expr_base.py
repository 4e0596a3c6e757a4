"""A hall, a lamp, a player, a few plain variables: what the tests of expressions compile against and run on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from kb.compiler.builtin import DIRECTION
from kb.compiler.declarations import Declarations
from kb.compiler.kinds import builtin_kinds
from kb.compiler.patterns import ActionTable, Kinds
from kb.compiler.scope import Asked, Scope, World
from kb.types import BOOL, INT, NUMBER, TEXT, ListOf, Record, Ref, Type

DECLARATIONS = Declarations(
    kinds=builtin_kinds(),
    templates={"brass-lamp": "item", "hall": "place"},
    instances={"brass-lamp": "item", "hall": "place", "world": "world"},
    categories={},
    created=frozenset(),
)
TYPES: dict[str, Type] = {
    "item": Ref(("item",)), "player": Ref(("player",)), "a": INT, "b": INT, "x": NUMBER, "p": BOOL, "q": BOOL,
    "s": TEXT, "t": TEXT, "xs": ListOf(INT), "action": Record((("verb", TEXT), ("direction", DIRECTION))),
}  # fmt: skip


def names(**more: Type) -> Scope:
    """The names of the world, and more variables."""
    return Scope(World(DECLARATIONS, ActionTable((), Kinds((), {}, {}))), Asked(), {**TYPES, **more})


class Frame:
    """A state of that world; keyword arguments are the variables."""

    rows = {
        "brass-lamp": {"location": "hall", "name": "brass lamp", "kind": "item"},
        "hall": {"name": "Hall", "kind": "place", "exits": {"north": "hall"}},
        "ada": {"location": "hall", "kind": "player", "name": "Ada", "point": (51.0, 0.0)},
    }
    now = datetime(2026, 1, 1, tzinfo=UTC)

    def __init__(self, **values: Any):
        self.vars: dict[str, Any] = {"item": "brass-lamp", "player": "ada", "action": {"verb": "go"}, **values}
        self.spent = 0

    def derived(self, id: str, field: str) -> Any:
        return ("brass-lamp",)

    def where(self, kind: str, field: str, value: Any) -> list[str]:
        return [id for id, row in self.rows.items() if row["kind"] == kind and row.get(field) == value]

    def every(self, kind: str) -> list[str]:
        return [id for id, row in self.rows.items() if row["kind"] == kind]

    def spend(self, steps: int) -> None:
        self.spent += steps

    def draw(self, low: int, high: int) -> int:
        return low
