"""Owns JSON lines in which others call things by other names.

`names` tells for ours (`id`, `turns`, `expect.reason`, `tags.level`) where theirs is (`task_id`, `messages`, `meta.why`); what is not
named is looked for under our own name. It must not know what cases mean.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from evals.cases import NAMES, Case, CaseError, from_data
from evals.importers import Imported, Problem, unique, world_of
from evals.strict_json import MAX_LINE, lines, loads, text_of


def read(file: Path, world: str, names: Mapping[str, str]) -> Imported:
    """One case a line; a line that is none becomes a problem, and each of their names that is not taken one for all lines."""
    try:
        text = text_of(file)
    except ValueError as error:
        raise CaseError(f"{file}: {error}", "Name a file of JSON lines.") from None
    cases: list[Case] = []
    problems: list[Problem] = []
    left: Counter[str] = Counter()
    first: dict[str, str] = {}
    for number, line in lines(text):
        at = f"{file.name}:{number}"
        try:
            row = loads(line, MAX_LINE)
            if not isinstance(row, dict):
                raise ValueError("this is no object")
            told, over = _ours(cast("dict[str, Any]", row), names)
            if world and "world" not in told:
                told["world"] = world_of(world)
            cases.append(from_data(told, at))
        except CaseError as error:
            problems.append(Problem(at, str(error.args[0]).removeprefix(f"{at}: "), error.hint))
        except ValueError as error:
            problems.append(Problem(at, str(error), "Write one JSON object a line."))
        else:
            left.update(over)
            first = {**dict.fromkeys(over, at), **first}
    problems += [
        Problem(first[name], f"{name!r} is left out of {count} lines", f"Say what it is: `--name ours={name}`.")
        for name, count in left.items()
    ]
    return Imported(unique(cases, problems), problems=tuple(problems))


def _ours(row: dict[str, Any], names: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """A row by our names, and theirs that nothing was made of."""
    told: dict[str, Any] = {}
    taken: set[str] = set()
    over: list[str] = []
    for ours in (*names, *(each for each in NAMES if each not in names)):
        theirs = names.get(ours, ours)
        value = _at(row, theirs)
        if value is not None and theirs not in taken:
            taken.add(theirs)
            _put(told, ours, _fitted(ours, value))
            if ours == "turns" and any(not _by_user(each) for each in _list(value)):
                over.append(f"{theirs} of other roles than user")
    over += [path for path in _leaves(row) if not any(f"{path}.".startswith(f"{each}.") for each in taken)]
    return told, over


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _by_user(each: Any) -> bool:
    return not isinstance(each, dict) or cast("dict[str, Any]", each).get("role", "user") == "user"


def _leaves(row: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """The paths of all that is no object."""
    for name, value in row.items():
        if isinstance(value, dict) and value:
            yield from _leaves(cast("dict[str, Any]", value), f"{before}{name}.")
        else:
            yield f"{before}{name}"


def _at(row: Any, path: str) -> Any:
    """What lies at `meta.turns.0.text`; None: nothing."""
    for part in path.split("."):
        if isinstance(row, dict):
            row = cast("dict[str, Any]", row).get(part)
        elif isinstance(row, list) and part.isdigit() and int(part) < len(cast("list[Any]", row)):
            row = cast("list[Any]", row)[int(part)]
        else:
            return None
    return row


def _put(told: dict[str, Any], path: str, value: Any) -> None:
    *parts, last = path.split(".")
    for part in parts:
        told = told.setdefault(part, {})
    told[last] = value


def _fitted(ours: str, value: Any) -> Any:
    """A value in the form that ours has: one text where there may be many, a number where a name is wanted."""
    if ours == "turns":
        return _said(value)
    if ours in NAMES and NAMES[ours] == "many" and isinstance(value, str):
        return [value]
    if (ours in ("id", "world", "task") or ours.startswith("tags.")) and isinstance(value, int | float | bool):
        return str(value)
    return value


def _said(value: Any) -> Any:
    """Turns: one text, texts, or messages (`role`, `content`) of which the user's are taken."""
    if isinstance(value, str):
        return [value]
    told = [each for each in _list(value) if _by_user(each)]
    plain: list[Any] = [each["content"] if isinstance(each, dict) and "content" in each else each for each in told]
    return plain if isinstance(value, list) else value
