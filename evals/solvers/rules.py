"""Owns playing a case's turns by the rules alone: what the user says is a command, or is not understood."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Literal

from evals.attempts import Attempt, Step, step_of
from evals.cases import Case
from evals.environment import PLAYER, Environment
from evals.solvers import Needs, Solver
from kb.referee import State


class Rules:
    """A pure solver: the same case gives the same attempt."""

    async def solve(self, case: Case, at: Environment, epoch: int) -> Attempt:
        return played(case, at, [turn.says for turn in case.turns], "user")


def played(case: Case, at: Environment, lines: Sequence[str], by: Literal["user", "solver"]) -> Attempt:
    """The attempt of saying these lines, one after the other. Raises `CaseError`."""
    state, dialogue = at.begin(case)
    states: list[State] = [state]
    steps: list[Step] = []
    for number, line in enumerate(lines):
        said = at.session.say(state, PLAYER, line, dialogue, at.inputs(case, number))
        route = "action" if said.understood else "question" if said.question else "help"
        steps.append(step_of(line, said, by=by, route=route, tier="rules"))
        state, dialogue = said.state, said.dialogue
        states.append(state)
    return Attempt(tuple(steps), tuple(states), tuple(range(1, len(lines) + 1)), player=PLAYER)


@asynccontextmanager
async def opened(needs: Needs) -> AsyncGenerator[Solver]:
    """Needs nothing."""
    yield Rules()
