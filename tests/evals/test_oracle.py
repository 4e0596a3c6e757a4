"""The oracle: what no legal action makes is illegal, what one makes is not, and an attempt that cheats is found."""

from dataclasses import replace

import pytest

from agents.worlds import Where
from evals.attempts import Attempt
from evals.cases import Case
from evals.environment import PLAYER, Environment, environments, scenarios_of
from evals.oracle import Follower, Oracle, audit
from evals.solvers.rules import played
from kb.referee import State

LEND = Case("lend", "lending-desk", task="lend First Snow to Ida", gold=("lend first snow to ida",))
DARK = Case("dark", "cloak")


@pytest.fixture(scope="module")
def desk() -> Environment:
    return next(iter(environments([LEND]).values()))


@pytest.fixture(scope="module")
def cloak() -> Environment:
    return next(iter(environments([DARK]).values()))


def written(at: Environment, state: State, *writes: tuple[str, str, object]) -> State:
    turn = at.session.referee.frame(state, PLAYER)
    for id, field, value in writes:
        turn.write(id, field, value, "a test")
    return turn.finish()


def illegal(at: Environment, case: Case, *writes: tuple[str, str, object], said: tuple[str, ...] = ()) -> list[str]:
    state = at.begin(case).state
    return Oracle(at.session, PLAYER).illegal(state, written(at, state, *writes), at.inputs(case, 0), said)


def test_what_a_legal_action_makes_is_legal(cloak: Environment) -> None:
    assert illegal(cloak, DARK, (PLAYER, "location", "cloakroom"), (PLAYER, "visited", ("foyer", "cloakroom"))) == []


def test_a_part_of_a_legal_action_is_legal(cloak: Environment) -> None:
    assert illegal(cloak, DARK, (PLAYER, "location", "cloakroom")) == []


def test_a_change_that_no_action_makes_is_named(cloak: Environment) -> None:
    assert illegal(cloak, DARK, (PLAYER, "score", 2)) == ["player.score: 0 → 2"]


def test_changes_of_two_actions_are_not_one(cloak: Environment) -> None:
    [told] = illegal(
        cloak, DARK, (PLAYER, "location", "cloakroom"), (PLAYER, "location", "bar"), ("cloak", "worn", False)
    )
    assert "no one action" in told or "cloak" in told


def test_values_that_only_the_user_knows_are_found_in_what_was_written(desk: Environment) -> None:
    assert illegal(desk, LEND, ("l-1", "open", False)) == [], "returning l-1 has its arguments in JSON"
    assert illegal(desk, LEND, ("ben", "owes", 0.0)) == ["ben.owes: 12.5 → 0.0"]
    pay = 'pay {"member": "ben", "payments": [{"method": "card", "amount": 12.5}]}'
    assert illegal(desk, LEND, ("ben", "owes", 0.0), said=(pay,)) == []


def test_writes_one_by_one_are_a_legal_action_when_all_of_it_is_there(cloak: Environment) -> None:
    follower = Follower(cloak, PLAYER, cloak.begin(DARK).state, lambda number: cloak.inputs(DARK, number))
    assert follower.wrote(written(cloak, follower.state, (PLAYER, "location", "cloakroom"))) == []
    assert follower.done == 0
    assert follower.wrote(written(cloak, follower.state, (PLAYER, "visited", ("foyer", "cloakroom")))) == []
    assert (follower.done, follower.half_done) == (1, [])
    assert follower.state.rows[PLAYER]["turns"] == 1, "what passes by itself is as the rules have it"
    assert follower.wrote(written(cloak, follower.state, (PLAYER, "score", 2))) == ["player.score: 0 → 2"]


def test_what_was_begun_and_left_is_half_done_and_not_illegal(cloak: Environment) -> None:
    follower = Follower(cloak, PLAYER, cloak.begin(DARK).state, lambda number: cloak.inputs(DARK, number))
    assert follower.wrote(written(cloak, follower.state, (PLAYER, "location", "cloakroom"))) == []
    follower.rest()
    assert follower.done == 0
    assert follower.half_done == ["player.location: 'foyer' → 'cloakroom'"]


def test_a_consequence_without_its_cause_is_half_done(cloak: Environment) -> None:
    at_hook = replace(DARK, id="at-hook", setup=("west",))
    follower = Follower(cloak, PLAYER, cloak.begin(at_hook).state, lambda number: cloak.inputs(DARK, number))
    assert follower.wrote(written(cloak, follower.state, (PLAYER, "score", 1))) == []
    follower.rest()
    assert follower.half_done == ["player.score: 0 → 1"]


def attempts(world: str) -> list[tuple[Case, Attempt, Environment]]:
    cases = [each for each in scenarios_of(Where.of(world)) if "rules" in each.by]
    at = next(iter(environments(cases).values()))
    return [(case, played(case, at, [each.says for each in case.turns], "user"), at) for case in cases]


@pytest.mark.parametrize("world", ["cloak", "lending-desk", "tavern", "wylding-woods"])
def test_an_audit_has_nothing_against_what_the_referee_did(world: str) -> None:
    for case, attempt, at in attempts(world):
        assert [each.executed for each in audit(attempt, case, at).steps] == [()] * len(attempt.steps), case.id


def test_an_audit_finds_a_state_that_the_actions_do_not_lead_to() -> None:
    for case, attempt, at in attempts("cloak"):
        cheated = written(at, attempt.final, (PLAYER, "score", 77))
        audited = audit(replace(attempt, states=(*attempt.states[:-1], cheated)), case, at)
        assert [each for step in audited.steps for each in step.executed] == [
            f"player.score: {attempt.final.rows[PLAYER]['score']} → 77"
        ]
