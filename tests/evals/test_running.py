"""A run: every case, epoch and contender once, the same bytes each time, and on from where it was killed."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from evals.attempts import Attempt
from evals.cases import Case, CaseError, Expect, Turn
from evals.environment import Environment
from evals.results import JOURNAL, RESULTS, Journal, ResultsError, Row, read
from evals.running import Plan, Ran, run
from evals.solvers import Solver
from evals.solvers.expert import Expert
from evals.solvers.rules import Rules
from evals.suites import suite

pytestmark = pytest.mark.anyio
CASES = (
    Case("west", "cloak", (Turn("west"), Turn("hang cloak on hook")), Expect(check=("cloak.location == hook",)), gold=("w", "hang cloak on hook")),
    Case("out", "cloak", (Turn("north", Expect(check=("room == foyer",))),), Expect(state="unchanged")),
    Case("wrong", "cloak", (Turn("west"),), Expect(check=("room == bar",))),
    Case("free", "cloak", (Turn("sing"),), by=("model",)),
)  # fmt: skip


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def ran(folder: Path, plan: Plan, **solvers: Solver) -> Ran:
    return await run(plan, folder, {f"{name}:none": (each, False) for name, each in solvers.items()})


async def test_each_case_is_played_as_often_as_there_are_epochs_by_each_contender(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    of = {"rules:none": (Rules(), False), "expert:none": (Expert(), False)}
    done = await run(Plan("own", CASES, epochs=2), tmp_path, of, lambda row, n, all_: told.append((row.case, n, all_)))
    assert [row.key for row in done.rows] == [
        (who, case, epoch) for who in of for case in ("west", "out", "wrong") for epoch in (1, 2)
    ]
    assert done.left_out == ("free",), "nobody here has a model"
    assert [n for _, n, _ in told] == list(range(1, 13))
    assert {all_ for _, _, all_ in told} == {12}
    assert [row.solved for row in done.rows[:6]] == [True, True, True, True, False, False]
    assert done.rows[4].why == "state room == bar at the end: `room == bar` does not hold"
    assert [row.line() for row in read(tmp_path)] == [row.line() for row in done.rows]


async def test_the_same_run_gives_the_same_bytes_however_many_play_at_once(tmp_path: Path) -> None:
    cases = tuple(suite("cloak").cases())
    for name, at_once in (("one", 1), ("many", 16)):
        await ran(tmp_path / name, Plan("cloak", cases, epochs=2, at_once=at_once), rules=Rules())
    assert (tmp_path / "one" / RESULTS).read_bytes() == (tmp_path / "many" / RESULTS).read_bytes()


class Dying:
    """Kills the process at the n-th case."""

    def __init__(self, after: int):
        self.left = after

    async def solve(self, case: Case, at: Environment, epoch: int) -> Attempt:
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        return await Rules().solve(case, at, epoch)


KILLED = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import test_running as t
asyncio.run(t.ran(Path(sys.argv[1]), t.Plan("own", t.CASES, epochs=3), rules=t.Dying(5)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
async def test_a_run_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    plan = Plan("own", CASES, epochs=3)
    await ran(tmp_path / "whole", plan, rules=Rules())
    folder = tmp_path / "killed"
    died = subprocess.run([sys.executable, "-c", KILLED, folder, Path(__file__).parent], check=False)
    assert died.returncode == -signal.SIGKILL
    with pytest.raises(ResultsError, match="no results"):
        read(folder)
    with (folder / JOURNAL).open("a") as journal:
        journal.write('{"seconds": 1, "row": {"case": "cut o')
    counted = Dying(-1)
    await ran(folder, plan, rules=counted)
    assert counted.left == -1 - (9 - 5), "only what was missing was played"
    assert (folder / RESULTS).read_bytes() == (tmp_path / "whole" / RESULTS).read_bytes()
    assert not (folder / JOURNAL).exists()


async def test_a_folder_with_another_run_under_way_is_refused_and_kept(tmp_path: Path) -> None:
    Journal(tmp_path, {"run": "another"}).close()
    with pytest.raises(ResultsError, match="another run began here"):
        await ran(tmp_path, Plan("own", CASES), rules=Rules())
    assert json.loads((tmp_path / JOURNAL).read_text()) == {"run": "another"}


async def test_results_that_asked_models_are_not_replaced_by_less(tmp_path: Path) -> None:
    class Asking:
        async def solve(self, case: Case, at: Environment, epoch: int) -> Attempt:
            found = await Rules().solve(case, at, epoch)
            call = {
                "purpose": "route",
                "model": "big",
                "input_tokens": 1,
                "output_tokens": 1,
                "cost": 0.5,
                "seconds": 1.0,
            }
            return replace(found, steps=tuple(replace(each, models=(call,)) for each in found.steps))

    big: dict[str, tuple[Solver, bool]] = {"system:big": (Asking(), True)}
    await run(Plan("own", CASES[:2]), tmp_path, big)
    before = (tmp_path / RESULTS).read_bytes()
    for plan in (Plan("own", CASES[:2]), Plan("other", CASES), Plan("own", CASES[:1])):
        contenders = big if plan.suite != "own" or len(plan.cases) == 1 else {"rules:none": (Rules(), False)}
        with pytest.raises(ResultsError, match="holds results of system:big"):
            await run(plan, tmp_path, contenders)
    assert (tmp_path / RESULTS).read_bytes() == before
    assert not (tmp_path / JOURNAL).exists()
    await run(Plan("own", CASES, epochs=2), tmp_path, big)
    assert len(read(tmp_path)) == 8, "more of the same takes its place"


class Broken:
    async def solve(self, case: Case, at: Environment, epoch: int) -> Attempt:
        raise ZeroDivisionError("by itself")


async def test_a_solver_that_breaks_or_a_case_that_cannot_begin_is_an_error_of_that_case_alone(tmp_path: Path) -> None:
    broken = await ran(tmp_path / "a", Plan("own", CASES[:1]), broken=Broken())
    assert broken.rows[0].why == "ZeroDivisionError: by itself"
    unbegun = replace(CASES[0], id="unbegun", setup=("dance on the chandelier",))
    rows = (await ran(tmp_path / "b", Plan("own", (unbegun, CASES[0])), rules=Rules())).rows
    assert [row.solved for row in rows] == [False, True]
    assert "setup: 'dance on the chandelier' is not done" in rows[0].error


async def test_a_mistake_in_a_case_is_told_before_anything_is_played(tmp_path: Path) -> None:
    wrong = Case("x", "cloak", (Turn("west"),), Expect(check=("claok.worn",)), at="mine.jsonl:7")
    with pytest.raises(CaseError, match=r"mine.jsonl:7.*claok"):
        await ran(tmp_path, Plan("own", (CASES[0], wrong)), rules=Rules())
    assert not (tmp_path / JOURNAL).exists()


@pytest.mark.parametrize("line", ["{", "[]", '{"case": 1}', "nonsense"])
def test_results_that_cannot_be_read_are_told_with_their_line(tmp_path: Path, line: str) -> None:
    good = Row("a", 1, "rules:none", True).line()
    (tmp_path / RESULTS).write_text(f"{good}\n{line}\n")
    with pytest.raises(ResultsError, match=r"results.jsonl:2"):
        read(tmp_path)


async def test_gold_that_the_rules_no_longer_do_is_told_as_such(tmp_path: Path) -> None:
    gone = Case("gone", "cloak", (Turn("west"),), Expect(state="gold"), gold=("west", "up"), at="mine.jsonl:1")
    (row,) = (await ran(tmp_path, Plan("own", (gone,)), rules=Rules())).rows
    assert row.why.startswith("state gold at the end: mine.jsonl:1: gold: 'up' is not done: ")


async def test_two_cases_of_one_id_are_not_taken_for_one(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="Two cases are called 'west'"):
        await run(Plan("own", (*CASES, CASES[0])), tmp_path, {"rules:none": (Rules(), False)})


async def test_a_scenario_is_played_in_each_experience_of_a_knowledge_base(tmp_path: Path) -> None:
    pages = {
        each: f"---\nexperience: {each}\nuses: [adventure]\nstart: hall\n---\n# {each}\n" for each in ("one", "two")
    }
    pages |= {"hall": "---\nplace: hall\n---\n# Hall\n"}
    pages |= {"s": "---\nscenario: s\n---\n# S\n| Player says | Answer holds |\n|---|---|\n| look | Hall |\n"}
    for name, text in pages.items():
        (tmp_path / f"{name}.md").write_text(text, "utf-8")
    cases = tuple(suite(str(tmp_path)).cases())
    found = await run(Plan("own", cases), tmp_path / "out", {"rules:none": (Rules(), False)})
    assert [(row.case, row.solved) for row in found.rows] == [("one/s", True), ("two/s", True)]
