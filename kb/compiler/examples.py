"""Owns the `## Examples` of rules and tables: what a row sets, and what must come out.

`compile_examples(section, scope)`; `kb.testing` runs them. It must not know rules.
"""

from __future__ import annotations

import re
from typing import Any

from kb.compiler.effects import compile_target
from kb.compiler.scope import Scope
from kb.compiler.values import read_value
from kb.diagnostics import Diagnostic, problem
from kb.pages.page import Cell, Section, Table
from kb.rulebook import Example, Target
from kb.suggest import suggest
from kb.types import Record, Type

_Column = tuple[str, Target | str | None, Type | None]
"""("given" | "then" | "result", target or name, its type)"""


def compile_examples(section: Section, scope: Scope) -> tuple[tuple[Example, ...], list[Diagnostic]]:
    """Every row of the section's tables."""
    examples: list[Example] = []
    problems: list[Diagnostic] = []
    for block in section.blocks:
        if not isinstance(block, Table):
            continue
        columns: list[_Column | None] = []
        for cell in block.header:
            column, more = _column(cell, scope)
            columns.append(column)
            problems += more
        if not any(column is None or column[0] != "given" for column in columns):
            hint = "Add a column `result` or `then x.field`."
            problems.append(problem("RB703", block.header[0].span, "These examples check nothing", hint))
        for row in block.rows:
            given: list[tuple[Target | str, Any]] = []
            then: list[tuple[Target, Any]] = []
            result: str | None = None
            for cell, column in zip(row.cells, columns, strict=False):
                if column is None:
                    continue
                how, name, type_ = column
                if how == "result":
                    result = cell.text.strip('"') or None
                    continue
                if cell.text in {"", "-"} or name is None or type_ is None:
                    continue
                value, more = read_value(cell.text, type_, cell.span, scope)
                problems += more
                if more:
                    continue
                if how == "then" and isinstance(name, Target):
                    then.append((name, value))
                else:
                    given.append((name, value))
            examples.append(Example(tuple(given), result, tuple(then), row.span))
    if not any(isinstance(block, Table) for block in section.blocks):
        problems.append(
            problem("RB703", section.span, "The examples are not a table", "Write a table with a column `result`.")
        )
    return tuple(examples), problems


def _column(cell: Cell, scope: Scope) -> tuple[_Column | None, list[Diagnostic]]:
    text = cell.text.replace("`", "")
    if text.lower() in {"result", "say"}:
        return ("result", None, None), []
    how = "given"
    if (match := re.match(r"then\s+", text)) or (match := re.match(r"(?:set|add to|subtract from)\s+", text)):
        how, text = "then", text[match.end() :]
    start = cell.text.find(text)
    place = cell.at(start, start + len(text)) if start >= 0 else cell.span
    if "." not in text and (type_ := scope.local(text)) is not None:
        return (how, text, type_), []
    root, _, part = text.partition(".")
    local = scope.local(root)
    if isinstance(local, Record) and (type_ := local.field(part)) is not None:
        return (how, text, type_), []
    if "." not in text:
        hint = suggest(text, ["result", *scope.locals()]) or "Head a column by a field, a role or `result`."
        return None, [problem("RB703", place, f"`{text}` is neither a field nor a name here", hint)]
    target, problems = compile_target(text, place, scope)
    if target is None:
        return None, [problem("RB703", each.span, each.message, each.hint) for each in problems]
    return (how, target, target.type), []
