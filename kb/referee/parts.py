"""Owns a state as parts, so that a store keeps a row an instance and a turn writes only what it changed.

`head` and `parts` are a whole state, `changed` what a turn did to them, `load_parts` reads them again. Seeds that nobody
has touched have no part: they are as the rulebook says. It must not know stores.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from kb.referee.save import NotAState, load_parts
from kb.referee.state import State, new_state

__all__ = ["NotAState", "Part", "changed", "head", "load_parts", "parts", "rewritten"]

Part: TypeAlias = dict[str, Any]
"""`template`, `kind`, `number` (order of creation, never given anew), `fields` that differ from the template's; where there
are any: `contents` (ids, where they did not arrive in the order of their creation), `steps` and `had` of a player."""


def head(state: State) -> dict[str, Any]:
    """What is the whole world's: `format`, `commit`, `book`. It changes only as timers, plans and removed seeds do."""
    return state.head()


def parts(state: State) -> dict[str, Part]:
    """Every instance that differs from the fresh world of the same rulebook."""
    return {id: state.part(id) for id in state.rows if _differs(state, id)}


def changed(before: State, after: State, ids: Iterable[str] | None = None) -> dict[str, Part | None]:
    """What became of parts from one state to a later one: the new part; None where there is none any more.

    `ids` (an outcome's `touched`, or those of several turns together) saves looking at every instance.
    """
    looked = _all(before, after) if ids is None else set(ids)
    found: dict[str, Part | None] = {}
    for id in sorted(looked):
        if _same(before, after, id):
            continue
        if _differs(after, id):
            found[id] = after.part(id)
        elif _differs(before, id):
            found[id] = None
    return found


def rewritten(stored: Mapping[str, Part], state: State) -> dict[str, Part | None]:
    """What a store must write where `load_parts` read its parts under another commit: as `changed`, from the parts."""
    now = parts(state)
    found: dict[str, Part | None] = {id: part for id, part in now.items() if stored.get(id) != part}
    return {**found, **{id: None for id in stored if id not in now}}


def _all(before: State, after: State) -> set[str]:
    """Every id whose row, contents or bookkeeping is not the very same."""
    one, two = before.rows, after.rows
    found = {id for id, row in two.items() if one.get(id) is not row} | (one.keys() - two.keys())
    for old, new in ((before.index["location"], after.index["location"]), (before.own, after.own)):
        found |= {id for id in old.keys() | new.keys() if old.get(id) is not new.get(id)}
    return found - {""}


def _same(before: State, after: State, id: str) -> bool:
    """Whether nothing of an instance has changed; one that came again, as it was before, has another number."""
    one, two = before.rows.get(id), after.rows.get(id)
    if one is not two and one != two:
        return False
    if before.numbers.get(id) != after.numbers.get(id):
        return False
    return before.own.get(id) == after.own.get(id) and before.arrived(id) == after.arrived(id)


def _differs(state: State, id: str) -> bool:
    """Whether the instance is there and not just what a fresh world has."""
    row = state.rows.get(id)
    if row is None:
        return False
    seed = new_state(state.shape).rows.get(id)
    if seed is not row and seed != row:
        return True
    return id in state.own or bool(state.arrived(id))
