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
from collections.abc import Iterable, Sequence
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


def report(folder: Path, *, against: Path | None = None) -> Path:
    """Writes the page of a run that is over, with what differs from another where one is given; its path. Raises `ResultsError`."""
    steps: dict[str, int] = {}
    rows = read(folder)
    told: Json = {"now": _run(folder, rows, steps), "before": None, "comparison": None}
    if against:
        others = read(against)
        told |= {"before": _run(against, others, steps), "comparison": compare(others, rows).as_data()}
    told["steps"] = [json.loads(step) for step in steps]
    file = folder / REPORT
    replace_file(file, document(f"{told['now']['run'].get('suite', '')}: results", told))
    return file


def _run(folder: Path, rows: Sequence[Row], steps: dict[str, int]) -> Json:
    """A run as the page's script takes it: what its cases are, once; steps by their number, because many are alike."""
    return {
        **summary_of(folder),
        "cases": {row.case: {"world": row.world, "task": row.task, "tags": row.tags, "at": row.at} for row in rows},
        "rows": [_row(row, steps) for row in rows],
    }


def _row(row: Row, steps: dict[str, int]) -> Json:
    told: Json = {
        "case": row.case,
        "contender": row.contender,
        "epoch": row.epoch,
        "solved": row.solved,
        "error": row.error,
        "checks": row.checks,
        "figures": {name: value for name, value in row.figures.items() if value},
    }
    return {**told, "steps": [steps.setdefault(_json(step), len(steps)) for step in row.steps]}


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
