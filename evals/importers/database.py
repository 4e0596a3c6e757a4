"""Owns tasks over a JSON database: tables, tools and tasks with gold calls, as a knowledge base with cases.

Tables become kinds with their rows, tools that write become rules, and a case's end is compared with the database after the gold calls,
which are done here on the JSON itself. It must not ask the compiler or the referee, and runs no code of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from evals.bases import HERE
from evals.cases import MAX_NAME, Case, CaseError, Expect, Turn
from evals.importers import Imported, Problem, unique
from evals.importers.patches import Tables, changed
from evals.importers.tables import Base, equal
from evals.importers.tools import Tool, Unfit
from evals.strict_json import loads, text_of

_KEYS = {"name", "tables", "tools", "tasks"}
_TASK = {"id", "instruction", "actions", "outputs"}
_TOOL = {"name", "description", "parameters", "effects", "writes"}
_ACTION = {"name", "arguments", "kwargs"}
Json = dict[str, Any]


def read(file: Path, world: str, names: Mapping[str, str]) -> Imported:
    """The knowledge base and a case for each task; see docs/evaluators/bring-your-own.md for the form."""
    try:
        data = _object(loads(text_of(file)), "the file")
        problems = [Problem(file.name, f"{key!r} is left out") for key in sorted(data.keys() - _KEYS)]
        rows = {name: _rows(name, told, file.parent) for name, told in _object(data.get("tables"), "`tables`").items()}
        tools = [_tool_data(each) for each in _list(data.get("tools"), "`tools`")]
        tasks = [_object(each, "a task") for each in _list(data.get("tasks"), "`tasks`")]
    except ValueError as error:
        raise CaseError(f"{file}: {error}", "See docs/evaluators/bring-your-own.md.") from None
    name = re.sub(r"[^a-z0-9]+", "-", str(data.get("name") or file.stem).casefold()).strip("-")
    name = name if name[:1].isalpha() else f"base-{name}".strip("-")
    base = Base.of(name, rows, problems)
    found, pages = _tools(tools, tasks, base, problems)
    cases: list[Case] = []
    for number, task in enumerate(tasks, 1):
        at = f"{file.name}: task {str(task.get('id') or number)[:MAX_NAME]}"
        problems += [Problem(at, f"{key!r} is left out") for key in sorted(task.keys() - _TASK)]
        try:
            cases.append(_case(task, at, str(task.get("id") or f"task-{number}"), base, found))
        except ValueError as error:
            problems.append(Problem(at, f"{error}: the case is left out"))
    about = f"---\nexperience: {name}\n---\n# {name.replace('-', ' ').capitalize()}\nImported tables and tools.\n"
    return Imported(unique(cases, problems), {f"{name}.md": about, **base.pages(), **pages}, tuple(problems))


def _rows(name: str, told: Any, folder: Path) -> dict[str, Json]:
    """A table: rows by id, a list of rows with `id`, or the name of a file beside that holds either. Raises `ValueError`."""
    if isinstance(told, str):
        inside = (folder / told).resolve()
        if not inside.is_relative_to(folder.resolve()):
            raise ValueError(f"the table {name!r} lies outside the folder")
        told = loads(text_of(inside))
    if isinstance(told, list):
        rows = [_object(each, f"a row of {name!r}") for each in cast("list[Any]", told)]
        if any(not isinstance(row.get("id"), str | int) for row in rows):
            raise ValueError(f"a row of {name!r} has no `id`")
        told = {str(row["id"]): {key: value for key, value in row.items() if key != "id"} for row in rows}
        if len(told) < len(rows):
            raise ValueError(f"two rows of {name!r} have one id")
    return {id: _object(row, f"the row {id!r} of {name!r}") for id, row in _object(told, f"the table {name!r}").items()}


def _object(value: Any, what: str) -> Json:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object")
    return cast("Json", value)


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{what} is no list")
    return cast("list[Any]", value)


def _tool_data(value: Any) -> Json:
    """A tool, also as an OpenAI function."""
    tool = _object(value, "a tool")
    told = (
        {**_object(tool["function"], "a function"), **{k: tool[k] for k in _TOOL & tool.keys()}}
        if "function" in tool
        else tool
    )
    if not isinstance(told.get("name"), str):
        raise ValueError("a tool has no `name`")
    if not isinstance(told.get("parameters") or {}, dict):
        raise ValueError(f"the parameters of {told['name']!r} are no object")
    return told


def _calls(task: Json) -> Iterable[tuple[str, Json]]:
    """The gold calls of a task. Raises `ValueError`."""
    for each in _list(task.get("actions", []), "`actions`"):
        call = _object(each, "an action")
        if unknown := call.keys() - _ACTION:
            raise ValueError(f"an action has no {sorted(unknown)[0]!r}")
        yield str(call.get("name")), _object(call.get("arguments", call.get("kwargs", {})), "`arguments`")


def _tools(
    told: list[Json], tasks: list[Json], base: Base, problems: list[Problem]
) -> tuple[dict[str, Tool | None], dict[str, str]]:
    """By name the tools (None: one that cannot be taken in), and the pages of those that write."""
    values: dict[str, dict[str, list[Any]]] = {}
    for task in tasks:
        try:
            for name, arguments in _calls(task):
                for parameter, value in arguments.items():
                    values.setdefault(name, {}).setdefault(parameter, []).append(value)
        except ValueError:
            continue  # told where the task is made into a case
    found: dict[str, Tool | None] = {}
    pages: dict[str, str] = {}
    for each in told:
        name, where = each["name"], f"tools.{each['name'][:80]}"
        problems += [Problem(where, f"{key!r} is left out") for key in sorted(each.keys() - _TOOL)]
        try:
            tool = Tool.of(each, base, values.get(name, {}))
            path = f"rules/{tool.id}.md"
            if name in found or path in pages or not tool.id[:1].isalpha():
                raise Unfit("its name is taken, or cannot be that of a rule")
            if tool.writes:
                pages[path] = tool.page(base)
            else:
                about = "it has no effects: no rule is made of it"
                problems.append(Problem(where, about, "Say `writes` if it has.", lost=False))
            if tool.writes and not tool.effects:
                problems.append(Problem(where, "what it writes is not told: its rule refuses", f"Write {path}."))
            found[name] = tool
        except ValueError as error:
            found[name] = None
            problems.append(Problem(where, f"{error}: it is left out"))
    return found, pages


def _case(task: Json, at: str, id: str, base: Base, tools: Mapping[str, Tool | None]) -> Case:
    """A task as a case. Raises `ValueError`."""
    after, gold = base.rows, list[str]()
    for name, arguments in _calls(task):
        tool = tools.get(name)
        if tool is None:
            raise ValueError(f"its tool {name!r} is not there or was left out")
        if tool.writes and not tool.effects:
            raise ValueError(f"what its tool {name!r} writes is not told")
        if tool.writes:
            gold.append(tool.line(base, arguments))
            after = changed(after, tool.effects, arguments)
    instruction = str(task.get("instruction") or "")
    outputs = [re.escape(str(each)) for each in _list(task.get("outputs") or [], "`outputs`")]
    expect = Expect(tuple(_checks(base, after)), "gold" if gold else "unchanged", says=tuple(outputs))
    if not id.strip() or not id.isprintable() or len(id) > MAX_NAME:
        raise ValueError("its id is no name")
    turns = (Turn(instruction),) if instruction else ()
    return Case(id, HERE, turns, expect, instruction, tuple(gold), tags={"source": base.name}, at=at)


def _checks(base: Base, after: Tables) -> Iterable[str]:
    """Expressions that hold in the database as the gold calls leave it: every field that differs, every row that is gone."""
    for table, rows in base.rows.items():
        kind = base.tables[table]
        for id, row in rows.items():
            ours = base.ids[table, id]
            if id not in after[table]:
                yield f'{ours.replace("-", "_")}.id == ""'
                continue
            for name, value in after[table][id].items():
                if value != row.get(name):
                    type_ = kind.fields[name]
                    yield from equal(f"{ours.replace('-', '_')}.{kind.ours[name]}", type_, base.ours(type_, value))
