"""Owns cases in a table, for those who keep them in a spreadsheet (CSV with commas, semicolons or tabs).

Columns: `id`, `world`, `says` or `turn 1`, `turn 2`, …, expectations at the end (`check`, `refused`, …) and of one turn
(`turn 1 check`), `gold`, `given`, `setup`, `never`, `tags` (`level=hard`), … It must not know what cases mean.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evals.cases import NAMES, Case, CaseError, from_data
from evals.importers import Imported, Problem, unique, world_of
from evals.strict_json import text_of
from kb.suggest import suggest

_TURN = re.compile(r"turn (\d{1,3})(?: (.+))?")
_YES_NO = {"yes": True, "no": False, "true": True, "false": False}
_ANSWERS = {"answer holds": "says", "answer lacks": "silent"}
"""Columns whose own name would be taken for what the user says."""
_FLAGS, _NUMBERS = ("refused", "question", "declines"), ("calls", "seed", "steps")


def read(file: Path, world: str, names: Mapping[str, str]) -> Imported:
    """One case a row; what is wrong with a cell is told with its row and column, and its row is left out."""
    try:
        text = text_of(file)
        rows = list(csv.reader(io.StringIO(text, newline=""), _dialect(text), strict=True))
    except (ValueError, csv.Error) as error:
        raise CaseError(f"{file}: {error}", "Save it as CSV in UTF-8.") from None
    header = [_column(cell, names) for cell in rows[0]] if rows else []
    problems = _unknown(header, file.name)
    cases: list[Case] = []
    for number, cells in enumerate(rows[1:], 2):
        if any(cell.strip() for cell in cells):
            case, wrong = _case(header, cells, f"{file.name}: row {number}", world)
            problems += wrong
            cases += [case] if case else []
    return Imported(unique(cases, problems), problems=tuple(problems))


def _dialect(text: str) -> type[csv.Dialect] | csv.Dialect:
    first = text.partition("\n")[0]
    chosen = csv.excel()
    chosen.delimiter = max(",;\t", key=first.count)
    return chosen


def _column(cell: str, names: Mapping[str, str]) -> str:
    """A column's name as ours."""
    name = " ".join(cell.split()).casefold()
    theirs = {each.casefold(): ours.removeprefix("expect.") for ours, each in names.items()}
    return theirs.get(name, name)


def _unknown(header: list[str], file: str) -> list[Problem]:
    """Columns that mean nothing, or that are there twice."""
    problems: list[Problem] = []
    for at, name in enumerate(header):
        if not name:
            continue
        place = f"{file}: column {_letter(at)} ({name})"
        if _path(name) is None:
            hint = suggest(name, _known()) or f"There are {', '.join(_known())}."
            problems.append(Problem(place, "there is no such column, and it is left out", hint))
        elif name in header[:at]:
            problems.append(
                Problem(place, "the column is there twice, and the second is left out", "Number them: gold 1.")
            )
    return problems


def _known() -> list[str]:
    own = [name.removeprefix("expect.") for name in NAMES if name not in ("turns", "expect.says", "expect.silent")]
    return ["says", "turn 1", "turn 1 check", *_ANSWERS, *own]


def _path(name: str) -> tuple[int, str] | None:
    """Which turn a column is about (0: the whole), and which of our names it is; "" for what a turn says."""
    if match := _TURN.fullmatch(name):
        of = _ANSWERS.get(match[2] or "", match[2] or "")
        return (int(match[1]), of and f"expect.{of}") if not of or f"expect.{of}" in NAMES else None
    if name == "says":
        return 1, ""
    if name.startswith("tag "):
        return 0, f"tags.{name[4:]}"
    plain = re.sub(r" \d{1,3}$", "", name)  # `gold 2`
    plain = _ANSWERS.get(plain, plain)
    return next(((0, each) for each in (plain, f"expect.{plain}") if each in NAMES and each != "turns"), None)


def _case(header: list[str], cells: list[str], row: str, world: str) -> tuple[Case | None, list[Problem]]:
    told: dict[str, Any] = {}
    turns: dict[int, dict[str, Any]] = {}
    problems: list[Problem] = []
    if len(cells) > len(header):
        problems.append(
            Problem(row, f"it has {len(cells)} cells, and the header {len(header)}", "Put texts in quotes.")
        )
    for at, (name, cell) in enumerate(zip(header, cells, strict=False)):
        path = _path(name)
        if path is None or name in header[:at] or not cell.strip():
            continue
        turn, ours = path
        holder = turns.setdefault(turn, {}) if turn else told
        try:
            _put(holder, ours or "says", _value(ours, cell.strip()))
        except ValueError as error:
            problems.append(Problem(f"{row}, column {_letter(at)} ({name})", str(error), "Mend the cell."))
    if problems:
        return None, problems
    told.setdefault("id", f"row-{row.rpartition(' ')[2]}")
    if "world" not in told and world:
        told["world"] = world_of(world)
    elif "world" in told:
        told["world"] = world_of(told["world"])
    silent = [number for number in turns if "says" not in turns[number]]
    if silent:
        return None, [Problem(row, f"turn {silent[0]} is checked, and nothing is said in it", "Fill in the column.")]
    told["turns"] = [turns[number] for number in sorted(turns)]
    try:
        return from_data(told, row), []
    except CaseError as error:
        return None, [Problem(row, str(error.args[0]).removeprefix(f"{row}: "), error.hint)]


def _put(holder: dict[str, Any], path: str, value: Any) -> None:
    """Puts a value where it belongs; of many a further column adds to those before."""
    *parts, last = path.split(".")
    for part in parts:
        holder = holder.setdefault(part, {})
    holder[last] = [*holder[last], *value] if isinstance(value, list) and last in holder else value


def _value(ours: str, cell: str) -> Any:
    """A cell's value. Raises `ValueError`."""
    last = ours.rpartition(".")[2]
    if last in _FLAGS:
        if cell.casefold() not in _YES_NO:
            raise ValueError(f"{cell[:80]!r} is not yes or no")
        return _YES_NO[cell.casefold()]
    if last in _NUMBERS:
        if not re.fullmatch(r"-?\d{1,15}", cell):
            raise ValueError(f"{cell[:80]!r} is no whole number")
        return int(cell)
    if ours == "tags":
        pairs = [each.partition("=") for each in re.split(r"[;\n]", cell) if each.strip()]
        if any(not mark for _, mark, _ in pairs):
            raise ValueError(f"{cell[:80]!r} is not like level=hard; source=desk")
        return {name.strip(): value.strip() for name, _, value in pairs}
    if NAMES.get(ours) == "many":
        return [line.strip() for line in cell.splitlines() if line.strip()]
    return cell


def _letter(at: int) -> str:
    """The name of a column as spreadsheets have it, from 0: A, B, …, AA."""
    return (_letter(at // 26 - 1) if at >= 26 else "") + chr(ord("A") + at % 26)
