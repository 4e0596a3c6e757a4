"""A regression planted in a prompt, or in what the router learns from, is found by the gate and in the cases that it breaks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from agents.models.client import Client
from agents.models.configuration import Configuration
from agents.models.model import Model
from evals.cases import Case, Expect, Turn
from evals.data import messages, phrases
from evals.environment import PLAYER, environments, where_of
from evals.gate import Baseline, gate
from evals.results import Row
from evals.running import Plan, run
from evals.scripted import Answer, Conversation, serving
from evals.simulated.knowing import calling, canonical
from evals.simulated.table import PRICES
from evals.solvers import Needs, opened
from router import labels, prompt
from router.labels import Labels, load

pytestmark = pytest.mark.anyio
TOOLS = next(line for line in prompt.SYSTEM.splitlines() if "call that tool" in line)
"""The line of the prompt that is lost."""


async def played(cases: Sequence[Case], out: Path, model: Model | None = None) -> list[Row]:
    """What the system makes of the cases."""
    name = f"system:{'reader' if model else 'none'}"
    async with opened("system", Needs(model, out)) as solver:
        return list((await run(Plan("own", tuple(cases), at_once=2), out, {name: (solver, model is not None)})).rows)


class Reader:
    """A model that does what the prompt tells it: it calls a tool where it is told to, and else says something."""

    def __init__(self, meant: dict[str, str]):
        self._meant = meant

    def __call__(self, conversation: Conversation) -> Answer:
        said = conversation.messages[-1].text
        line = next((line for phrase, line in self._meant.items() if phrase in said), "")
        call = calling(line, conversation.parameters) if line and TOOLS in conversation.system else None
        return Answer("", (call,)) if call else Answer("Well said.")


@pytest.mark.requirement("4.52")
async def test_a_regression_planted_in_a_prompt_is_found_in_what_the_model_must_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [each for each in phrases() if each.world == "west-of-house" and each.action][:14]
    right = Expect(state="gold", route=("action",))
    said = [
        Case(
            f"phrase-{number}",
            each.world,
            (Turn(each.message),),
            right,
            gold=(each.action,),
            setup=each.setup,
            task=each.message,
        )
        for number, each in enumerate(free)
    ]
    typed = [
        Case(f"typed-{number}", each.world, (Turn(each.action),), setup=each.setup, gold=(each.action,), expect=right)
        for number, each in enumerate(free[:3])
    ]
    cases = [*said, *typed]
    at = environments(cases)[where_of(cases[0])]
    meant = {
        case.task: canonical(at.session, begun.state, PLAYER, begun.dialogue, case.gold[0])
        for case in said
        if (begun := at.begin(case))
    }
    with serving(Reader(meant)) as server:
        async with Client(Configuration.one(url=f"{server.url}/v1", model="reader", prices=PRICES)) as client:
            before = await played(cases, tmp_path / "before", client)
            monkeypatch.setattr(prompt, "SYSTEM", prompt.SYSTEM.replace(TOOLS, ""))
            after = await played(cases, tmp_path / "after", client)
    verdict = gate(Baseline.of(before), after)
    assert not verdict.passed
    by_a_call = {row.case for row in before if row.solved and row.figures["calls"]}
    assert len(by_a_call) >= 8
    assert {each.case for each in verdict.judged[0].cases} == by_a_call


@pytest.mark.requirement("4.52")
async def test_a_regression_planted_in_what_the_router_learns_from_is_found_in_the_route_that_it_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody mixes up the headings of two routes on the page of examples."""
    told = [each for each in messages() if each.world == "tavern"]
    cases = [
        Case(f"{each.route}/{number}", each.world, (Turn(each.message),), Expect(route=(each.route,)))
        for route in ("direct", "knowledge", "team")
        for number, each in enumerate([each for each in told if each.route == route][:6])
    ]
    Labels.shipped().of("Hello!")  # which learns; until then the router has no labels
    before = await played(cases, tmp_path / "before")
    text = Path(labels.__file__).with_name("examples.md").read_text("utf-8")
    mixed = (
        text.replace("\n## team\n", "\n## ?\n").replace("\n## help\n", "\n## team\n").replace("\n## ?\n", "\n## help\n")
    )
    (tmp_path / "examples.md").write_text(mixed, "utf-8")
    worse = Labels(load(tmp_path / "examples.md"))
    worse.of("Hello!")
    monkeypatch.setattr(Labels, "shipped", staticmethod(lambda: worse))
    verdict = gate(Baseline.of(before), await played(cases, tmp_path / "after"))
    assert not verdict.passed
    teams = {row.case for row in before if row.solved and row.case.startswith("team/")}
    assert len(teams) >= 4
    assert {each.case for each in verdict.judged[0].cases} == teams
