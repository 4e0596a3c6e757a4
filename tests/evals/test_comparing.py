"""Two runs are compared case by case; what cannot be compared is told."""

from __future__ import annotations

import json

import pytest

from evals.comparing import compare
from evals.results import ResultsError, Row


def rows(contender: str, outcomes: dict[str, str], **more: object) -> list[Row]:
    """Outcomes by case, an epoch a letter: `+` solved, `-` not."""
    found: list[Row] = []
    for case, epochs in outcomes.items():
        for epoch, solved in enumerate(epochs, 1):
            told: dict[str, object] = {
                "world": "cloak",
                "tags": {"kind": case[0]},
                "error": "" if solved == "+" else f"{contender} broke {case}",
                "figures": {"calls": len(contender), "cost": 0.5},
                "fingerprint": case,
                **more,
            }
            found.append(Row(case, epoch, contender, solved == "+", **told))  # pyright: ignore[reportArgumentType]
    return found


def test_a_contender_at_two_commits_is_compared_case_by_case() -> None:
    before = rows("rules:none", {"a1": "++", "a2": "++", "b1": "++", "b2": "+-"})
    after = rows("rules:none", {"a1": "++", "a2": "--", "b1": "+-", "b2": "++"})
    (found,) = compare(before, after).comparisons
    assert (found.before, found.after) == ("rules:none", "rules:none")
    assert (found.solved.cases, found.solved.before, found.solved.after) == (4, 0.875, 0.625)
    assert found.solved.difference == -0.25
    assert found.solved.low < -0.25 < found.solved.high
    # Of the 8 flips of 2, 1 and 1 halves, 6 come to 2 either way.
    assert found.solved.p == pytest.approx(0.75)
    assert [(each.case, each.before, each.after, each.why) for each in found.lost] == [
        ("a2", (2, 2), (2, 0), "rules:none broke a2"),
        ("b1", (2, 2), (2, 1), "rules:none broke b1"),
    ]
    assert [(each.case, each.why) for each in found.won] == [("b2", "rules:none broke b2")]
    assert found.by["kind"]["a"].difference == -0.5
    assert found.by["kind"]["b"].difference == 0


def test_two_models_of_one_run_are_compared_by_name() -> None:
    both = rows("system:one", {"a1": "+", "a2": "-"}) + rows("system:other", {"a1": "+", "a2": "+"})
    (found,) = compare(both, both, ("system:one", "system:other")).comparisons
    assert (found.before, found.after) == ("system:one", "system:other")
    assert found.solved.difference == 0.5
    assert [each.case for each in found.won] == ["a2"]
    assert found.figures["calls"].before == len("system:one")
    assert found.figures["calls"].after == len("system:other")


def test_two_runs_of_one_model_each_are_compared_though_the_models_differ() -> None:
    (found,) = compare(rows("bare:one", {"a": "+"}), rows("system:one", {"a": "-"})).comparisons
    assert (found.before, found.after) == ("bare:one", "system:one")


def test_cases_that_only_one_run_has_and_that_say_something_else_are_told_and_not_counted() -> None:
    before = rows("rules:none", {"a": "+", "gone": "+"}) + rows("rules:none", {"b": "+"}, fingerprint="old")
    after = rows("rules:none", {"a": "+", "new": "-"}) + rows("rules:none", {"b": "-"}, fingerprint="young")
    (found,) = compare(before, after).comparisons
    assert (found.only_before, found.only_after, found.changed) == (("gone",), ("new",), ("b",))
    assert (found.solved.cases, found.solved.difference) == (1, 0)


def test_contenders_that_only_one_run_has_are_told() -> None:
    before = rows("rules:none", {"a": "+"}) + rows("bare:tiny", {"a": "+"})
    found = compare(before, rows("rules:none", {"a": "+"}) + rows("expert:none", {"a": "+"}))
    assert (found.only_before, found.only_after) == (("bare:tiny",), ("expert:none",))


@pytest.mark.parametrize(
    ("before", "after", "names", "says"),
    [
        (rows("rules:none", {"a": "+"}), rows("rules:none", {"b": "+"}), None, "No case is in both"),
        (rows("rules:none", {"a": "+"}), [], None, "No contender is in both"),
        (rows("rules:none", {"a": "+"}), rows("rules:none", {"a": "+"}), ("rules:none", "rule:none"), "rule:none"),
    ],
)
def test_what_cannot_be_compared_is_said(
    before: list[Row], after: list[Row], names: tuple[str, str] | None, says: str
) -> None:
    with pytest.raises(ResultsError, match=says) as raised:
        compare(before, after, names)
    assert raised.value.hint


def test_the_p_values_of_strata_are_corrected_for_their_number() -> None:
    before = rows("rules:none", {f"{kind}{n}": "+" for kind in "abcdefgh" for n in range(6)})
    after = rows("rules:none", {f"{kind}{n}": "-" if kind == "a" else "+" for kind in "abcdefgh" for n in range(6)})
    (found,) = compare(before, after).comparisons
    # Alone it would be 2 / 2**6, and the world as a stratum has that too; there are nine.
    assert found.by["kind"]["a"].p == pytest.approx(9 / 2**5)
    assert found.by["kind"]["b"].p == 1.0
    assert found.solved.p == pytest.approx(1 / 2**5)
    assert found.solved.significant
    assert not found.by["kind"]["a"].significant


def test_a_comparison_is_data() -> None:
    found = compare(rows("rules:none", {"a": "+", "b": "+"}), rows("rules:none", {"a": "-", "b": "+"}))
    assert json.loads(json.dumps(found.as_data()))["comparisons"][0]["lost"][0]["case"] == "a"
