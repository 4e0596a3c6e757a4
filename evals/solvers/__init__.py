"""Owns who plays cases: the system as it is, single paths of it, a bare model, clients from outside, experts and fuzzers.

`async with opened("rules", …) as solver: await solver.solve(case, environment, epoch)`. It must not know scorers.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from agents.models.model import Model
from evals.attempts import Attempt
from evals.cases import Case
from evals.environment import Environment
from kb.suggest import suggest


class SolverError(Exception):
    """There is no such solver, or it lacks what it needs: `args[0]` says what, `hint` what to do."""

    def __init__(self, message: str, hint: str = "See docs/evaluators/solvers.md."):
        super().__init__(message)
        self.hint = hint


class Solver(Protocol):
    """Plays cases, many at once. It raises nothing because of a case or a model: an attempt's `error` says what went wrong."""

    async def solve(self, case: Case, at: Environment, epoch: int) -> Attempt: ...


@dataclass(frozen=True, slots=True)
class Needs:
    """What a solver may use. `seed` is the run's; `home` a folder of the run's own that goes with it."""

    model: Model | None
    home: Path
    seed: int = 0
    revision: str | None = None


Open = Callable[[Needs], AbstractAsyncContextManager[Solver]]

SOLVERS: dict[str, tuple[str, str]] = {
    "rules": ("evals.solvers.rules", "the rules alone: no router, no model"),
    "expert": ("evals.solvers.expert", "plays each case's gold commands"),
    "system": ("evals.solvers.system", "the router as it is, with a model or without"),
    "bare": ("evals.solvers.bare", "a model with tools on the state, the rules as pages, and no referee"),
    "random": ("evals.solvers.chance", "a legal player by chance: what a case comes to without understanding"),
    "fuzz": ("evals.solvers.fuzz", "a hostile player against the system: only what must never be counts"),
    "path-speech": ("evals.solvers.paths:speech", "every message is read by the model's one call"),
    "path-direct": ("evals.solvers.paths:direct", "every message is answered in the model's own words"),
    "path-knowledge": ("evals.solvers.paths:knowledge", "every message is a question to the pages, for a decision"),
    "path-validate": ("evals.solvers.paths:validate", "every message is a statement that the pages bear out or not"),
    "path-synthesise": ("evals.solvers.paths:synthesise", "every message is a subject that pages tell of"),
    "path-team": ("evals.solvers.paths:team", "every message is work for a team"),
    "path-freeform": (
        "evals.solvers.paths:freeform",
        "for every message a model proposes effects, where a world is free",
    ),
    "agent": ("evals.solvers.agent", "the same model, prompt and loop as `bare`, behind the referee"),
    "client": (
        "evals.solvers.client",
        "an MCP client from outside: plays gold, or a model does, on a server of its own",
    ),
}
"""By name: the module, whose `opened` (or what is named after a colon) it is, and what it does."""
MODELLESS = frozenset({"rules", "expert", "random"})
"""Those that ask no model."""


@asynccontextmanager
async def opened(name: str, needs: Needs) -> AsyncGenerator[Solver]:
    """A solver, ready. Raises `SolverError`."""
    if name not in SOLVERS:
        raise SolverError(f"There is no solver {name!r}", suggest(name, SOLVERS) or f"There are {', '.join(SOLVERS)}.")
    module, _, attribute = SOLVERS[name][0].partition(":")
    open_: Open = getattr(import_module(module), attribute or "opened")
    async with open_(needs) as solver:
        yield solver
