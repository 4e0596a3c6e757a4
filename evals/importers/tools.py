"""Owns tools as actions: the type of each parameter from its JSON schema, a rule page with the tool's effects, calls as lines.

`Tool.of(data, base, values)`; `page(base)`; `line(base, arguments)`. It must not know tasks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from evals.importers.patches import Effect, Path, argument_of
from evals.importers.tables import Base, inferred, literal, singular
from kb.types import Bool, Choice, Int, ListOf, MapOf, Number, Record, Ref, Text, Type

_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_TAKEN = frozenset({"player", "room", "now", "action", "event", "world", "true", "false", "null", "in"})


_LONGEST = 2_000
"""Characters of a description that stand on the page."""


class Unfit(ValueError):
    """A tool, or a part of it, that no page can hold: `args[0]` says why."""


@dataclass(frozen=True)
class Tool:
    """A tool. `writes` without effects is a page that refuses until somebody writes it."""

    name: str
    about: str
    parameters: Mapping[str, Type]
    required: frozenset[str]
    writes: bool
    effects: tuple[Effect, ...]

    @property
    def id(self) -> str:
        """The rule's id."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.casefold()).strip("-")

    @staticmethod
    def of(data: Mapping[str, Any], base: Base, values: Mapping[str, list[Any]]) -> Tool:
        """From the file; `values` are those that calls give to each parameter. Raises `Unfit`."""
        name = str(data["name"])
        schema = _mapping(data.get("parameters"))
        properties, required = _mapping(schema.get("properties")), cast("list[str]", schema.get("required") or [])
        try:
            effects = tuple(Effect.of(each) for each in data.get("effects") or ())
        except ValueError as error:
            raise Unfit(f"its effects cannot be read: {error}") from None
        paths = [path for each in effects for path in (each.path, each.value) if isinstance(path, Path)]
        named = {path.argument: path.table for path in paths}
        parameters: dict[str, Type] = {}
        for parameter, told in properties.items():
            if not _NAME.fullmatch(parameter) or parameter in _TAKEN:
                raise Unfit(f"the parameter {parameter!r} cannot be called so on a page")
            parameters[parameter] = _type(base, parameter, told, named.get(parameter), values.get(parameter, []))
        for path in paths:
            if path.table not in base.tables or path.argument not in parameters:
                raise Unfit(f"its effects name a table or an argument that is not there: {path.table}, {path.argument}")
        writes = bool(effects) or bool(data.get("writes"))
        about = " ".join(str(data.get("description") or "").split())
        return Tool(name, about, parameters, frozenset(required), writes, effects)

    def page(self, base: Base) -> str:
        """The rule's page. Raises `Unfit`."""
        takes = "".join(
            f"| {name} | {type_} | {'' if name in self.required else _start(type_)} | |\n"
            for name, type_ in self.parameters.items()
        )
        takes = f"## Takes\n| Argument | Type | Start | Meaning |\n|---|---|---|---|\n{takes}" if takes else ""
        effects = [f"- {self._effect(each, base)}\n" for each in self.effects] or [
            f'- refuse "What {self.id} does is not written yet."\n'
        ]
        done = f'- say "{self.id}: done."\n' if self.effects else ""
        about = re.sub(r"[^\w ,.;:()'-]", " ", self.about).strip(" -.:")[:_LONGEST]
        return (
            f"---\nrule: {self.id}\non: {self.id.replace('-', ' ')}\n---\n# {self.id.replace('-', ' ').capitalize()}\n"
            f"{about or 'As imported'}.\n\nWhat must hold for it is not imported: write it under When and Unless.\n"
            f"{takes}## Then\n{''.join(effects)}{done}"
        )

    def line(self, base: Base, arguments: Mapping[str, Any]) -> str:
        """The call as a line that a player types. Raises `ValueError`."""
        if unknown := arguments.keys() - self.parameters.keys():
            raise ValueError(f"{self.name} takes no {sorted(unknown)[0]!r}")
        if missing := self.required - arguments.keys():
            raise ValueError(f"{self.name} is not given {sorted(missing)[0]!r}")
        told = {name: base.ours(self.parameters[name], value) for name, value in arguments.items()}
        return f"{self.id} {json.dumps(told, ensure_ascii=False)}"

    def _effect(self, effect: Effect, base: Base) -> str:
        path = effect.path
        if effect.op == "remove":
            return f"remove `{path.argument}`"
        target, type_ = _place(base, path)
        value = self._value(
            effect.value, type_.item if isinstance(type_, ListOf) and effect.op == "append" else type_, base
        )
        match effect.op:
            case "increment":
                return f"add `{value}` to `{target}`"
            case "decrement":
                return f"subtract `{value}` from `{target}`"
            case "append":
                return f"set `{target}` to `{target} + [{value}]`"
            case _:
                return f"set `{target}` to `{value}`"

    def _value(self, value: Any, type_: Type, base: Base) -> str:
        if isinstance(value, Path):
            return _place(base, value)[0]
        if name := argument_of(value):
            if name not in self.parameters:
                raise Unfit(f"its effects name the argument {name!r}, which it has not")
            return name
        try:
            return literal(base.ours(type_, value))
        except ValueError as error:
            raise Unfit(f"its effects set what the field cannot hold: {error}") from None


