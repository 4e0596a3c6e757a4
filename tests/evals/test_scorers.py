"""Each expectation is met by what meets it and by nothing else, and what is unmet says why, with the lines that decided."""

import asyncio
from dataclasses import replace

import pytest

from evals.attempts import Attempt, Step
from evals.cases import Case, Expect, Turn
from evals.environment import Environment, environments, where_of
from evals.scoring import Verdict, verdict
from evals.solvers.rules import Rules

WEST = ("west", "hang cloak on hook")
STEP = Step(
    "hello",
    "Hello to you.",
    "answered",
    route="direct",
    tier="call",
    models=({"model": "m", "cost": 0.5, "input_tokens": 7},),
)


def played(case: Case) -> tuple[Attempt, Environment]:
    at = environments([case])[where_of(case)]
    return asyncio.run(Rules().solve(case, at, 1)), at


def scored(expect: Expect, *lines: str, **more: object) -> Verdict:
    case = replace(Case("x", "cloak", tuple(Turn(line) for line in lines or WEST), expect, gold=WEST), **more)  # type: ignore[arg-type]
    attempt, at = played(case)
    return verdict(case, attempt, at)


def told(expect: Expect, step: Step = STEP) -> Verdict:
    """What is found of a single step that changed nothing."""
    case = Case("x", "cloak", (Turn(step.says),), expect)
    at = environments([case])[where_of(case)]
    state = at.begin(case).state
    return verdict(case, Attempt((step,), (state, state), (1,)), at)


@pytest.mark.parametrize(
    ("expect", "lines", "solved"),
    [
        (Expect(check=("cloak.location == hook",)), WEST, True),
        (Expect(check=("cloak.location == hook", "room == bar")), WEST, False),
        (Expect(state="gold"), WEST, True),
        (Expect(state="gold"), ("look", *WEST, "look"), True),  # how long it took does not count
        (Expect(state="gold"), ("west",), False),
        (Expect(state="gold"), (*WEST, "east", "south"), False),  # and more than gold is not gold
        (Expect(state="unchanged"), ("north", "look"), True),
        (Expect(state="unchanged"), ("west",), False),
        (Expect(refused=True), ("west", "take hook"), True),
        (Expect(refused=True), ("dance on the chandelier",), True),
        (Expect(refused=True), ("west",), False),
        (Expect(refused=False), ("west",), True),
        (Expect(refused=False), ("west", "take hook"), False),
        (Expect(reason="best place"), ("drop cloak",), True),  # what it says
        (Expect(reason="item.fixed"), ("west", "take hook"), True),  # why
        (Expect(reason="shared/adventure/take.md"), ("west", "take hook"), True),  # by which page
        (Expect(reason="item.fixed"), ("drop cloak",), False),
        (Expect(question=True), ("examine",), True),
        (Expect(question=True), ("west",), False),
        (Expect(question=False), ("west",), True),
        (Expect(route=("action",)), ("west",), True),
        (Expect(route=("knowledge", "help")), ("west",), False),
        (Expect(calls=0), ("west",), True),
        (Expect(says=("hooks; only one",)), ("west",), True),
        (Expect(says=("HOOKS",)), ("west",), True),
        (Expect(says=("hooks.+east",)), ("west",), True),
        (Expect(says=("gold",)), ("west",), False),
        (Expect(silent=("gold",)), ("west",), True),
        (Expect(silent=("hooks",)), ("west",), False),
    ],
)
def test_an_expectation_is_met_by_what_meets_it_alone(expect: Expect, lines: tuple[str, ...], solved: bool) -> None:
    found = scored(expect, *lines)
    assert found.solved is solved
    assert all(each.met or each.why for each in found.checks)
    assert any(not each.met for each in found.checks) is not solved


def test_a_refusal_names_the_rule_and_the_lines_that_decided() -> None:
    found = scored(Expect(refused=False), "west", "take hook")
    (unmet,) = [each for each in found.checks if not each.met]
    assert unmet.why.startswith("it is refused: ")
    assert any(line.startswith("shared/adventure/take.md:") for line in unmet.lines), unmet.lines
    assert scored(Expect(reason="take"), "west", "take hook").solved, "the rule's id"


def test_what_must_never_hold_is_looked_for_after_every_step() -> None:
    never = ("room == bar",)
    assert scored(Expect(), "west", "east", never=never).solved
    found = scored(Expect(), "south", "north", never=never)
    assert [each.why for each in found.checks if not each.met] == ["`room == bar` holds after step 1"]


def test_a_turn_has_expectations_of_its_own() -> None:
    turns = (Turn("west", Expect(check=("room == cloakroom",))), Turn("east", Expect(check=("room == cloakroom",))))
    case = Case("x", "cloak", turns)
    attempt, at = played(case)
    found = verdict(case, attempt, at)
    assert [(each.what, each.met) for each in found.checks] == [
        ("room == cloakroom after 'west'", True),
        ("room == cloakroom after 'east'", False),
    ]


def test_calls_and_their_cost_are_counted_and_bounded() -> None:
    found = told(Expect(calls=1, route=("direct",)))
    assert found.solved
    assert (found.figures["calls"], found.figures["cost"], found.figures["input_tokens"]) == (1, 0.5, 7)
    assert not told(Expect(calls=0)).solved
    assert not told(Expect(route=("action",))).solved


def test_what_happened_outside_the_rules_is_never_solved() -> None:
    found = told(Expect(), replace(STEP, executed=("player.score is 100",), attempted=("player.score is 100", "win")))
    assert not found.solved
    assert (found.figures["illegal_attempted"], found.figures["illegal_executed"]) == (2, 1)
    assert told(Expect(), replace(STEP, attempted=("win",))).solved, "trying is counted, and harms nobody"


def test_what_could_not_be_played_to_the_end_is_not_solved() -> None:
    case = Case("x", "cloak", (Turn("west"),))
    attempt, at = played(case)
    assert verdict(case, attempt, at).solved
    assert not verdict(case, replace(attempt, error="the model went away"), at).solved
    assert not verdict(case, Attempt((), (), error="it never began"), at).solved


@pytest.mark.parametrize(
    ("lines", "solved"),
    [(("examine cloak",), True), (("look", "x cloak"), True), (("look",), False), (("examine me",), False)],
)
def test_where_gold_changes_nothing_it_must_have_been_done(lines: tuple[str, ...], solved: bool) -> None:
    found = scored(Expect(state="gold"), *lines, gold=("examine cloak",))
    assert found.solved is solved
    assert solved or "was not done" in found.checks[0].why


def test_words_that_are_said_need_not_be_the_very_same() -> None:
    assert scored(Expect(state="gold"), "say hello there", gold=("say hello",)).solved
