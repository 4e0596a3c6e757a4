"""Owns playing scenarios with a model (`by: model`): it judges what turns leave to judgement, and proposes under `freeform`.

`await run_by_model(world, judging, freeform)` gives results as `kb.testing` does. It must not know how they are shown.
"""

from __future__ import annotations

from agents.filled import NOTHING, Filled
from agents.freeform import Freeform
from agents.judging import Judging
from agents.worlds import World
from kb.referee import Asked
from kb.rulebook import Scenario
from kb.session import Said
from kb.testing import PLAYER, Result, Step, played

PRINCIPAL = "scenarios"
"""Whose budget pays."""


async def run_by_model(world: World, judging: Judging, freeform: Freeform) -> list[Result]:
    """Every scenario that a model plays, one after another."""
    return [await _run(world, each, judging, freeform) for each in world.rulebook.scenarios if "model" in each.by]


async def _run(world: World, scenario: Scenario, judging: Judging, freeform: Freeform) -> Result:
    playing, said = played(world.session, scenario), None
    while True:
        try:
            step = playing.send(said)
        except StopIteration as end:
            return end.value
        said = await _said(world, step, judging, freeform)


async def _said(world: World, step: Step, judging: Judging, freeform: Freeform) -> Said:
    def said(filled: Filled) -> Said:
        return filled.said(world.session, step.state, PLAYER, step.line, step.dialogue, step.inputs)

    async def asked(filled: Filled) -> list[Asked]:
        return [each for outcome in said(filled).outcomes for each in outcome.asked]

    by_rules, filled = said(NOTHING), None
    if not by_rules.understood and not by_rules.question:
        filled = await freeform.fill(world, step.state, PLAYER, step.line, PRINCIPAL)
    return said(await judging.judged(asked, filled or NOTHING, step.line, PRINCIPAL))
