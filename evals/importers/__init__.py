"""Owns taking in cases that others wrote: JSON lines with other names, spreadsheets, tasks over a JSON database, games as they were played.

`read("csv", file, world="cloak")` gives cases, the files of a knowledge base where the form has one, and all that could not be taken in,
with its place; `save(imported, folder)` writes them. It must not play anything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Protocol

from evals import bases
from evals.cases import NAMES, Case, CaseError
from kb.suggest import suggest


@dataclass(frozen=True, slots=True)
class Problem:
    """What was not taken in: where it stands, why, and what to do about it."""

    where: str
    message: str
    hint: str = ""
    lost: bool = True
    """Whether something of the file is missing now; else it is only called or read otherwise."""

    def __str__(self) -> str:
        told = f"{self.where}: {self.message}. {self.hint}".rstrip()
        return "".join(each if each.isprintable() else "\ufffd" for each in told)


@dataclass(frozen=True)
class Imported:
    """What a file came to. `files` are a knowledge base's, by path; without them the cases name worlds that are there already."""

    cases: tuple[Case, ...]
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    problems: tuple[Problem, ...] = ()


class Read(Protocol):
    """Reads a file. `world` is that of cases which name none; `names` tells their name for each of ours."""

    def __call__(self, file: Path, world: str, names: Mapping[str, str]) -> Imported: ...


FORMS: dict[str, tuple[str, str]] = {
    "jsonl": ("evals.importers.json_lines", "JSON lines, with names of their own (`expect.reason` = `why`)"),
    "csv": ("evals.importers.spreadsheet", "a table: columns id, world, turn 1, …, check, refused, reason, gold, tags"),
    "database": ("evals.importers.database", "tasks with gold tool calls over a JSON database"),
    "transcript": ("evals.importers.transcript", "what `play --json` printed, or `player export` wrote"),
}
"""By name: the module, whose `read` it is, and what it reads."""
_NAMED: dict[str, Collection[str]] = {"jsonl": NAMES, "csv": NAMES, "transcript": ("seed",)}
"""What `names` may tell of each form; of the first two tags too."""


def read(form: str, file: Path, *, world: str = "", names: Mapping[str, str] | None = None) -> Imported:
    """What a file comes to. Raises `CaseError` where nothing of it can be used."""
    if form not in FORMS:
        raise CaseError(f"There is no form {form!r}", suggest(form, FORMS) or f"There are {', '.join(FORMS)}.")
    known = _NAMED.get(form, ())
    for name in names or {}:
        if name not in known and not (name.startswith("tags.") and known is NAMES):
            near = suggest(name, known)
            raise CaseError(f"A case has no {name!r}", near or f"There are {', '.join(known) or 'none to name here'}.")
    reader: Read = import_module(FORMS[form][0]).read
    return reader(file, world, names or {})


def save(imported: Imported, folder: Path) -> Path:
    """Writes the knowledge base and its cases to a new or empty folder, and gives it. Raises `CaseError`."""
    return bases.save(imported.files, imported.cases, folder)


def unique(cases: Sequence[Case], problems: list[Problem]) -> tuple[Case, ...]:
    """The cases, without those whose id another has already; each of those becomes a problem."""
    kept: dict[str, Case] = {}
    for case in cases:
        if case.id in kept:
            problems.append(
                Problem(case.at, f"the id {case.id!r} is that of {kept[case.id].at} too", "Give it another.")
            )
        else:
            kept[case.id] = case
    return tuple(kept.values())


def world_of(name: str) -> str:
    """A world as a case names it: a folder by its whole path, so that it is found from anywhere."""
    from agents.worlds import Where

    return Where.of(name).location
