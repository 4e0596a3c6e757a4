"""The gate fails where a run is worse than its baseline, names the cases, and is not failed by chance alone."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from benchmarks.gate import SPREADS, Change, Size, broken, everywhere, fails, unchanged
from evals.gate import Baseline, BaselineError, gate, lines
from evals.results import Row
from evals.running import Plan, run
from evals.solvers import Needs, opened
from evals.suites import suite
from kb import library


def rows(contender: str, outcomes: dict[str, str], fingerprint: str = "same") -> list[Row]:
    """Outcomes by case, an epoch a letter: `+` solved, `-` not."""
    return [
        Row(
            case,
            epoch,
            contender,
            solved == "+",
            error="" if solved == "+" else f"{case} broke",
            fingerprint=fingerprint,
        )
        for case, epochs in outcomes.items()
        for epoch, solved in enumerate(epochs, 1)
    ]


def played(world: Path, out: Path) -> list[Row]:
    """What the rules make of a world's scenarios."""

    async def play() -> list[Row]:
        plan = Plan("own", tuple(suite(str(world)).cases()))
        async with opened("rules", Needs(None, out)) as solver:
            return list((await run(plan, out, {"rules:none": (solver, False)})).rows)

    return asyncio.run(play())


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A copy of the lending desk."""
    copy = tmp_path / "desk"
    shutil.copytree(library.worlds()["lending-desk"], copy)
    return copy


@pytest.mark.requirement("4.52")
@pytest.mark.parametrize(
    ("edits", "cases"),
    [
        (
            {"loan.renewals >= 2": "loan.renewals >= 3", "| l-9 | renewed twice | 2 |": "| l-9 | Renewed until | 3 |"},
            {"renewals"},
        ),
        (
            {"copy.adult_only &&": "copy.adult_only && copy.lost &&", "| is not for juniors |": "| is lent to |"},
            {"junior"},
        ),
        (
            {
                "| adult | <= 5 | 5 |": "| adult | <= 5 | 9 |",
                "| ada | done | 5 |": "| ada | done | 9 |",
                "| c-20 | gail | the limit is 5 |": "| c-20 | gail | is lent to |",
            },
            {"limit"},
        ),
    ],
)
def test_a_regression_planted_in_a_rule_is_found_in_the_cases_that_it_breaks(
    desk: Path, tmp_path: Path, edits: dict[str, str], cases: set[str]
) -> None:
    """Its author changed the pages' own examples with it, so that they agree with themselves."""
    baseline = Baseline.of(played(desk, tmp_path / "before"))
    for old, new in edits.items():
        (page,) = (page for page in desk.glob("*/*.md") if old in page.read_text("utf-8"))
        page.write_text(page.read_text("utf-8").replace(old, new), "utf-8")
    verdict = gate(baseline, played(desk, tmp_path / "after"))
    assert not verdict.passed
    assert {each.case for each in verdict.judged[0].cases} == cases
    told = "\n".join(lines(verdict))
    assert all(f"  {case} (1 of 1 before, 0 of 1 now): " in told for case in cases)


def test_a_run_that_is_as_its_baseline_passes(desk: Path, tmp_path: Path) -> None:
    before = played(desk, tmp_path / "before")
    verdict = gate(Baseline.of(before), played(desk, tmp_path / "after"))
    assert verdict.passed
    assert verdict.judged[0].before == verdict.judged[0].after == 1.0
    assert list(lines(verdict)) == ["rules:none: as good as the baseline: 100.0% solved before, 100.0% now"]


@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
def test_chance_alone_fails_it_at_most_once_in_a_hundred(spread: tuple[float, float]) -> None:
    """`python -m benchmarks.gate` has the sample sizes that are documented."""
    assert sum(fails(unchanged, Size(40, 4, 4), spread, seed) for seed in range(100)) <= 1


@pytest.mark.parametrize("change", [everywhere, broken])
def test_a_drop_of_five_points_is_found_in_enough_epochs(change: Change) -> None:
    size = Size(60, 30, 30)
    assert sum(fails(change, size, SPREADS["sure"], seed) for seed in range(20)) >= 19


def test_a_noisy_contender_is_not_failed_by_a_case_that_fell_and_cases_that_broke_are_named_first() -> None:
    cases = {f"steady-{n}": "+++++" for n in range(20)} | {f"noisy-{n}": "++-+-" for n in range(20)}
    baseline = Baseline.of(rows("system:tiny", cases))
    luck = gate(baseline, rows("system:tiny", cases | {"noisy-1": "-----", "noisy-2": "+++++"}))
    assert luck.passed
    assert [each.case for each in luck.judged[0].cases] == ["noisy-1"]
    broke = {f"steady-{n}": "-----" for n in (3, 7, 11, 13)} | {"noisy-5": "+---+"}
    verdict = gate(baseline, rows("system:tiny", cases | broke))
    assert not verdict.passed
    assert [each.case for each in verdict.judged[0].cases] == [
        "steady-3",
        "steady-7",
        "steady-11",
        "steady-13",
        "noisy-5",
    ]
    assert verdict.judged[0].cases[0].why == "steady-3 broke"
    assert verdict.judged[0].p is not None


