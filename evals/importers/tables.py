"""Owns JSON tables as kinds and instances: names that the rule language can hold, types inferred from the rows, pages and data.

`Base.of(name, tables, problems)` infers; `pages()` writes; `equal(expression, type, value)` says a value as expressions. It must not know tools
or tasks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from evals.importers import Problem
from evals.importers.patches import Tables
from kb.compiler.builtin import PARENTS, RESERVED
from kb.types import Bool, Int, ListOf, MapOf, Number, Record, Ref, Text, Type, TypeMismatch

_FIELD = re.compile(r"[a-z_][a-z0-9_]*")
_BUILT_IN = frozenset({"id", "kind", "name", "aliases", "description", "location", "contents"})
"""Fields that every instance has already."""
_LONGEST = 500
"""Characters of a type on a page."""


@dataclass(frozen=True)
class Table:
    """A table as a kind. `fields` are by their own names, `ours` says how the page calls them."""

    name: str
    kind: str
    fields: Mapping[str, Type]
    ours: Mapping[str, str]


@dataclass(frozen=True)
class Base:
    """All tables, and our id for each of theirs."""

    name: str
    rows: Tables
    tables: Mapping[str, Table]
    ids: Mapping[tuple[str, str], str]

    @staticmethod
    def of(name: str, rows: Tables, problems: list[Problem]) -> Base:
        """Infers kinds and types; a field that has none becomes a problem and is left out."""
        kinds = _kinds(rows)
        ids = _ids(rows, kinds)
        tables = {each: _table(each, kinds, rows, problems) for each in rows}
        return Base(name, rows, tables, ids)

    def kind_table(self, kind: str) -> str:
        """The table that a kind is made of."""
        return next(each.name for each in self.tables.values() if each.kind == kind)

    def ours(self, type_: Type, value: Any) -> Any:
        """A value with our ids for theirs. Raises `ValueError` where there is no such row, or it is no value of the type."""
        if isinstance(type_, Ref):
            table = self.kind_table(type_.kinds[0])
            if value is None or value == "":
                return ""
            if (table, value) not in self.ids:
                raise ValueError(f"there is no {table} {value!r}")
            return self.ids[table, value]
        if isinstance(type_, ListOf) and isinstance(value, list):
            return [self.ours(type_.item, each) for each in cast("list[Any]", value)]
        if isinstance(type_, Record | MapOf) and isinstance(value, dict):
            parts = cast("dict[str, Any]", value)
            of = dict(type_.fields) if isinstance(type_, Record) else dict.fromkeys(parts, type_.value)
            return {name: self.ours(of[name], each) if name in of else each for name, each in parts.items()}
        try:
            return type_.dump(type_.coerce(type_.zero() if value is None else value))
        except TypeMismatch as error:
            raise ValueError(str(error)) from None

    def pages(self) -> dict[str, str]:
        """Kinds and data, by path."""
        files: dict[str, str] = {}
        for table in self.tables.values():
            told = "".join(
                f"| {table.ours[name]} | {type_} | | |\n" for name, type_ in table.fields.items() if _told(table, name)
            )
            files[f"kinds/{table.kind}.md"] = (
                f"---\nkind: {table.kind}\nfrom: ../data/{table.kind}.json\n---\n"
                f"# {table.kind.replace('-', ' ').capitalize()}\n"
                + (f"## State\n| Field | Type | Start | Meaning |\n|---|---|---|---|\n{told}" if told else "")
            )
            rows = [self._row(table, id, row) for id, row in self.rows[table.name].items()]
            files[f"data/{table.kind}.json"] = json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
        return files

    def _row(self, table: Table, id: str, row: Mapping[str, Any]) -> dict[str, Any]:
        told = {
            table.ours[name]: self.ours(table.fields[name], value)
            for name, value in row.items()
            if name in table.fields and value is not None
        }
        return {"id": self.ids[table.name, id], "name": id, "aliases": [id], **told}


def _told(table: Table, name: str) -> bool:
    """Whether a field is declared on the page: a name is there already."""
    return table.ours[name] != "name"


def singular(table: str) -> str:
    """`orders` → `order`, `categories` → `category`."""
    word = re.sub(r"[^a-z0-9]+", "-", table.casefold()).strip("-") or "row"
    for end, by in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("s", "")):
        if word.endswith(end) and not word.endswith("ss"):
            return word[: -len(end)] + by
    return word


def _kinds(rows: Tables) -> dict[str, str]:
    kinds: dict[str, str] = {}
    for table in rows:
        kind = singular(table)
        if kind in PARENTS or kind in RESERVED or not kind[:1].isalpha():
            kind = f"table-{kind}"
        while kind in kinds.values():
            kind += "-x"
        kinds[table] = kind
    return kinds


def _ids(rows: Tables, kinds: Mapping[str, str]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    used = {*RESERVED, *kinds.values(), *(f"{each}s" for each in kinds.values()), "world", "player"}
    for table in rows:
        for id in rows[table]:
            base = re.sub(r"[^a-z0-9]+", "-", id.casefold()).strip("-")
            base = base if base[:1].isalpha() else f"{kinds[table]}-{base}".strip("-")
            ours, number = base, 2
            while ours in used:
                ours, number = f"{base}-{number}", number + 1
            used.add(ours)
            found[table, id] = ours
    return found


def _table(name: str, kinds: Mapping[str, str], rows: Tables, problems: list[Problem]) -> Table:
    fields: dict[str, Type] = {}
    ours: dict[str, str] = {}
    values: dict[str, list[Any]] = {}
    for row in rows[name].values():
        for field, value in row.items():
            values.setdefault(field, []).append(value)
    for field, told in values.items():
        where = f"tables.{name}.{field}"
        try:
            type_ = inferred([each for each in told if each is not None], kinds, rows)
            for each in told:
                type_.coerce(type_.zero() if each is None else each)
        except ValueError as error:
            problems.append(Problem(where, f"{error}: the field is left out", "Give all rows values of one type."))
            continue
        if None in told:
            told_as = f"null is read as {type_.zero()!r}, the {type_} that stands for nothing"
            problems.append(Problem(where, told_as, lost=False))
        page = re.sub(r"[^a-z0-9_]+", "_", field.casefold())
        taken = page in ours.values() or (page in _BUILT_IN and not (page == "name" and isinstance(type_, Text)))
        page = f"{page}_" if taken else page if _FIELD.fullmatch(page) else f"f_{page}"
        while page in ours.values():
            page += "_"
        if page != field:
            problems.append(Problem(where, f"the field is called {page!r} on the page", lost=False))
        fields[field], ours[field] = type_, page
    return Table(name, kinds[name], fields, ours)


def inferred(values: Iterable[Any], kinds: Mapping[str, str], rows: Tables) -> Type:
    """The type that all values have. Raises `ValueError`."""
    told = list(values)
    kinds_of = {_sort(each) for each in told}
    if kinds_of == {"number", "int"}:
        kinds_of = {"number"}
    if len(kinds_of) > 1:
        raise ValueError(f"it holds {' and '.join(sorted(kinds_of))}")
    match next(iter(kinds_of), "text"):
        case "yes/no":
            return Bool()
        case "int":
            return Int()
        case "number":
            return Number()
        case "list":
            return ListOf(inferred((each for value in told for each in value), kinds, rows))
        case "object":
            return _object(told, kinds, rows)
        case _:
            tables = [each for each in rows if any(told) and all(value in rows[each] for value in told if value)]
            return Ref((kinds[tables[0]],)) if len(tables) == 1 else Text()


def _object(told: list[dict[str, Any]], kinds: Mapping[str, str], rows: Tables) -> Type:
    """A record where all have the same keys, else a value per text."""
    if any(None in each.values() for each in told):
        raise ValueError("an object in it holds null")
    keys = [tuple(each) for each in told]
    if len({frozenset(each) for each in keys}) == 1 and keys[0] and all(_FIELD.fullmatch(key) for key in keys[0]):
        record = Record(tuple((key, inferred((each[key] for each in told), kinds, rows)) for key in keys[0]))
        if len(str(record)) <= _LONGEST:
            return record
        raise ValueError("its objects have too many keys")
    return MapOf(inferred((value for each in told for value in each.values()), kinds, rows), Text())


def _sort(value: Any) -> str:
    for type_, name in (
        (bool, "yes/no"),
        (int, "int"),
        (float, "number"),
        (str, "text"),
        (list, "list"),
        (dict, "object"),
    ):
        if isinstance(value, type_):
            return name
    return "null"


def literal(value: Any) -> str:
    """JSON as an expression of the rule language."""
    return json.dumps(value, ensure_ascii=False)


def equal(expression: str, type_: Type, value: Any) -> list[str]:
    """Expressions that hold where another has this value (with our ids)."""
    if isinstance(type_, Record):
        parts = cast("dict[str, Any]", value)
        return [each for name, of in type_.fields for each in equal(f"{expression}.{name}", of, parts[name])]
    if isinstance(type_, MapOf):
        entries = cast("dict[str, Any]", value)
        each = [one for key, of in entries.items() for one in equal(f"{expression}[{literal(key)}]", type_.value, of)]
        return [f"size({expression}) == {len(entries)}", *each]
    if isinstance(type_, ListOf):
        items = cast("list[Any]", value)
        each = [one for at, of in enumerate(items) for one in equal(f"{expression}[{at}]", type_.item, of)]
        return [f"size({expression}) == {len(items)}", *each]
    return [f"{expression} == {literal(value)}"]
