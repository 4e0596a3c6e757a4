"""Owns a run as JUnit XML, for CI servers: a suite for each contender, a test for each case, what failed with why and where.

`write(folder, file)`; valid for the schemas of Ant and of Jenkins. It must not know how figures are computed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

from evals.reports.files import summary_of
from evals.reports.texts import clean, decided, line
from evals.results import RESULTS, TIMINGS, Row, read, replace_file
from evals.summary import contender_of, grouped
from storage.records import Json

MOST = 20
"""Deciding lines of a failure."""


def write(folder: Path, file: Path) -> None:
    """Writes the file from a run's folder, whole or not at all. Raises `ResultsError`."""
    rows, summary = read(folder), summary_of(folder)
    seconds = _seconds(folder)
    when = datetime.fromtimestamp((folder / RESULTS).stat().st_mtime, UTC)
    root = Xml.Element("testsuites")
    for number, (name, own) in enumerate(grouped(rows, contender_of).items()):
        _suite(root, number, name, own, summary, seconds, when)
    Xml.indent(root)
    replace_file(file, f'<?xml version="1.0" encoding="UTF-8"?>\n{Xml.tostring(root, "unicode")}\n')


def _suite(
    root: Xml.Element,
    number: int,
    name: str,
    rows: Sequence[Row],
    summary: Json,
    seconds: dict[str, float],
    when: datetime,
) -> None:
    head: Json = summary["run"]
    suite = Xml.SubElement(root, "testsuite")
    properties = Xml.SubElement(suite, "properties")
    solved: Json = summary["contenders"].get(name, {}).get("solved", {})
    told = {
        **head,
        **{f"commit.{kb}": commit for kb, commit in head["commits"].items()},
        **{f"solved.{k}": v for k, v in solved.items()},
    }
    for each, value in told.items():
        if not isinstance(value, list | dict):
            Xml.SubElement(properties, "property", name=line(each), value=line(str(value)))
    cases = grouped(rows, lambda row: row.case)
    totals = {"failures": 0, "errors": 0, "skipped": 0}
    for case, own in cases.items():
        took = sum(seconds.get("/".join(map(str, row.key)), 0.0) for row in own)
        test = Xml.SubElement(
            suite, "testcase", name=line(case), classname=line(f"{head['suite']}.{name}"), time=f"{took:.6f}"
        )
        if failed := [row for row in own if not row.solved]:
            kind = "error" if failed[0].error else "failure"
            totals[f"{kind}s"] += 1
            _failed(test, kind, failed, len(own))
    for case in summary.get("left_out", ()):
        if case not in cases:
            totals["skipped"] += 1
            test = Xml.SubElement(
                suite, "testcase", name=line(case), classname=line(f"{head['suite']}.{name}"), time="0"
            )
            Xml.SubElement(test, "skipped")
    Xml.SubElement(suite, "system-out")
    Xml.SubElement(suite, "system-err")
    given = {
        "name": line(name),
        "package": line(head["suite"]),
        "id": str(number),
        "tests": str(len(cases) + totals["skipped"]),
        "time": f"{sum(float(test.get('time', 0)) for test in suite.iter('testcase')):.6f}",
        "timestamp": when.strftime("%Y-%m-%dT%H:%M:%S"),
        "hostname": "localhost",
    }
    suite.attrib.update(given | {name: str(count) for name, count in totals.items()})


def _failed(test: Xml.Element, kind: str, failed: Sequence[Row], epochs: int) -> None:
    """The first failure; of how many."""
    row = failed[0]
    times = f"{len(failed)} of {epochs} epochs: " if epochs > 1 else ""
    element = Xml.SubElement(test, kind, message=line(times + row.why), type=line(_kind(row)))
    said = [f"> {step.get('says', '')}\n{step.get('answer', '')}" for step in row.steps]
    parts = [f"{row.at}", row.why, "\n".join(decided(row, MOST)), "\n".join(said)]
    element.text = clean("\n\n".join(part for part in parts if part), 10_000)


def _kind(row: Row) -> str:
    """What is unmet: the kind of the first check."""
    return "broken" if row.error else next((each["kind"] for each in row.checks if not each["met"]), "failed")


def _seconds(folder: Path) -> dict[str, float]:
    """How long each attempt took; none where the file is not there or of another make."""
    try:
        told: Any = json.loads((folder / TIMINGS).read_text("utf-8"))
        return {str(key): float(value) for key, value in told["seconds"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
