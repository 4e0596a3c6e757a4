"""The page about cases shows every field, and its examples are cases that are solved."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

from evals.cases import Case, Expect, Turn, from_data, read
from evals.environment import environments, where_of
from evals.importers import read as import_
from evals.scoring import verdict
from evals.solvers.rules import played
from evals.suites import suite
from kb import library

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/evaluators/cases.md").read_text("utf-8")


def block(language: str) -> str:
    """The one example in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return found


def rows(heading: str) -> dict[str, dict[str, Any]]:
    """By field the example of a table, as data."""
    table = PAGE.split(f"\n### {heading}\n")[1].split("\n#")[0]
    found = re.findall(r"^\| `(\w+)` \| .* \| (`+)(.*)\2 \|$", table, re.MULTILINE)
    plain = {field: example.replace("\\|", "|") for field, _, example in found}
    return {field: json.loads(f"{{{example}}}") for field, example in plain.items()}


def unsolved(cases: list[Case]) -> list[str]:
    places = environments(cases)
    wrong: list[str] = []
    for case in cases:
        at = places[where_of(case)]
        lines = [turn.says for turn in case.turns] or case.gold
        found = verdict(case, played(case, at, lines, "user"), at)
        wrong += [f"{case.id}: {found.error} {[each.why for each in found.checks if not each.met]}"] * (
            not found.solved
        )
    return wrong


def test_every_field_of_a_case_is_shown_with_an_example_that_can_be_read() -> None:
    told = rows("What a case has")
    assert set(told) == {each.name for each in fields(Case)} - {"expect", "scenario", "at"}
    for name, example in told.items():
        case = from_data({"id": "a", "world": "cloak", "task": "Play.", **example}, "the page")
        assert getattr(case, name)


def test_every_expectation_is_shown_with_an_example_that_can_be_read() -> None:
    told = rows("What is expected")
    assert set(told) == {each.name for each in fields(Expect)}
    for name, example in told.items():
        case = from_data({"id": "a", "world": "cloak", "task": "Play.", "expect": example}, "the page")
        assert getattr(case.expect, name)
    assert {each.name for each in fields(Turn)} == {"says", "expect", "seed", "now"}


def test_the_lines_of_the_page_are_cases_that_are_solved(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text(block("json"), "utf-8")
    cases = read(tmp_path / "mine.jsonl")
    assert len(cases) == 4
    assert unsolved(cases) == []


def test_the_table_of_the_page_is_cases_that_are_solved(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(block("csv"), "utf-8")
    imported = import_("csv", tmp_path / "cases.csv")
    assert imported.problems == ()
    assert unsolved(list(imported.cases)) == []


def test_the_scenario_of_the_page_is_a_case_that_is_solved(tmp_path: Path) -> None:
    shutil.copytree(library.worlds()["cloak"], tmp_path / "cloak")
    (tmp_path / "cloak/mine.md").write_text(block("markdown"), "utf-8")
    cases = [each for each in suite(str(tmp_path / "cloak")).cases() if each.id == "hung-in-two-turns"]
    assert len(cases) == 1
    assert unsolved(cases) == []
