"""Owns the solver that breaks things: a hostile player who says what no rule expects to the system, with a model or without.

It tries to solve nothing: its attempts are solved where nothing crashed, nothing happened outside the rules, and no `never` of the case held. It
must not know scorers.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

from evals.attempts import Attempt
from evals.cases import Case
from evals.environment import PLAYER, Environment
from evals.simulated.players import HostilePlayer
from evals.solvers import Needs, Solver
from evals.solvers.seated import drawn
from evals.solvers.system import System, closing


class Fuzz(System):
    """`System`, to which somebody else talks."""

    def lines(self, case: Case, at: Environment, epoch: int) -> Iterator[str]:
        """What the player says; the state that it looks at is that of the beginning."""
        player, state = HostilePlayer(drawn(case, epoch, self._needs.seed).getrandbits(63)), at.begin(case).state
        for _ in range(case.steps):
            yield player.line(at.session, state, PLAYER)

    async def solve(self, case: Case, at: Environment, epoch: int) -> Attempt:
        """As `System.solve`."""
        return replace(await super().solve(case, at, epoch), turns=(), aimless=True)


@asynccontextmanager
async def opened(needs: Needs) -> AsyncGenerator[Solver]:
    """With a model or without."""
    async with closing(Fuzz(needs)) as solver:
        yield solver
