"""The suite rules: what is in it, that it can be solved, and that a wrong label is not."""

from __future__ import annotations

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from evals.attempts import Attempt
from evals.cases import Case, Turn
from evals.data import HERE
from evals.environment import Environment, environments
from evals.scoring import verdict
from evals.solvers import Solver
from evals.solvers.expert import Expert
from evals.solvers.rules import Rules
from evals.solvers.rules import played as said
from evals.suites import suite
from evals.suites.rules import WORLDS

ROOT = Path(__file__).parents[3]


@cache
def everything() -> tuple[Case, ...]:
    return tuple(suite("rules").cases())


def cases() -> tuple[Case, ...]:
    """Those that are said by command."""
    return tuple(case for case in everything() if case.tags["said"] == "command")


@cache
def places() -> dict[str, Environment]:
    return {where.location: place for where, place in environments(everything()).items()}


def unsolved(solver: Solver, played: Iterable[Case]) -> dict[str, list[str]]:
    """By case what is not met; none for a case that is solved."""

    async def each() -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for case in played:
            at = places()[case.world]
            came = verdict(case, await solver.solve(case, at, 0), at)
            if not came.solved:
                found[case.id] = [f"{each.what}: {each.why}" for each in came.checks if not each.met]
        return found

    return asyncio.run(each())


def outcomes(case: Case) -> tuple[object, ...]:
    return (case.turns[-1].expect.refused, case.expect.check)


def test_there_are_cases_of_every_kind_in_every_world_and_half_of_them_are_told_in_words() -> None:
    own = [case for case in cases() if case.tags["kind"] != "mutated"]
    assert len(own) >= 300
    kinds = {(case.world, case.tags["kind"]) for case in cases()}
    assert kinds == {(world, kind) for world in WORLDS for kind in ("allowed", "refused", "boundary", "mutated")}
    assert sum(bool(case.task) for case in own) * 2 >= len(own)
    assert {case.tags["difficulty"] for case in cases()} == {"easy", "medium", "hard"}


def test_the_page_of_the_suites_and_the_readme_of_the_data_count_right() -> None:
    section = (ROOT / "docs/evaluators/suites.md").read_text("utf-8").partition("## rules")[2].partition("\n## ")[0]
    told = [int(each) for each in re.findall(r"\| (\d+) \|$", section, re.MULTILINE)]
    kinds = Counter(case.tags["kind"] for case in cases())
    words = len(everything()) - len(cases())
    assert told == [*(kinds[each] for each in ("allowed", "refused", "boundary", "mutated")), words]
    readme = (HERE / "rules" / "README.md").read_text("utf-8")
    assert f"{len(cases())} cases" in readme
    assert f"{words} of the {len(cases()) - kinds['mutated']} cases" in readme


def test_who_refuses_says_why_and_changes_nothing_more() -> None:
    for case in cases():
        last = case.turns[-1].expect
        assert last.refused == ("why" in case.tags), case.id
        assert bool(last.reason) == bool(last.refused), case.id
        if last.refused and len(case.turns) == 1:
            assert (case.expect.state, case.gold) == ("unchanged", ()), case.id
        if not last.refused:
            assert case.gold == tuple(turn.says for turn in case.turns), case.id


def test_what_stands_at_a_boundary_stands_beside_its_neighbour_that_ends_otherwise() -> None:
    pairs: dict[str, list[Case]] = defaultdict(list)
    for case in cases():
        if case.tags["kind"] == "boundary":
            pairs[case.id.rpartition("/")[0]].append(case)
    assert len(pairs) >= 90
    assert [name for name, both in pairs.items() if len({outcomes(each) for each in both}) < 2] == []


def test_each_gold_action_has_a_variation_that_must_be_refused() -> None:
    varied = {case.id.removesuffix("/mutated") for case in cases() if case.tags["kind"] == "mutated"}
    golden = {case.id for case in cases() if not case.turns[-1].expect.refused}
    assert golden == varied & golden
    assert len(varied) >= 130


@pytest.mark.parametrize("world", WORLDS)
def test_every_action_of_a_policy_is_allowed_in_a_case_and_refused_in_another(world: str) -> None:
    rulebook = places()[world].world.rulebook
    actions = {rule.id for rule in rulebook.rules.values() if rule.trigger.kind == "action" and not rule.free}
    for refused in (False, True):
        told = {
            turn.says.partition(" ")[0]
            for case in cases()
            if case.world == world
            for turn in case.turns
            if turn.expect.refused is refused
        }
        assert actions - told == set()


@pytest.mark.parametrize("solver", [Rules(), Expert()], ids=["rules", "expert"])
def test_the_rules_and_the_gold_commands_solve_every_case(solver: Solver) -> None:
    assert unsolved(solver, cases()) == {}


def test_what_is_told_in_words_is_solved_by_its_commands_and_not_by_doing_nothing() -> None:
    told = [case for case in everything() if case.tags["said"] == "words"]
    commands = {f"{case.id}/told": [turn.says for turn in case.turns] for case in cases()}

    class Clerk:
        """Understands what is told."""

        async def solve(self, case: Case, at: Environment, epoch: int) -> Attempt:
            return said(case, at, commands[case.id], "solver")

    assert unsolved(Clerk(), told) == {}
    commands = {id: list[str]() for id in commands}
    assert set(unsolved(Clerk(), told)) == set(commands) & {case.id for case in told}
    assert sum(bool(case.expect.refused) for case in told) * 3 >= len(told)
    assert all(case.by == ("model",) and case.turns == (Turn(case.task),) for case in told)


def test_no_case_is_solved_with_the_opposite_label_or_another_reason() -> None:
    wrong: list[Case] = []
    for case in cases():
        *before, last = case.turns
        labels = [replace(last.expect, refused=not last.expect.refused, reason="")]
        labels += [replace(last.expect, reason="no such words")] if last.expect.refused else []
        for number, label in enumerate(labels):
            wrong.append(replace(case, id=f"{case.id}-{number}", turns=(*before, Turn(last.says, label))))
    assert set(unsolved(Rules(), wrong)) == {case.id for case in wrong}
