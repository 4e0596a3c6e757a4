"""Made-up cases: the same seed gives the same bytes, solutions solve, the oracle and the rules agree, and a wrong rule is caught."""

from __future__ import annotations

import asyncio
import random
import re
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from evals.cases import Case, CaseError
from evals.generators import KINDS, generate
from evals.generators.adventure import Model
from evals.generators.policies import make as make_policies
from evals.generators.policy import ORDERS
from evals.generators.worlds import plan, solution
from evals.results import Row
from evals.running import Plan, run
from evals.solvers import Needs, opened
from evals.suites import suite


def played(folder: Path, out: Path, *solvers: str, cases: list[Case] | None = None) -> list[Row]:
    """The rows of playing a folder's cases."""

    async def work() -> list[Row]:
        async with AsyncExitStack() as stack:
            contenders = {
                f"{name}:none": (await stack.enter_async_context(opened(name, Needs(None, out))), False)
                for name in solvers
            }
            told = Plan("made", tuple(cases or suite(str(folder)).cases()))
            return list((await run(told, out / "run", contenders)).rows)

    return asyncio.run(work())


def unsolved(rows: list[Row]) -> list[tuple[str, str]]:
    return [(row.case, row.why) for row in rows if not row.solved]


def files(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(kind: str, tmp_path: Path) -> None:
    one, same, other = (generate(kind, 4, seed, tmp_path / str(n)) for n, seed in enumerate((5, 5, 6)))
    assert files(one) == files(same)
    assert files(one) != files(other)
    assert len(suite(str(one)).cases()) == 4


def test_random_worlds_of_every_size_have_a_solution_that_a_model_of_the_pages_can_do() -> None:
    for size in (2, 3, 8, 20, 40):
        for seed in range(60):
            drawn = plan(random.Random(seed), size)
            steps = solution(drawn)
            model = Model(drawn)
            for step in steps:
                model.do(step)
            assert len(drawn.exits) == size
            assert model.where[drawn.treasure] == drawn.altar


def test_random_worlds_are_solved_by_their_solution(tmp_path: Path) -> None:
    folder = generate("worlds", 4, 3, tmp_path / "kb")
    rows = played(folder, tmp_path, "expert", "rules")
    assert len(rows) == 8
    assert unsolved(rows) == []


def test_a_world_whose_door_lost_its_key_is_not_solved(tmp_path: Path) -> None:
    folder = generate("worlds", 1, 3, tmp_path / "kb")
    door = next(each for each in folder.rglob("*-door.md") if "key:" in each.read_text())
    door.write_text(re.sub(r"key: .*", "key: nothing", door.read_text()))
    (door.parent / "nothing.md").write_text("---\nitem: nothing\n---\n# Nothing\n")
    assert len(unsolved(played(folder, tmp_path, "expert"))) == 1


def test_the_oracle_and_the_rules_agree_on_made_up_policies(tmp_path: Path) -> None:
    folder = generate("policies", 250, 11, tmp_path / "kb")
    rows = played(folder, tmp_path, "rules")
    outcomes = {row.tags["outcome"] for row in rows}
    assert outcomes == {"allowed", "when", "unless", "limit", "role"}
    assert unsolved(rows) == []


def test_a_threshold_that_is_off_by_one_step_is_caught_by_the_cases_at_it(tmp_path: Path) -> None:
    folder = generate("policies", 200, 12, tmp_path / "kb")
    planted = 0
    for page in sorted((folder / "rules").glob("*.md")):
        text = page.read_text()
        wrong = re.sub(r"`amount > world\.limit`", "`amount >= world.limit`", text)
        planted += wrong != text
        page.write_text(wrong)
    caught = {row.tags["policy"] for row in played(folder, tmp_path, "rules") if not row.solved}
    assert planted == 4
    assert len(caught) >= 3


def test_facts_lie_at_and_beside_the_thresholds() -> None:
    made = make_policies(50, 2)
    rule = made.files["rules/policy-1.md"] + made.files["tables/limits-1.md"]
    told = {int(each) for each in re.findall(r"(?<![\w.])\d+(?![\w.])", rule)}
    amounts = [
        int(each) for case in made.cases for turn in case.turns for each in re.findall(r'"amount": (\d+)', turn.says)
    ]
    assert sum(min(abs(amount - at) for at in told) <= 1 for amount in amounts) > len(amounts) / 2
    assert set(ORDERS) >= {"<", "<=", ">", ">="}


def test_actions_that_were_changed_are_refused_and_change_nothing(tmp_path: Path) -> None:
    folder = generate("mutations", 120, 4, tmp_path / "kb")
    rows = played(folder, tmp_path, "rules")
    assert unsolved(rows) == []
    assert {row.tags["mutation"] for row in rows} >= {
        "wrong thing", "wrong second thing", "wrong way", "skipped step", "done again", "too much", "other role",
    }  # fmt: skip


def test_a_rule_that_lets_through_what_it_must_refuse_is_caught(tmp_path: Path) -> None:
    folder = generate("mutations", 60, 4, tmp_path / "kb")
    for each in folder.glob("world-*/world.md"):
        each.write_text(each.read_text() + "| open <item> | `item.openable` | set `item.open` to yes |\n")
    caught = [row for row in played(folder, tmp_path, "rules") if not row.solved]
    assert caught
    assert {row.tags["why"] for row in caught} <= {"locked", "open already"}


def test_each_paraphrase_means_the_command_that_is_its_label(tmp_path: Path) -> None:
    folder = generate("paraphrases", 60, 9, tmp_path / "kb")
    rows = played(folder, tmp_path, "expert")
    assert unsolved(rows) == []
    assert {row.tags["style"] for row in rows} == {"polite", "terse", "wordy", "typo", "verb", "order"}


def test_a_paraphrase_that_is_played_as_another_command_is_not_solved(tmp_path: Path) -> None:
    folder = generate("paraphrases", 20, 9, tmp_path / "kb")
    cases = [replace(each, turns=(replace(each.turns[0], says="look"),)) for each in suite(str(folder)).cases()]
    assert not any(row.solved for row in played(folder, tmp_path, "rules", cases=cases))


@pytest.mark.parametrize(
    ("kind", "n", "told"),
    [("wolrds", 5, "There is no generator 'wolrds'"), ("worlds", 0, "0 cases"), ("worlds", 10**9, "cannot be made")],
)
def test_what_cannot_be_generated_is_told(kind: str, n: int, told: str, tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=told):
        generate(kind, n, 1, tmp_path / "kb")
    assert not (tmp_path / "kb").exists()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.md").write_text("mine")
    with pytest.raises(CaseError, match="not an empty folder"):
        generate("worlds", 1, 1, tmp_path)
    assert files(tmp_path) == {"mine.md": b"mine"}