def test_one_case_of_a_contender_without_a_model_is_enough() -> None:
    baseline = Baseline.of(rows("rules:none", {f"case-{n}": "+" for n in range(100)} | {"open": "-"}))
    now = {f"case-{n}": "-" if n == 42 else "+" for n in range(100)} | {"open": "-"}
    verdict = gate(baseline, rows("rules:none", now))
    assert not verdict.passed
    assert [each.case for each in verdict.judged[0].cases] == ["case-42"]


def test_a_player_that_draws_its_moves_is_judged_as_a_noisy_one() -> None:
    baseline = Baseline.of(rows("random:none", {"a": "+", "b": "-"}))
    assert gate(baseline, rows("random:none", {"a": "-", "b": "+"})).passed


def test_a_case_that_is_not_played_any_more_does_not_hide_that_it_would_fail() -> None:
    baseline = Baseline.of(rows("rules:none", {"a": "+", "b": "+", "never": "-"}))
    verdict = gate(baseline, rows("rules:none", {"a": "+", "c": "-"}))
    assert not verdict.passed
    assert (verdict.judged[0].removed, verdict.judged[0].new) == (("b", "never"), ("c",))
    told = "\n".join(lines(verdict))
    assert "2 not played: b, never" in told
    assert "1 new: c" in told
    assert "write the baseline anew" in told
    assert gate(baseline.only({"a", "never"}), rows("rules:none", {"a": "+", "never": "-"})).passed
    assert gate(baseline, rows("rules:none", {"a": "+", "b": "+"})).passed


def test_a_case_that_was_changed_and_fails_now_fails_the_gate() -> None:
    baseline = Baseline.of(rows("rules:none", {"a": "+", "b": "+"}))
    verdict = gate(baseline, rows("rules:none", {"a": "+"}) + rows("rules:none", {"b": "-"}, "anew"))
    assert not verdict.passed
    assert verdict.judged[0].cases[0].changed
    assert verdict.judged[0].changed == ("b",)
    assert "b (1 of 1 before, 0 of 1 now; the case was changed): b broke" in "\n".join(lines(verdict))


def test_cases_that_were_made_easier_do_not_hide_those_that_broke() -> None:
    steady = {f"steady-{n}": "+++++" for n in range(20)}
    hard = {f"hard-{n}": "-----" for n in range(20)}
    baseline = Baseline.of(rows("system:tiny", steady | hard))
    eased = rows("system:tiny", dict.fromkeys(hard, "+++++"), "anew")
    verdict = gate(baseline, rows("system:tiny", steady | {f"steady-{n}": "-----" for n in range(4)}) + eased)
    assert not verdict.passed
    assert verdict.judged[0].after > verdict.judged[0].before


def test_contenders_that_only_one_side_knows_are_told_and_nothing_in_common_fails() -> None:
    baseline = Baseline.of(rows("rules:none", {"a": "+"}) + rows("system:tiny", {"a": "+"}))
    verdict = gate(baseline, rows("rules:none", {"a": "+"}) + rows("expert:none", {"a": "+"}))
    assert verdict.passed
    assert (verdict.missing, verdict.new) == (("system:tiny",), ("expert:none",))
    nothing = gate(baseline, rows("expert:none", {"a": "+"}))
    assert not nothing.passed
    assert "no contender in common" in list(lines(nothing))[-1]
    other = gate(baseline, rows("rules:none", {"z": "+"}))
    assert not other.passed


def test_a_baseline_is_read_as_it_was_written_a_case_a_line_in_order(tmp_path: Path) -> None:
    file = tmp_path / "evals" / "baseline.json"
    baseline = Baseline.of(rows("rules:none", {"b": "++", 'quoted "ä"\n': "+-"}) + rows("expert:none", {"a": "+"}))
    baseline.write(file)
    assert Baseline.read(file) == baseline
    first = file.read_bytes()
    Baseline.read(file).write(file)
    assert file.read_bytes() == first
    assert ' "rules:none": {\n  "b": {"epochs": 2, "solved": 2, "fingerprint": "same"},\n' in first.decode()
    assert json.loads(first)["expert:none"]["a"]["epochs"] == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Invalid JSON"),
        ("[]", "should be an object"),
        ('{"rules:none": {"a": {"epochs": "1", "solved": 1}}}', "rules:none: a: epochs"),
        ('{"rules:none": {"a": {"epochs": 1}}}', "solved: Field required"),
        ('{"rules:none": {"a": {"epochs": 1, "solved": 2}}}', "a: 2 of 1 epochs"),
        ('{"rules:none": {"a": {"epochs": 0, "solved": 0}}}', "0 of 0"),
        ('{"rules:none": {"a": {"epochs": 1, "solved": 1, "more": 1}}}', "more"),
    ],
)
def test_a_baseline_that_is_none_is_said_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "baseline.json"
    file.write_text(text, "utf-8")
    with pytest.raises(BaselineError, match=says) as raised:
        Baseline.read(file)
    assert "baseline.json" in str(raised.value)
    assert raised.value.hint


def test_no_baseline_is_said(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match="No such file"):
        Baseline.read(tmp_path / "none.json")


def test_what_a_page_or_a_model_wrote_cannot_move_the_cursor_of_a_terminal() -> None:
    baseline = Baseline.of(rows("rules:none", {"a\x1b[2J": "+"}))
    told = "\n".join(lines(gate(baseline, rows("rules:none", {"a\x1b[2J": "-"}))))
    assert "\x1b" not in told
