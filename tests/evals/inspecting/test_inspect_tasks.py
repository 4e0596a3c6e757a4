"""Cases played by Inspect AI: the same outcomes as our own runs, each turn with the rule lines, epochs reduced as our statistics do."""

# ruff: noqa: E402  # what needs the extra is imported where it is there
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai", reason="the extra [inspect] is not installed")
INSPECTS = (
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning", "ignore:The 'initial' parameter",
)  # fmt: skip
"""Inspect leaves streams of its own open when an evaluation ends, and calls tenacity in an old way."""

from inspect_ai import Epochs
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.scorer import CORRECT, INCORRECT, Score, mean_score, pass_at, pass_k

from evals import statistics
from evals.cases import CaseError
from evals.inspecting.stage import staged
from evals.inspecting.telling import kept, rows
from evals.running import Plan, run
from evals.solvers.rules import Rules
from evals.statistics import Tally
from evals.suites import suite
from evals.summary import tallies
from rulebound import inspecting  # as its entry point does

pytestmark = pytest.mark.filterwarnings(*INSPECTS)
CASES = (
    {"id": "west", "world": "cloak", "turns": ["west", "hang cloak on hook"], "expect": {"check": ["cloak.location == hook"]}},
    {"id": "no", "world": "west-of-house", "turns": [{"says": "take mailbox", "expect": {"refused": True}}], "tags": {"kind": "refusal"}},
    {"id": "wrong", "world": "cloak", "turns": ["west"], "expect": {"check": ["room == bar"]}},
    {"id": "free", "world": "cloak", "turns": ["sing a song"], "by": ["model"]},
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def nothing_outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What Inspect keeps of its own is kept here."""
    home = tmp_path_factory.mktemp("inspect-home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "INSPECT_CACHE_DIR"):
            patch.setenv(name, str(home))
        yield


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("cases") / "own.jsonl"
    file.write_text("".join(f"{json.dumps(each)}\n" for each in CASES), "utf-8")
    return file


def evaluated(task: str, folder: Path, model: str = "none/none", **more: Any) -> EvalLog:
    """A task as `inspect eval` runs it, and its log as it was written."""
    told = {"display": "none", "log_dir": str(folder), "ctl_server": False, "score_display": False}
    log = inspect_eval(task, model=model, **told, **more)[0]
    return read_eval_log(log.location, resolve_attachments=True)


@pytest.fixture(scope="module")
def log(file: Path, tmp_path_factory: pytest.TempPathFactory) -> EvalLog:
    """The file's cases, three times."""
    reducers = ["mean", "pass_at_2", "pass_k_2"]
    arguments = {"of": str(file), "solver": "rules"}
    folder = tmp_path_factory.mktemp("logs")
    return evaluated("rulebound/cases", folder, task_args=arguments, epochs=Epochs(3, reducers))


@pytest.mark.requirement("0.18", "0.34")
def test_inspect_finds_our_suites_by_their_names_and_plays_them(tmp_path: Path) -> None:
    log = evaluated("rulebound/play", tmp_path, task_args={"solver": "rules"}, limit=5)
    assert log.status == "success"
    assert log.eval.task_registry_name == "rulebound/play"
    assert [each.solved for each in rows(log)] == [True] * 5
    assert log.results is not None
    assert log.results.scores[0].metrics["accuracy"].value == 1.0


@pytest.mark.anyio
async def test_a_log_of_inspects_holds_the_rows_of_our_own_run(log: EvalLog, file: Path, tmp_path: Path) -> None:
    cases = tuple(suite(str(file)).cases())
    ours = await run(Plan("own", cases, epochs=3), tmp_path, {"rules:none": (Rules(), False)})
    assert [each.line() for each in rows(log)] == [each.line() for each in ours.rows]
    assert log.eval.metadata == {"left_out": ["free"]}, "nobody there has a model"


def test_a_sample_tells_each_turn_with_the_rule_lines_and_why_it_is_not_solved(log: EvalLog) -> None:
    refused, wrong = (next(s for s in log.samples or () if s.id == id and s.epoch == 1) for id in ("no", "wrong"))
    assert [each.role for each in refused.messages] == ["user", "assistant", "tool", "assistant"]
    decision = refused.messages[2].text
    assert decision.startswith("status=refused")
    assert ".md:" in decision, "the lines that decided"
    notes = [each.data for each in refused.events if each.event == "info"]
    assert len(notes) == 1
    assert decision in str(notes[0])
    assert refused.metadata["kind"] == "refusal"
    assert refused.scores is not None
    assert wrong.scores is not None
    assert refused.scores["solved"].value == CORRECT
    assert wrong.scores["solved"].value == INCORRECT
    assert wrong.scores["solved"].explanation is not None
    assert "room == bar at the end: `room == bar` does not hold" in wrong.scores["solved"].explanation
    assert wrong.scores["figures"].value == {
        "steps": 1, "illegal_attempted": 0, "illegal_executed": 0, "calls": 0, "cost": 0,
    }  # fmt: skip
    assert log.eval.viewer is not None
    assert log.eval.viewer.trust_content is False, "what pages and players say is shown as it stands"


def test_inspects_reducers_say_of_a_log_what_our_statistics_say_of_its_rows(log: EvalLog) -> None:
    told = list(tallies(rows(log)).values())
    assert [(each.epochs, each.solved) for each in told] == [(3, 3), (3, 3), (3, 0)]
    assert log.results is not None
    found = {each.reducer: each.metrics["accuracy"].value for each in log.results.scores if each.name == "solved"}
    ours = {"mean": 2 / 3, "pass_at_2": statistics.pass_at(told, 2), "pass_k_2": statistics.pass_all(told, 2)}
    assert found == pytest.approx(ours)


@pytest.mark.parametrize("n", range(1, 9))
def test_pass_at_k_and_pass_all_k_agree_with_inspects_on_every_outcome(n: int) -> None:
    for solved in range(n + 1):
        scores = [Score(value=CORRECT if each < solved else INCORRECT) for each in range(n)]
        tally = [Tally(n, solved)]
        assert mean_score()(scores).value == pytest.approx(tally[0].share)
        for k in range(1, n + 1):
            assert pass_at(k)(scores).value == pytest.approx(statistics.pass_at(tally, k)), (solved, k)
            assert pass_k(k)(scores).value == pytest.approx(statistics.pass_all(tally, k)), (solved, k)


def test_a_log_can_be_scored_again(log: EvalLog) -> None:
    again = inspect_score(log, [inspecting.solved(), inspecting.figures()], action="overwrite", display="none")
    before, after = ([(s.id, s.epoch, s.scores) for s in each.samples or ()] for each in (log, again))
    assert [(id, epoch, {name: s.value for name, s in (scores or {}).items()}) for id, epoch, scores in before] == [
        (id, epoch, {name: s.value for name, s in (scores or {}).items()}) for id, epoch, scores in after
    ]


def test_a_sample_that_no_solver_of_ours_played_is_not_scored(file: Path, tmp_path: Path) -> None:
    log = evaluated(
        "rulebound/cases", tmp_path, "mockllm/model", task_args={"of": str(file)}, solver=_silent(), limit=1
    )
    sample = (log.samples or [])[0]
    assert sample.scores is not None
    assert sample.scores["solved"].value != sample.scores["solved"].value, "it is no number"
    assert "No solver of Rulebound's" in str(sample.scores["solved"].explanation)


def _silent() -> Any:
    from inspect_ai.solver import Generate, TaskState, solver

    @solver
    def silent() -> Any:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            return state

        return solve

    return silent()


def test_a_mistake_in_a_case_is_told_before_anything_runs(tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(json.dumps({"id": "a", "world": "cloak", "turns": ["west"], "expect": {"check": ["rooom == bar"]}}))
    with pytest.raises(CaseError, match=r"bad\.jsonl:1.*rooom"):
        staged(str(file))


def test_nothing_is_kept_of_a_sample_that_was_never_played() -> None:
    from inspect_ai.util import Store

    assert kept(Store()) is None
