"""Owns the suites of cases that ship: by name, what each is about, its source and licence.

`suite("play").cases()`; a folder or a `.jsonl` file is a suite as well: its scenario pages and its `evals/*.jsonl`. It must not know how cases
are played.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from agents.worlds import Where
from evals.cases import Case, CaseError, read
from evals.environment import scenarios_of
from kb import library
from kb.suggest import suggest


@dataclass(frozen=True, slots=True)
class Suite:
    """Cases that belong together. `about` is a sentence; `source` says where they come from and under which licence."""

    name: str
    about: str
    source: str
    cases: Callable[[], list[Case]]
    """Raises `CaseError` or `WorldError`."""
    solver: str = "system"
    """Who plays it where nobody is named."""


SUITES = {
    "play": "evals.suites.play",
    "rules": "evals.suites.rules",
    "knowledge": "evals.suites.knowledge",
    "memory": "evals.suites.memory",
    "router": "evals.suites.router",
    "attack": "evals.suites.attack",
}
"""By name the module, whose `SUITE` it is."""


def suite(name: str, revision: str | None = None) -> Suite:
    """A suite that ships, or the cases of a world, folder or file. Raises `CaseError`."""
    if name in SUITES:
        return import_module(SUITES[name]).SUITE
    if name.endswith(".jsonl"):
        return Suite(Path(name).stem, f"The cases of {Path(name).name}.", "your own", lambda: read(Path(name)))
    if name in library.worlds() or Path(name).exists() or "://" in name:
        where = Where.of(name, revision)
        return Suite(Path(name).name, f"The scenarios and cases of {name}.", "your own", lambda: _of(where))
    hint = suggest(name, SUITES) or f"There are {', '.join(SUITES)}, worlds, folders and .jsonl files."
    raise CaseError(f"There is no suite {name!r}", hint)


def _of(where: Where) -> list[Case]:
    """Scenario pages, and files in `evals/` beside them; a folder without pages holds such files alone."""
    folder = Path(where.path)
    files = sorted((folder / "evals").glob("*.jsonl")) if folder.is_dir() else []
    alone = files and next(folder.rglob("*.md"), None) is None
    return [*([] if alone else scenarios_of(where)), *(case for file in files for case in read(file))]
