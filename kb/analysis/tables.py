"""Owns gaps, overlaps and dead rows of decision tables.

Every input is cut where its cells cut it, and each combination of the pieces is tried. It must not run tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any, Final

from kb.diagnostics import Diagnostic, problem
from kb.rulebook import Row, Table, Test
from kb.types import Bool, Choice, Int, Number, Type

MAX_COMBINATIONS: Final = 50_000
OTHER: Final = "(anything else)"


def table_problems(table: Table) -> list[Diagnostic]:
    """RB401, RB402 and RB405 of one table."""
    domains = [
        _domain(expr.type, [row.tests[column] for row in table.rows]) for column, expr in enumerate(table.inputs)
    ]
    total = 1
    for domain in domains:
        total *= len(domain)
    if total > MAX_COMBINATIONS or not table.rows:
        return []
    problems: list[Diagnostic] = []
    reached: set[int] = set()
    gap: tuple[Any, ...] | None = None
    overlaps: dict[tuple[int, int], tuple[Any, ...]] = {}
    for values in product(*domains):
        hits = [index for index, row in enumerate(table.rows) if _covers(row, values, sure=True)]
        maybe = [index for index, row in enumerate(table.rows) if _covers(row, values, sure=False)]
        reached |= {index for index in maybe if not hits or index <= hits[0]} if table.hit == "first" else set(maybe)
        if not hits and gap is None:
            gap = values
        for first, second in pairwise(hits):
            overlaps.setdefault((first, second), values)
    if gap is not None and table.hit in {"unique", "first"}:
        what = "The decision table has a gap"
        row = "| " + " | ".join(_shown(value) for value in gap) + " | … |"
        problems.append(problem("RB401", table.span, what, f"Add a row for it: {row}"))
    if table.hit == "unique":
        for (first, second), values in overlaps.items():
            row = "| " + " | ".join(_shown(value) for value in values) + " |"
            what = f"The row overlaps the one in line {table.rows[first].span.line}: both fit {row}"
            problems.append(problem("RB402", table.rows[second].span, what, "Narrow one, or write `hit: first`."))
    for index, row in enumerate(table.rows):
        if index not in reached:
            what = "The row can never be reached: rows above it take all that it fits"
            problems.append(problem("RB405", row.span, what, "Move it up, or leave it out."))
    return problems


def _covers(row: Row, values: Sequence[Any], *, sure: bool) -> bool:
    """Whether the row fits the values; what an expression decides is taken as no (`sure`) or as yes."""
    return all(fits(test, value, sure=sure) for test, value in zip(row.tests, values, strict=True))


def fits(test: Test, value: Any, *, sure: bool) -> bool:
    match test.op:
        case "any":
            return True
        case "is":
            return not sure
        case "in":
            return value in test.values
        case "not-in":
            return value not in test.values
        case "!=":
            return value != test.values[0]
        case "range":
            return test.values[0] <= value <= test.values[1]
        case "<":
            return value < test.values[0]
        case "<=":
            return value <= test.values[0]
        case ">":
            return value > test.values[0]
        case ">=":
            return value >= test.values[0]


def _domain(type_: Type, tests: Sequence[Test]) -> list[Any]:
    """One value for each piece that the cells cut the type into."""
    named = list(dict.fromkeys(value for test in tests for value in test.values))
    if isinstance(type_, Bool):
        return [True, False]
    if isinstance(type_, Choice):
        return [option for option in type_.options if option or "" in named] or [""]
    if isinstance(type_, Int):
        near = {point for value in named for point in (int(value) - 1, int(value), int(value) + 1)}
        kept = {point for point in near if type_.low <= point <= type_.high}
        return sorted(kept) or [type_.low]
    if isinstance(type_, Number):
        points = sorted({float(value) for value in named})
        between = [(a + b) / 2 for a, b in pairwise(points)]
        return sorted([*points, *between, *([points[0] - 1, points[-1] + 1] if points else [0.0])])
    return [*named, OTHER]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value == OTHER else str(value)
