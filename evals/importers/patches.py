"""Owns what a tool does to a JSON database, told as a list of small changes in the manner of JSON Patch.

`changed(tables, effects, arguments)` gives the tables after a call. A path is `/table/{argument}/field`; a value is JSON, `"{argument}"`, or
`{"from": "/table/{argument}/field"}`. It must not know rules: it is what a case's end is compared with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal, cast

Tables = dict[str, dict[str, dict[str, Any]]]
"""By table and id the rows."""
Op = Literal["replace", "increment", "decrement", "append", "remove"]
OPS: tuple[Op, ...] = ("replace", "increment", "decrement", "append", "remove")
_HOLE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Path:
    """A row that an argument names, and what lies in it: `/orders/{order_id}/address/city`; no fields: the row itself."""

    table: str
    argument: str
    fields: tuple[str, ...]

    @staticmethod
    def of(text: str) -> Path:
        """Raises `ValueError`."""
        parts = text.split("/")
        hole = _HOLE.fullmatch(parts[2]) if len(parts) > 2 else None
        if parts[0] or hole is None or not all(parts[1:]):
            raise ValueError(f"{text!r} is no path like /orders/{{order_id}}/status")
        return Path(parts[1], hole[1], tuple(parts[3:]))


@dataclass(frozen=True, slots=True)
class Effect:
    """One change."""

    op: Op
    path: Path
    value: Any = None
    """JSON, `"{argument}"`, or a `Path` from which it is read."""

    @staticmethod
    def of(data: Any) -> Effect:
        """From the file. Raises `ValueError`."""
        if not isinstance(data, dict):
            raise ValueError("an effect is no object")
        told = cast("dict[str, Any]", data)
        if told.get("op") not in OPS or not isinstance(told.get("path"), str):
            raise ValueError(f"an effect has an `op` ({', '.join(OPS)}) and a `path`")
        if unknown := told.keys() - {"op", "path", "value"}:
            raise ValueError(f"an effect has no {sorted(unknown)[0]!r}")
        path, value = Path.of(told["path"]), told.get("value")
        if isinstance(value, dict) and set(cast("dict[str, Any]", value)) == {"from"}:
            value = Path.of(str(cast("dict[str, Any]", value)["from"]))
        if not path.fields and told["op"] != "remove":
            raise ValueError(f"{told['path']!r} names no field")
        if path.fields and told["op"] == "remove":
            raise ValueError("only whole rows can be removed")
        return Effect(told["op"], path, value)


def argument_of(value: Any) -> str:
    """The argument that a value is, `"{reason}"`; empty: it is none."""
    match = _HOLE.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else ""


def changed(tables: Tables, effects: tuple[Effect, ...], arguments: Mapping[str, Any]) -> Tables:
    """The tables after a call. Raises `ValueError` where a row or field is not there."""
    after = deepcopy(tables)
    for effect in effects:
        row = _row(after, effect.path, arguments)
        if effect.op == "remove":
            del after[effect.path.table][arguments[effect.path.argument]]
            continue
        *parts, last = effect.path.fields
        holder: Any = row
        for part in parts:
            holder = _in(holder, part)
        old, value = _in(holder, last), _value(after, effect.value, arguments)
        if effect.op == "append":
            if not isinstance(old, list):
                raise ValueError(f"{last!r} is no list")
            old.append(deepcopy(value))
        elif effect.op == "replace":
            holder[last] = deepcopy(value)
        elif not _is_number(old) or not _is_number(value):
            raise ValueError(f"{last!r} or what is added to it is no number")
        else:
            holder[last] = old + value if effect.op == "increment" else old - value
    return after


def _row(tables: Tables, path: Path, arguments: Mapping[str, Any]) -> dict[str, Any]:
    id = arguments.get(path.argument)
    if path.table not in tables or not isinstance(id, str) or id not in tables[path.table]:
        raise ValueError(f"there is no {path.table} {id!r}")
    return tables[path.table][id]


def _in(holder: Any, name: str) -> Any:
    if not isinstance(holder, dict) or name not in holder:
        raise ValueError(f"there is no field {name!r}")
    return cast("dict[str, Any]", holder)[name]


def _value(tables: Tables, value: Any, arguments: Mapping[str, Any]) -> Any:
    if isinstance(value, Path):
        found: Any = _row(tables, value, arguments)
        for name in value.fields:
            found = _in(found, name)
        return found
    if name := argument_of(value):
        if name not in arguments:
            raise ValueError(f"the argument {name!r} is not given")
        return arguments[name]
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
