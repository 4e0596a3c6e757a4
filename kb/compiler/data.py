"""Owns data files beside the pages: CSV, JSON and YAML rows that become instances of a kind.

`read_rows` gives rows with their lines; `compile_rows` checks them against the kind's fields.
It must not know where files come from.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from posixpath import normpath
from typing import Any, cast

import yaml

from kb.compiler.builtin import RESERVED
from kb.compiler.classify import ID, Typed
from kb.compiler.scope import Scope
from kb.compiler.values import read_value
from kb.diagnostics import Diagnostic, Span, problem
from kb.expressions import compile_paragraph
from kb.rulebook import Seed, Template
from kb.suggest import suggest

MAX_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class DataRow:
    """One row of a data file; `line` is where it begins."""

    path: str
    line: int
    values: Mapping[str, Any]

    @property
    def span(self) -> Span:
        return Span(self.path, self.line)

    @property
    def id(self) -> str:
        return str(self.values.get("id", ""))


def data_path(typed: Typed, files: Iterable[str]) -> str | None:
    """The file that `from:` names: relative to the page, or to the root of the knowledge base."""
    name = str(typed.page.front.entries["from"].value)
    beside = normpath((PurePosixPath(typed.page.path).parent / name).as_posix())
    known = set(files)
    return next((path for path in (beside, name) if path in known), None)


def read_rows(path: str, data: bytes) -> tuple[list[DataRow], list[Diagnostic]]:
    """The rows of a CSV, JSON or YAML file; what cannot be read is RB801."""
    try:
        text = data.decode("utf-8-sig")
        rows = _csv_rows(path, text) if path.endswith(".csv") else _node_rows(path, text)
    except (UnicodeDecodeError, csv.Error, yaml.YAMLError, _NotRows, RecursionError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        why = getattr(error, "problem", None) or str(error)
        hint = "A data file is CSV with a header, or a JSON or YAML list of objects."
        return [], [problem("RB801", Span(path, line), f"The data file cannot be read: {why}", hint)]
    if len(rows) > MAX_ROWS:
        hint = "Split it, or keep the records in the store."
        return [], [problem("RB801", Span(path, 1), f"The data file has more than {MAX_ROWS} rows", hint)]
    return rows, []


class _NotRows(ValueError):
    """The file holds something other than a list of objects."""


def _csv_rows(path: str, text: str) -> list[DataRow]:
    reader = csv.reader(io.StringIO(text), strict=True)
    rows: list[DataRow] = []
    header: list[str] = []
    before = 0
    for cells in reader:
        line, before = before + 1, reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = [cell.strip() for cell in cells]
            continue
        if len(cells) != len(header):
            raise _NotRows(f"line {line} has {len(cells)} cells where the header has {len(header)}")
        filled = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}
        rows.append(DataRow(path, line, filled))
    return rows


def _node_rows(path: str, text: str) -> list[DataRow]:
    if "&" in text and any(
        isinstance(event, yaml.AliasEvent) for event in cast("Iterable[Any]", yaml.parse(text, yaml.CSafeLoader))
    ):
        raise _NotRows("aliases (`*name`) are not taken")
    root = cast("yaml.Node | None", yaml.compose(text, yaml.CSafeLoader))  # pyright: ignore
    if not isinstance(root, yaml.SequenceNode):
        raise _NotRows("it is not a list")
    values: list[Any] = yaml.load(text, yaml.CSafeLoader)
    rows: list[DataRow] = []
    for node, value in zip(root.value, values, strict=True):
        if not isinstance(value, dict):
            raise _NotRows(f"line {node.start_mark.line + 1} is not an object")
        rows.append(DataRow(path, node.start_mark.line + 1, cast("dict[str, Any]", value)))
    return rows


def compile_rows(
    rows: Iterable[DataRow], kind: str, scope: Scope
) -> tuple[list[Template], list[Seed], list[Diagnostic]]:
    """A template and a seed for each row; an edit of the file so reaches every saved state."""
    starts = {
        name: stored.start
        for name in scope.fields(kind)
        if (stored := scope.stored(kind, name)) is not None and name != "location"
    }
    types = {name: stored.type for name in scope.fields(kind) if (stored := scope.stored(kind, name)) is not None}
    description, _ = compile_paragraph((), scope)
    assert description is not None
    templates: list[Template] = []
    seeds: list[Seed] = []
    problems: list[Diagnostic] = []
    unknown: set[str] = set()
    for row in rows:
        if not ID.fullmatch(row.id) or row.id in RESERVED:
            hint = "Give each row a column `id` in small letters and hyphens."
            problems.append(
                problem("RB802", row.span, f"The row's id {row.id!r} is not kebab-case, or is reserved", hint)
            )
            continue
        values = dict(starts)
        location = ""
        for name, raw in row.values.items():
            if name == "id" or name in unknown:
                continue
            if name not in types:
                unknown.add(name)
                hint = suggest(name, types) or f"Declare it in the State of `{kind}`."
                problems.append(problem("RB802", Span(row.path, 1), f"A {kind} has no field `{name}`", hint))
                continue
            value, more = read_value(raw, types[name], row.span, scope)
            problems += [problem("RB802", each.span, f"`{name}`: {each.message}", each.hint) for each in more]
            if more:
                continue
            if name == "location":
                location = value
            else:
                values[name] = value
        values["name"] = values.get("name") or row.id.replace("-", " ")
        templates.append(Template(row.id, kind, values["name"], values["aliases"], description, values, row.span))
        seeds.append(Seed(row.id, row.id, location))
    return templates, seeds, problems