def _place(base: Base, path: Path) -> tuple[str, Type]:
    """A path as an expression, and what it holds. Raises `Unfit`."""
    table = base.tables[path.table]
    first, *rest = path.fields
    if first not in table.fields:
        raise Unfit(f"its effects name the field {path.table}.{first}, which is not there or was left out")
    expression, type_ = f"{path.argument}.{table.ours[first]}", table.fields[first]
    for name in rest:
        inner = type_.field(name) if isinstance(type_, Record) else type_.value if isinstance(type_, MapOf) else None
        if inner is None:
            raise Unfit(f"its effects name {name!r} in {expression}, which is not there")
        expression += f".{name}" if isinstance(type_, Record) else f"[{literal(name)}]"
        type_ = inner
    return expression, type_


def _type(base: Base, name: str, told: Any, table: str | None, values: list[Any]) -> Type:
    """The type of a parameter. What effects look up, and what all calls name, refers to a row. Raises `Unfit`."""
    kinds = {each.name: each.kind for each in base.tables.values()}
    if table in kinds:
        return Ref((kinds[table],))
    schema = _mapping(told)
    match schema.get("type"):
        case "integer":
            return Int()
        case "number":
            return Number()
        case "boolean":
            return Bool()
        case "string" | None:
            words = schema.get("enum")
            if isinstance(words, list) and words and all(_is_word(each) for each in cast("list[Any]", words)):
                return Choice(tuple(cast("list[str]", words)))
            named = next(
                (kind for each, kind in kinds.items() if name in (f"{singular(each)}_id", singular(each))), None
            )
            if named:
                return Ref((named,))
            found = inferred([each for each in values if isinstance(each, str)], kinds, base.rows)
            return found if isinstance(found, Ref) else Text()
        case "array":
            inner = [each for value in values if isinstance(value, list) for each in cast("list[Any]", value)]
            return ListOf(_type(base, name, schema.get("items") or {}, None, inner))
        case "object" if schema.get("properties"):
            parts = cast("dict[str, Any]", schema["properties"])
            if not all(_NAME.fullmatch(part) for part in parts):
                raise Unfit(f"an object in the parameter {name!r} has keys that a page cannot hold")
            return Record(tuple((part, _type(base, part, of, None, [])) for part, of in parts.items()))
        case other:
            raise Unfit(f"the parameter {name!r} is {str(other)[:40]!r}, which has no type on a page")


def _mapping(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _-]*", value) is not None


def _start(type_: Type) -> str:
    """What stands for an argument that is not given."""
    if isinstance(type_, Ref | Text):
        return '""'
    if isinstance(type_, Choice):
        return type_.options[0]
    return (
        "no"
        if isinstance(type_, Bool)
        else "[]"
        if isinstance(type_, ListOf)
        else "{}"
        if isinstance(type_, Record)
        else "0"
    )
