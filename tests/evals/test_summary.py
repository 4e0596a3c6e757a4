"""A run's rows as figures for each contender; the same rows give the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

from evals.results import SUMMARY, Row
from evals.statistics import wilson
from evals.summary import summarise, write_summary

HEAD = {"suite": "play", "epochs": 2}


def row(case: str, epoch: int, solved: bool, contender: str = "rules:none", **more: object) -> Row:
    unmet = () if solved else ({"kind": "state", "what": "me.gold = 3 at the end", "met": False, "why": "it is 2"},)
    told: dict[str, object] = {"world": "cloak", "tags": {"kind": "scenario"}, "checks": unmet, **more}
    return Row(case, epoch, contender, solved, **told)  # pyright: ignore[reportArgumentType]


ROWS = [
    row("a", 1, True, figures={"acted": 4, "legal": 3, "cost": 0.25, "illegal_attempted": 1, "illegal_executed": 0}),
    row("a", 2, True, figures={"acted": 4, "legal": 4, "cost": 0.5, "illegal_attempted": 1, "illegal_executed": 0}),
    row("b", 1, False, world="ferry", tags={"kind": "phrase"}),
    row("b", 2, True, world="ferry", tags={"kind": "phrase"}),
    row("a", 1, False, "bare:tiny", error="the model did not answer", checks=()),
]


def test_a_contender_is_told_by_its_share_solved_pass_at_k_pass_k_and_figures() -> None:
    told = summarise(HEAD, ROWS, ["c"])
    assert told["run"] == HEAD
    assert told["left_out"] == ["c"]
    assert list(told["contenders"]) == ["rules:none", "bare:tiny"]
    rules = told["contenders"]["rules:none"]
    assert (rules["cases"], rules["epochs"], rules["attempts"], rules["errors"]) == (2, 2, 4, 0)
    assert rules["solved"]["rate"] == 0.75
    assert rules["pass_at"] == {"1": 0.75, "2": 1.0}
    assert rules["pass_all"] == {"1": 0.75, "2": 0.5}
    assert rules["figures"]["cost"] == {"sum": 0.75, "mean": 0.375}
    assert rules["legal_rate"] == 0.875
    assert rules["illegal"] == {"attempted": 2, "executed": 0}


def test_results_are_told_apart_by_world_and_by_tag() -> None:
    by = summarise(HEAD, ROWS)["contenders"]["rules:none"]["by"]
    assert {tag: list(values) for tag, values in by.items()} == {
        "world": ["cloak", "ferry"],
        "kind": ["scenario", "phrase"],
    }
    assert by["kind"]["scenario"]["rate"] == 1.0
    assert by["kind"]["phrase"]["rate"] == 0.5
    assert by["world"]["cloak"]["low"] == round(wilson(1, 1).low, 6)


def test_a_case_that_failed_is_told_with_its_epochs_and_why() -> None:
    told = summarise(HEAD, ROWS)["contenders"]
    assert told["rules:none"]["failed"] == [
        {"case": "b", "epochs_failed": [1], "why": "state me.gold = 3 at the end: it is 2"}
    ]
    assert told["bare:tiny"]["failed"] == [{"case": "a", "epochs_failed": [1], "why": "the model did not answer"}]
    assert told["bare:tiny"]["errors"] == 1
    assert told["bare:tiny"]["legal_rate"] is None


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    told = write_summary(tmp_path, HEAD, ROWS)
    first = (tmp_path / SUMMARY).read_bytes()
    assert json.loads(first) == told
    write_summary(tmp_path, HEAD, [Row.load(json.loads(each.line())) for each in ROWS])
    assert (tmp_path / SUMMARY).read_bytes() == first


def test_a_run_in_which_nothing_was_played_has_a_summary() -> None:
    assert summarise(HEAD, [], ["a"]) == {"run": HEAD, "contenders": {}, "left_out": ["a"]}
