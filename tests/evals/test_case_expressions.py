"""What cases say in the rule language is compiled as a page of their world would say it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.worlds import Where
from evals.attempts import Attempt
from evals.cases import Case, CaseError, Expect, Turn
from evals.environment import Environment, environments, scenarios_of
from evals.scoring import verdict
from evals.solvers.rules import played


def environment(*cases: Case) -> Environment:
    return next(iter(environments(cases).values()))


def attempt(case: Case, at: Environment) -> Attempt:
    return played(case, at, [turn.says for turn in case.turns], "user")


def test_given_effects_set_the_state_up_and_checks_read_it() -> None:
    case = Case("c", "cloak", (Turn("look"),), Expect(check=("player.score == 1",)), given=("set `player.score` to 1",))
    at = environment(case)
    assert at.holds("player.score == 1", attempt(case, at).states[-1]).holds
    assert not at.holds("player.score == 1", at.session.referee.join(at.session.referee.new(), "player")).holds


def test_cases_with_different_beginnings_stay_apart() -> None:
    cases = [
        Case(
            f"c-{n}",
            "cloak",
            (Turn("look"),),
            Expect(check=(f"player.score == {n}",)),
            given=(f"set `player.score` to {n}",),
        )
        for n in range(300)
    ]
    at = environment(*cases)
    assert all(at.holds(case.expect.check[0], attempt(case, at).states[-1]).holds for case in cases)


@pytest.mark.parametrize(
    "source",
    [
        "player.scoer == 1",
        "true` | yes |\n| look | `true",
        "true`",
        "---",
        "# Heading",
        "",
        " ",
        "player.score",
        "(" * 1_000 + "true" + ")" * 1_000,
        "true" + " " * 3_000,
        "player.name == '\x00'",
        "\x1b[2J",
    ],
)
def test_an_expression_that_is_none_is_told_with_its_case(source: str) -> None:
    case = Case("c", "cloak", (Turn("look"),), Expect(check=(source,)), at="mine.jsonl:7")
    with pytest.raises(CaseError, match=r"^mine\.jsonl:7: ") as error:
        environment(case)
    assert error.value.hint
    assert not {"\x1b", "\x00"} & set(str(error.value))


@pytest.mark.parametrize(
    "line",
    [
        "set `player.score` to yes",
        "set `player.score` to 1\n## Rules\n| On | When | Then |",
        "say it",
        "```",
        "| look | `true` |",
        "---",
        "",
        "set `player.score` to 1 " + "; set `player.score` to 1" * 200,
    ],
)
def test_a_beginning_that_is_none_is_told_with_its_case(line: str) -> None:
    with pytest.raises(CaseError, match=r"^mine\.jsonl:7: "):
        environment(Case("c", "cloak", (Turn("look"),), given=(line,), at="mine.jsonl:7"))


def test_text_with_bars_and_backticks_is_text() -> None:
    odd = "a | b || c ` d --- # [[e]]"
    case = Case("c", "cloak", (Turn("look"),), Expect(check=(f'player.name != "{odd}"',)))
    assert environment(case).holds(case.expect.check[0], attempt(case, environment(case)).states[-1]).holds


def test_a_folder_with_several_experiences_gives_the_scenarios_of_each(tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "world.md").write_text(f"---\nexperience: {name}\n---\n# {name}\n")
        (folder / "rule.md").write_text(f'---\nrule: greet-{name}\non: greet\n---\n# Greet\n## Then\n- say "{name}!"\n')
        (folder / "s.md").write_text(
            f"---\nscenario: says-{name}\n---\n# S\n| Player says | Answer holds |\n|---|---|\n| greet | {name}! |\n"
        )
    cases = scenarios_of(Where.of(str(tmp_path)))
    assert [(each.id, each.experience) for each in cases] == [("says-one", "one"), ("says-two", "two")]
    for case, at in zip(cases, environments(cases).values(), strict=True):
        assert attempt(case, at).steps[0].answer == f"{case.experience}!"


@pytest.mark.parametrize(
    ("reason", "met"),
    [("stays in the house", True), ("copy.reference", True), ("rules/lend.md:13", True), ("the copy is in", False)],
)
def test_a_condition_that_held_is_no_reason_for_a_refusal(reason: str, met: bool) -> None:
    case = Case("c", "lending-desk", (Turn("lend c-18 to ada"),), Expect(refused=True, reason=reason))
    at = environment(case)
    assert verdict(case, attempt(case, at), at).solved == met
