"""Owns playing a case's gold commands: what a case can at best come to, and a test of the case itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from evals.attempts import Attempt
from evals.cases import Case
from evals.environment import Environment
from evals.solvers import Needs, Solver
from evals.solvers.rules import played


class Expert:
    """A pure solver."""

    async def solve(self, case: Case, at: Environment, epoch: int) -> Attempt:
        return played(case, at, case.gold, "solver")


@asynccontextmanager
async def opened(needs: Needs) -> AsyncGenerator[Solver]:
    """Needs nothing."""
    yield Expert()
