"""What each suite gives to somebody who does nothing and says the same to everything, as docs/evaluators/suites.md tells it."""

import asyncio
import re
from pathlib import Path

import pytest

from evals.attempts import Attempt, Status, Step
from evals.cases import Case
from evals.environment import Environment, environments, where_of
from evals.scoring import to_judge, verdict
from evals.suites import SUITES, suite

PAGE = Path(__file__).parents[2] / "docs/evaluators/suites.md"


class Always:
    """A solver that changes nothing."""

    def __init__(self, status: Status, route: str, answer: str):
        self.step = Step("", answer, status, route=route)

    async def solve(self, case: Case, at: Environment, epoch: int) -> Attempt:
        count = max(1, len(case.turns))
        state = at.begin(case).state
        return Attempt((self.step,) * count, (state,) * (count + 1), tuple(range(1, count + 1)))


SOLVERS = (
    Always("answered", "direct", ""),
    Always("refused", "action", "That is not allowed."),
    Always("question", "question", "Which one?"),
    Always("answered", "knowledge", "No page answers that."),
)


@pytest.mark.parametrize("name", SUITES)
def test_what_doing_nothing_comes_to_is_as_the_page_says(name: str) -> None:
    cases = [case for case in suite(name).cases() if not to_judge(case)]
    places = environments(cases)

    async def share(solver: Always) -> float:
        found = [
            verdict(case, await solver.solve(case, at, 1), at) for case in cases for at in [places[where_of(case)]]
        ]
        return sum(each.solved for each in found) / len(cases)

    shares = [f"{asyncio.run(share(each)):.0%}" for each in SOLVERS]
    (told,) = re.findall(rf"^\| {name}\b[^|]*((?:\| \d+ % )+)\|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [each.replace(" ", "") for each in told.split("|")[1:]] == shares
