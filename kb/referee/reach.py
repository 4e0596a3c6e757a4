"""Owns what a player can perceive at all, so that nobody has to look at everything in a world of many.

`Reach(rulebook).of(turn, kind)`: candidates, at the cost of what is around where `perceivable` allows it. Whether each one
is perceived is its own `perceivable`'s matter; this must only never leave one out.
"""

from __future__ import annotations

from collections.abc import Sequence

from kb.expressions.nodes import Binary, Member, Name, Node
from kb.referee.frame import Turn
from kb.referee.shape import TEMPLATE
from kb.rulebook import Rulebook


class Reach:
    """A rulebook's kinds whose instances are perceived only in the player's room or on the player, and the others."""

    def __init__(self, rulebook: Rulebook):
        self._kinds = rulebook.kinds
        far, before = {kind for kind in rulebook.kinds if self._above(kind, "waypoint")}, -1
        while len(far) > before:
            before = len(far)
            far |= {kind for kind in rulebook.kinds if kind not in far and not self._near(kind, far)}
        self._far = frozenset(far)

    def of(self, turn: Turn, kind: str) -> Sequence[str]:
        """Ids of the kind's instances that the acting player may perceive, in order of creation."""
        room, isa = turn.vars["room"], turn.shape.isa
        if not room:
            return turn.every(kind)
        around, contents = [room, turn.player], turn.index["location"]
        for each in around:
            around.extend(contents.get(each, ()))
        found = {id for id in around if kind in isa[turn.rows[id][TEMPLATE]]}
        found.update(id for each in self._far & turn.shape.within[kind] for id in turn.every(each))
        return sorted(found, key=turn.numbers.__getitem__)

    def _above(self, kind: str, other: str) -> bool:
        parent = self._kinds[kind].parent
        return kind == other or (parent is not None and self._above(parent, other))

    def _near(self, kind: str, far: set[str]) -> bool:
        """Whether a thing of the kind that is perceived is in the room or on the player. The built-in form says so."""
        declared = self._kinds[kind].derived.get("perceivable")
        return declared is None or self._implies(declared.expr.tree, declared.self_name, far)

    def _implies(self, node: Node, me: str, far: set[str]) -> bool:
        match node:
            case Binary(op="||"):
                return self._implies(node.left, me, far) and self._implies(node.right, me, far)
            case Binary(op="&&"):
                return self._implies(node.left, me, far) or self._implies(node.right, me, far)
            case Binary(op="=="):
                sides = node.left, node.right
                return any(_is(one, me, "location") and _who(two) for one, two in (sides, sides[::-1]))
            case Member(of=of, name=name) if _is(of, me, "location"):
                return self._passes_on(name, far)
            case _:
                return False

    def _passes_on(self, field: str, far: set[str]) -> bool:
        """Whether a field of the location is true only where the location itself is perceived, and near."""
        for kind in self._kinds.values():
            declared = kind.derived.get(field)
            if field == "perceivable":
                if kind.id in far:
                    return False
            elif declared is not None:
                if kind.id in far or not _needs(declared.expr.tree, declared.self_name):
                    return False
            elif field in kind.fields:
                return False
        return True


def _needs(node: Node, me: str) -> bool:
    """Whether an expression holds only where its own thing is perceivable."""
    match node:
        case Binary(op="||"):
            return _needs(node.left, me) and _needs(node.right, me)
        case Binary(op="&&"):
            return _needs(node.left, me) or _needs(node.right, me)
        case _:
            return _is(node, me, "perceivable")


def _is(node: Node, me: str, field: str) -> bool:
    return isinstance(node, Member) and node.name == field and isinstance(node.of, Name) and node.of.name == me


def _who(node: Node) -> bool:
    """`player`, `room`, or the id of one."""
    if isinstance(node, Member) and node.name == "id":
        node = node.of
    return isinstance(node, Name) and node.name in {"player", "room"}
