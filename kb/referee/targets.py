"""Owns reading and writing what an effect aims at: a field, or an entry of a map, record or list in it.

`read_target` and `write_target`; holders on the way are rebuilt, never changed. It must not know effects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kb.referee.frame import Turn
from kb.referee.model import Refused
from kb.referee.shape import TEMPLATE
from kb.rulebook import Target
from kb.types import LIST_LIMIT, ListOf, MapOf, Record, Type


def read_target(turn: Turn, target: Target) -> Any:
    """The present value; a map's missing key is its start, a missing thing's field the zero."""
    row = turn.rows.get(target.root(turn))
    if row is None or target.field not in row:
        return target.type.zero()
    value: Any = row[target.field]
    type_ = turn.shape.types[row[TEMPLATE]][target.field]
    for step in target.steps:
        value, type_ = _entry(value, type_, step if isinstance(step, str) else step(turn), target.source)
    return value


def write_target(turn: Turn, target: Target, value: Any, source: str) -> None:
    """Sets it. What does not fit refuses the turn, naming `source`, the effect's line."""
    id = target.root(turn)
    if not target.steps:
        turn.write(id, target.field, value, source)
        return
    row = turn.rows.get(id)
    if row is None or target.field not in row:
        raise Refused("That is not there.", f"{source}: {id!r} has no {target.field}")
    keys = [step if isinstance(step, str) else step(turn) for step in target.steps]
    type_ = turn.shape.types[row[TEMPLATE]][target.field]
    rebuilt = _rebuilt(turn, row[target.field], type_, keys, value, source)
    turn.write(id, target.field, rebuilt, source, checked=True)


def _entry(holder: Any, type_: Type, key: Any, source: str) -> tuple[Any, Type]:
    """What a map, record or list holds under a key, and its type."""
    match type_:
        case MapOf():
            return holder.get(key, type_.default()), type_.value
        case Record():
            part = dict(type_.fields)[key]
            return holder.get(key, part.zero()), part
        case ListOf() if 0 <= key < len(holder):
            return holder[key], type_.item
        case ListOf():
            raise Refused("That is not there.", f"{source}: the list has no entry {key}")
        case _:
            raise Refused("That is not there.", f"{source}: {type_} has no parts")


def _rebuilt(turn: Turn, holder: Any, type_: Type, keys: Sequence[Any], value: Any, source: str) -> Any:
    if not keys:
        return turn.fitted(type_, value, "the value", source)
    key = turn.fitted(type_.key, keys[0], "the key", source) if isinstance(type_, MapOf) else keys[0]
    inner, inner_type = _entry(holder, type_, key, source)
    new = _rebuilt(turn, inner, inner_type, keys[1:], value, source)
    if isinstance(type_, ListOf):
        return (*holder[:key], new, *holder[key + 1 :])
    if key not in holder and len(holder) >= LIST_LIMIT:
        raise Refused("That is too much.", f"{source}: the map is full")
    rebuilt = {**holder, key: new}
    return dict(sorted(rebuilt.items())) if isinstance(type_, MapOf) else rebuilt
