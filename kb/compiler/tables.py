"""Owns decision tables: headers, cells and hit policies of `table:` pages.

`compile_table(typed, scope)`; `table_takes` reads the names that a table's callers must know. It must not look for gaps or
overlaps: `kb.analysis` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from kb.compiler.classify import Typed
from kb.compiler.effects import FORMS, cell_effect
from kb.compiler.examples import compile_examples
from kb.compiler.scope import Scope
from kb.compiler.values import read_value
from kb.diagnostics import Diagnostic, problem
from kb.expressions import Expr, compile_expression
from kb.expressions.nodes import Literal
from kb.pages.page import Cell, Entry, Page, find_code
from kb.pages.page import Table as Grid
from kb.rulebook import Effect, Row, Table, Test
from kb.suggest import suggest
from kb.types import BOOL, Bool, Int, Number, Type, TypeSyntaxError, Unknown, parse_type

KEYS: Final = ("table", "hit", "takes")
HITS: Final = ("unique", "first", "all", "random")
_EFFECT: Final = re.compile(
    r"(set|add to|subtract from|put in|take out of|move|tell|award)\s+`([^`]+)`|(say|refuse|emit|do|decide|start|end|award)"
)
_COMPARE: Final = re.compile(r"(<=|>=|!=|<|>)\s*(.+)")
_RANGE: Final = re.compile(r"(-?\d+(?:\.\d+)?)\s*\.\.\s*(-?\d+(?:\.\d+)?)")
_GIVEN: Final = frozenset({"player", "room", "world", "now", "action", "event", "true", "false", "null", "in"})
_SECTIONS: Final = ("", "Examples", "Notes")


def table_takes(page: Page, is_kind: Callable[[str], bool]) -> dict[str, Type]:
    """The names that `takes: {npc: npc, amount: int}` declares; wrong types are told by `compile_table`."""
    entry = page.front.entries.get("takes")
    takes: dict[str, Type] = {}
    for name, part in entry.parts.items() if entry else ():
        try:
            takes[name] = parse_type(str(part.value), is_kind)
        except TypeSyntaxError:
            continue
    return takes


def compile_table(typed: Typed, scope: Scope) -> tuple[Table | None, list[Diagnostic]]:
    """The decision table of a page. `scope` knows the names that the table takes."""
    problems: list[Diagnostic] = []
    entries = typed.page.front.entries
    for key, entry in entries.items():
        if key not in KEYS:
            hint = suggest(key, KEYS) or f"The keys are {', '.join(KEYS)}."
            problems.append(problem("RB105", entry.key_span, f"A table has no key `{key}`", hint))
    hit = entries["hit"].value if "hit" in entries else "unique"
    if hit not in HITS:
        hint = suggest(str(hit), HITS) or f"The policies are {', '.join(HITS)}."
        problems.append(problem("RB404", entries["hit"].value_span, f"There is no hit policy `{hit}`", hint))
        hit = "first"
    problems += _check_takes(entries["takes"], scope) if "takes" in entries else []
    grids = [block for section in typed.page.sections if section.heading == "" for block in section.blocks]
    grids = [block for block in grids if isinstance(block, Grid)]
    for section in typed.page.sections:
        if section.heading not in _SECTIONS:
            hint = suggest(section.heading, _SECTIONS) or "A table page may have Examples and Notes."
            problems.append(problem("RB106", section.span, f"A table has no section `{section.heading}`", hint))
    if len(grids) != 1:
        why = "The page holds no table" if not grids else "The page holds more than one table"
        problems.append(problem("RB404", typed.span, why, "Put one table under the heading."))
        return None, problems
    table, more = _compile(typed, grids[0], hit, scope)
    problems += more
    return (None if problems else table), problems


def _check_takes(takes: Entry, scope: Scope) -> list[Diagnostic]:
    """What is wrong with the declared names: their types, or that expressions use the name already."""
    hint = "Write `takes: {npc: npc}`."
    if not isinstance(takes.value, dict):
        return [problem("RB205", takes.value_span, "`takes` does not say names and their types", hint)]
    problems: list[Diagnostic] = []
    for name, part in takes.parts.items():
        # The kinds' own names are natural here (`npc: npc`); those that mean someone or something already are not.
        if name in _GIVEN or scope.instance(name) is not None or scope.collection(name) is not None:
            what = f"`{name}` already means something else in a table"
            problems.append(problem("RB205", part.key_span, what, "Choose another name."))
        try:
            parse_type(str(part.value), scope.is_kind)
        except TypeSyntaxError as error:
            problems.append(problem("RB205", part.value_span, f"`{name}`: {error}", hint))
    return problems


def _compile(typed: Typed, grid: Grid, hit: str, scope: Scope) -> tuple[Table, list[Diagnostic]]:
    problems: list[Diagnostic] = []
    inputs: dict[int, Expr] = {}
    effects: dict[int, tuple[str, str]] = {}
    weight = -1
    for column, cell in enumerate(grid.header):
        codes = find_code(cell.text)
        if cell.text.lower() == "weight":
            weight = column
        elif len(codes) == 1 and cell.text == f"`{codes[0][2]}`":
            expr, more = compile_expression(codes[0][2], cell.at(codes[0][0], codes[0][1]), scope)
            problems += more
            if expr is not None:
                inputs[column] = expr
        elif match := _EFFECT.fullmatch(cell.text):
            effects[column] = (match[1] or match[3], match[2] or "")
        else:
            hint = suggest(cell.text.split(" ")[0] if cell.text else "", FORMS)
            hint = hint or "Head a column by an expression in backticks, or by an effect: `set `x.y``, `say`."
            problems.append(problem("RB404", cell.span, f"The column `{cell.text}` is not valid", hint))
    rows: list[Row] = []
    for line in grid.rows:
        tests: list[Test] = []
        done: list[Effect] = []
        row_weight = 1
        for column, cell in enumerate(line.cells):
            if column in inputs:
                test, more = _test(cell, inputs[column], scope)
                problems += more
                tests.append(test)
            elif column in effects and cell.text not in {"", "-"}:
                more_effects, more = cell_effect(*effects[column], cell, scope)
                done += more_effects
                problems += more
            elif column == weight:
                if not re.fullmatch(r"\d{1,6}", cell.text):
                    problems.append(problem("RB403", cell.span, f"`{cell.text}` is no weight", "Write a whole number."))
                else:
                    row_weight = int(cell.text)
        rows.append(Row(tuple(tests), tuple(done), row_weight, line.span))
    examples = ()
    for section in typed.page.sections:
        if section.heading == "Examples":
            examples, more = compile_examples(section, scope)
            problems += more
    if not grid.rows:
        problems.append(problem("RB404", grid.span, "The table has no rows", "Add a row."))
    return Table(
        typed.id,
        hit,  # pyright: ignore[reportArgumentType]
        tuple(inputs[column] for column in sorted(inputs)),
        tuple(rows),
        typed.span,
        scope.table_takes(typed.id),
        tuple(examples),
    ), problems


def _test(cell: Cell, column: Expr, scope: Scope) -> tuple[Test, list[Diagnostic]]:
    """What an input cell asks of the column's value."""
    text, any_ = cell.text.strip(), Test("any")
    if text in {"-", ""}:
        return any_, []
    if text.startswith("`") and text.endswith("`") and text.count("`") == 2:
        return _exact(cell, column, scope)
    numeric = isinstance(column.type, Int | Number)
    if match := _RANGE.fullmatch(text):
        if not numeric:
            return any_, [
                problem(
                    "RB403",
                    cell.span,
                    f"`{text}` is a range, and the column is {column.type}",
                    "Name values.",
                )
            ]
        low, high = (_number(part) for part in match.groups())
        if low > high:
            return any_, [problem("RB403", cell.span, f"The range {text} is empty", "Put the smaller number first.")]
        return Test("range", (low, high)), []
    if match := _COMPARE.fullmatch(text):
        values, problems = _values(match[2], cell, match.start(2), column, scope)
        if not problems and not numeric and match[1] != "!=":
            hint = "Only numbers are smaller or larger."
            problems = [problem("RB403", cell.span, f"`{match[1]}` cannot compare {column.type}", hint)]
        return (any_ if problems else Test(match[1], values[:1])), problems  # pyright: ignore[reportArgumentType]
    op, start = ("not-in", 4) if text.startswith("not ") else ("in", 0)
    values, problems = _values(text[start:], cell, start, column, scope)
    return (any_ if problems else Test(op, values)), problems


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _values(
    text: str, cell: Cell, start: int, column: Expr, scope: Scope
) -> tuple[tuple[object, ...], list[Diagnostic]]:
    values: list[object] = []
    problems: list[Diagnostic] = []
    for match in re.finditer(r'"[^"]*"|[^,]+', text):
        part = match[0].strip()
        if not part:
            continue
        begin = start + match.start() + len(match[0]) - len(match[0].lstrip())
        place = cell.at(begin, begin + len(part))
        if isinstance(column.type, Unknown):
            continue
        value, more = read_value(part, _cell_type(column.type), place, scope)
        problems += [
            each if each.code == "RB207" else problem("RB403", place, each.message, each.hint) for each in more
        ]
        values.append(value)
    return tuple(values), problems


def _cell_type(type_: Type) -> Type:
    """Ranges of a field do not bind a cell: `>= 100` of an int 0..50 is useless, not wrong."""
    return Int() if isinstance(type_, Int) else type_


def _exact(cell: Cell, column: Expr, scope: Scope) -> tuple[Test, list[Diagnostic]]:
    start, end, code = find_code(cell.text)[0]
    expr, problems = compile_expression(code, cell.at(start, end), scope)
    if expr is None:
        return Test("any"), problems
    if isinstance(expr.type, Bool) and not isinstance(expr.tree, Literal):
        return Test("is", (), expr), []
    expr, problems = compile_expression(code, cell.at(start, end), scope, column.type if column.type != BOOL else None)
    return Test("is", (), expr), problems
