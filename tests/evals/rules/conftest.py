"""Owns the facts of a case, read without the system: data files beside the pages, what is `given`, and what checks say.

An oracle is a policy written a second time, in Python, from what it is meant to be. `confirm(world, …)` asks it about every case of the suite
*rules* in that world. It must not know the rule language's engine.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evals.cases import Case
from evals.suites import suite
from kb import library

RANK = {"player": 0, "gm": 1, "admin": 2}


class Facts:
    """What is so in one case. A row lacks what its data do not tell: an oracle names the value that it has then."""

    def __init__(self, rows: dict[str, dict[str, Any]], now: datetime, role: str):
        self.rows, self.now, self.role = rows, now, role

    def __getitem__(self, id: str) -> dict[str, Any]:
        return self.rows.setdefault(id, {})

    def all(self, field: str) -> list[dict[str, Any]]:
        """Rows that have a field."""
        return [row for row in self.rows.values() if field in row]

    def days(self, since: datetime) -> int:
        return int((self.now - since) / timedelta(days=1))

    def minutes(self, since: datetime) -> int:
        return int((self.now - since) / timedelta(minutes=1))


Judge = Callable[..., str]
"""Is given the facts and an action's arguments by name; says why it is refused, in a word, or "" and changes the facts."""


def value(text: Any) -> Any:
    """As data files and `given` write it."""
    if not isinstance(text, str):
        return text
    if text in ("yes", "no"):
        return text == "yes"
    if re.fullmatch(r"\d{4}-\d\d-\d\d(T[\d:]+Z)?", text):
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    return text.strip('"')


def rows_of(folder: Path) -> dict[str, dict[str, Any]]:
    """All rows of a world's data files by id."""
    found: list[dict[str, Any]] = []
    for file in sorted(folder.iterdir()):
        text = file.read_text("utf-8")
        found += json.loads(text) if file.suffix == ".json" else csv.DictReader(text.splitlines())
    return {row["id"]: {name: value(told) for name, told in row.items()} for row in found}


GIVEN = re.compile(r'set `(\w+)\.(\w+)` to (?:`timestamp\("([^"]+)"\)`|\[\[([^\]]+)\]\]|(.+))')
CHECK = re.compile(r'(!?)(\w+)\.(\w+)(?: == (?:timestamp\("([^"]+)"\)|(.+)))?|abs\((\w+)\.(\w+) - ([\d.]+)\) < 0\.001')


def facts(case: Case, begins: datetime) -> Facts:
    """Those in which a case begins."""
    rows = rows_of(library.worlds()[case.world] / "data")
    found = Facts(rows, begins, case.role)
    for line in case.given:
        told = GIVEN.fullmatch(line)
        assert told, line
        id, field, time, reference, plain = told.groups()
        new = value(time or reference or plain)
        if (id, field) == ("world", "time"):
            found.now = new
        found[id.replace("_", "-")][field] = new
    return found


def holds(told: Facts, check: str) -> bool:
    """Whether a check that says one field's value agrees with the facts."""
    match = CHECK.fullmatch(check)
    assert match, check
    no, id, field, time, plain, near, near_field, number = match.groups()
    if near:
        return abs(told[near.replace("_", "-")][near_field] - float(number)) < 0.001
    is_now = told[id.replace("_", "-")].get(field, False)
    if time is None and plain is None:
        return bool(is_now) != bool(no)
    wanted = value(time or plain)
    if isinstance(wanted, float):
        return abs(is_now - wanted) < 1e-9
    return is_now == wanted


Confirm = Callable[[str, datetime, Mapping[str, Judge], Mapping[str, str]], list[str]]


@pytest.fixture
def confirm() -> Confirm:
    """Where an oracle (by rule, a judge) disagrees with the labels: nowhere, where all is well. `needs` are roles by rule."""

    def of(world: str, begins: datetime, judges: Mapping[str, Judge], needs: Mapping[str, str]) -> list[str]:
        wrong: list[str] = []
        for case in suite("rules").cases():
            if case.world != world or case.tags["said"] == "words":
                continue
            told = facts(case, begins)
            for turn in case.turns:
                rule, _, arguments = turn.says.partition(" ")
                roled = RANK[case.role] >= RANK[needs.get(rule, "player")]
                why = judges[rule](told, **json.loads(arguments)) if roled else "role"
                wanted = case.tags["why"] if turn.expect.refused else ""
                if why != wanted:
                    wrong.append(f"{case.id}: {turn.says}: {why or 'allowed'}, not {wanted or 'allowed'}")
                if not why:
                    told.now += timedelta(minutes=1)
            wrong += [f"{case.id}: {each}" for each in case.expect.check if not holds(told, each)]
        return wrong

    return of
