"""Owns the solver that plays by chance: legal commands, any of them alike; the same seed plays the same.

In place of each thing that a case's user says it does something that is allowed; for a task it does so until the task is done or `steps` are. What
it solves, a case asks of nobody. It must not know scorers.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from evals.attempts import Attempt, Step, step_of
from evals.cases import Case
from evals.environment import PLAYER, Environment, differences
from evals.simulated.players import RandomPlayer
from evals.solvers import Needs, Solver
from evals.solvers.seated import drawn
from kb.referee import State


class Chance:
    """A pure solver. `seed` is the run's."""

    def __init__(self, seed: int):
        self._seed = seed

    async def solve(self, case: Case, at: Environment, epoch: int) -> Attempt:
        """Raises `CaseError`."""
        player = RandomPlayer(drawn(case, epoch, self._seed).getrandbits(63))
        state, dialogue = at.begin(case)
        states, steps = [state], list[Step]()
        while len(steps) < (len(case.turns) or case.steps) and (case.turns or not _done(case, at, state)):
            line = player.line(at.session, state, PLAYER)
            said = at.session.say(state, PLAYER, line, dialogue, at.inputs(case, len(steps)))
            steps.append(step_of(line, said, by="solver", route="action", tier="rules"))
            state, dialogue = said.state, said.dialogue
            states.append(state)
        return Attempt(tuple(steps), tuple(states), tuple(range(1, len(case.turns) + 1)), player=PLAYER)


def _done(case: Case, at: Environment, state: State) -> bool:
    """Whether a task is: what is expected of the state at its end holds. Where nothing is, it is never done."""
    expect = case.expect
    if not expect.check and expect.state != "gold":
        return False
    as_gold = expect.state != "gold" or not differences(at.gold(case).state, state)
    return as_gold and all(at.holds(source, state).holds for source in expect.check)


@asynccontextmanager
async def opened(needs: Needs) -> AsyncGenerator[Solver]:
    """Needs nothing."""
    yield Chance(needs.seed)
