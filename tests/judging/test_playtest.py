"""Scenarios that a model plays: their judgements and proposals are asked over real HTTP, their checks are the rules'."""

from __future__ import annotations

import json

import pytest
from judging_base import asking

from agents.freeform import Freeform
from agents.judging import Judging
from agents.playtest import run_by_model
from agents.worlds import Where, World
from evals.scripted import Answer, Conversation
from kb.testing import left_to_models, run_scenarios

pytestmark = pytest.mark.anyio


def test_what_only_a_model_can_play_the_rules_leave_alone() -> None:
    world = World.open(Where("ferry"))
    assert [each.id for each in left_to_models(world.rulebook)] == ["a-song"]
    assert "a-song" not in {each.name for each in run_scenarios(world.rulebook)}


@pytest.mark.parametrize(("respect", "passes"), [(1, True), (3, False)])
async def test_a_model_plays_the_scenarios_that_say_so_and_the_checks_hold_or_not(respect: int, passes: bool) -> None:
    def decide(_: Conversation) -> Answer:
        effects = [{"do": "add", "field": "player.respect", "value": respect}]
        return Answer(json.dumps({"say": "A bell, far off.", "effects": effects}))

    async with asking(decide) as (_, _, server, model):
        results = await run_by_model(World.open(Where("ferry")), Judging(model), Freeform(model))
        assert {each.name: each.failure is None for each in results} == {
            "across": True, "too-soon": True, "a-song": passes,
        }  # fmt: skip
        assert len(server.requests) == 1


async def test_the_doormans_scenario_holds_with_a_model_that_finds_everyone_polite() -> None:
    async with asking(lambda _: Answer('{"1": "no"}')) as (_, _, server, model):
        (result,) = await run_by_model(World.open(Where("tavern")), Judging(model), Freeform(model))
        assert (result.name, result.failure) == ("doorman", None)
        assert len(server.requests) == 2
