"""Owns the page of a run: one HTML file that needs nothing else, the same bytes for the same results.

`report(folder, against=other)` writes `report.html`. The data stand in it as JSON that no text can end, and its script makes text
nodes only; the policy in its head lets nothing else run. It must not know how figures are computed.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.comparing import compare
from evals.reports.files import summary_of
from evals.reports.texts import line
from evals.results import REPORT, ResultsError, Row, read, replace_file
from storage.records import Json

_FOLDER = Path(__file__).parent
SCRIPTS = ("dom.js", "figures.js", "transcript.js", "cases.js")
"""In the order in which they run, as one."""


ROOM = 100_000_000
"""Characters of transcripts that a page holds, as browsers open it in seconds; those that failed come first, and it says what is not there."""


def report(folder: Path, *, against: Path | None = None, room: int = ROOM) -> Path:
    """Writes the page of a run that is over, with what differs from another where one is given; its path. Raises `ResultsError`."""
    rows = read(folder)
    others = read(against) if against else []
    transcripts = _Transcripts(room)
    steps = {id(row): transcripts.add(row) for row in sorted([*rows, *others], key=lambda row: row.solved)}
    told: Json = {
        "now": _run(folder, rows, steps),
        "before": _run(against, others, steps) if against else None,
        "comparison": compare(others, rows).as_data() if against else None,
        "steps": transcripts.steps,
    }
    file = folder / REPORT
    replace_file(file, document(f"{told['now']['run']['suite']}: results", told))
    return file


class _Transcripts:
    """The steps of all rows, each once, because many are alike."""

    def __init__(self, room: int):
        self.steps: list[Json] = []
        self._numbers: dict[str, int] = {}
        self._room = room

    def add(self, row: Row) -> list[int] | None:
        """The numbers of its steps; None: there is no room."""
        new = {text: step for step in row.steps if (text := _json(step)) not in self._numbers}
        size = sum(map(len, new))
        if size > self._room:
            return None
        self._room -= size
        for text, step in new.items():
            self._numbers[text] = len(self.steps)
            self.steps.append(step)
        return [self._numbers[_json(step)] for step in row.steps]


def _run(folder: Path, rows: Sequence[Row], steps: Mapping[int, list[int] | None]) -> Json:
    """A run as the page's script takes it: what its cases are, once."""
    return {
        **summary_of(folder),
        "cases": {row.case: {"world": row.world, "task": row.task, "tags": row.tags, "at": row.at} for row in rows},
        "rows": [
            {
                "case": row.case,
                "contender": row.contender,
                "epoch": row.epoch,
                "solved": row.solved,
                "error": row.error,
                "checks": row.checks,
                "figures": {name: value for name, value in row.figures.items() if value},
                "steps": steps[id(row)],
            }
            for row in rows
        ],
    }


def _json(value: Any) -> str:
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise ResultsError(f"A figure of the run is no number: {error}") from None


def embedded(value: Any) -> str:
    """JSON in ASCII that can stand in a script element: nothing in it ends one or begins a comment."""
    return re.sub("[<>&]", lambda found: f"\\u{ord(found[0]):04x}", _json(value))


def document(title: str, told: Json) -> str:
    """The whole page."""
    style, script = _text("page.css"), "\n".join(_text(name) for name in SCRIPTS)
    policy = {
        "default-src": "'none'",
        "script-src": _hashes([script]),
        "style-src": _hashes([style]),
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    parts = {
        "policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "title": html.escape(line(title)),
        "style": style,
        "data": embedded(told),
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _text("page.html"))


def _hashes(texts: Iterable[str]) -> str:
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'" for each in texts)


def _text(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")
