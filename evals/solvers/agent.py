"""Owns the same model behind the referee: the loop and prompt of `bare`, but what it can do is what the rules allow.

It must not know the router: this is a model that chooses actions for a task. docs/evaluators/solvers.md compares it with `bare`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from agents.models import Model, ToolCall
from evals.attempts import Attempt, Step, step_of
from evals.cases import Case
from evals.environment import PLAYER, Environment
from evals.oracle import audit
from evals.solvers import Needs, Solver, SolverError
from evals.solvers.acting import FINISH, PAGES, WORDS, acted, function, prompt
from kb.view import legal, templates, view

ORDER = """You act for the user in this world. A referee, which knows the rules, decides what happens; you choose what is done.
Do what the user asks for with `act`, one command at a time, and finish. What the pages do not allow, or what the referee refuses, cannot be done:
finish then with `refused` and the reason. Commands are written as the world shows them; what stands in <…> is for you to fill in."""
COMMANDS = 40
RULES = "rules"


TOOLS = (
    function("look", "What the player perceives, and commands that are allowed now.", ()),
    function("act", "Says one command.", ("command",), command=WORDS),
    FINISH,
)


class Player:
    """`Hands` that say commands to the referee."""

    tools = TOOLS

    def __init__(self, case: Case, at: Environment):
        self.state, self._dialogue = at.begin(case)
        self._at, self._case, self._said = at, case, 0

    def seen(self) -> str:
        """What the player perceives, and what may be done."""
        perceived = view(self._at.session, self.state, PLAYER)
        told = [f"{name}: {value}" for name, value in perceived.items() if value not in (None, "", [], {})]
        return "\n".join((*told, self._allowed()))

    def hears(self, line: str) -> None:
        """Nothing changes by it."""

    async def does(self, call: ToolCall) -> tuple[Step, str]:
        """A look, or a command that the referee does or refuses."""
        if call.name == "look":
            told = self.seen()
            return Step("look", "", "answered", "solver", lines=tuple(told.splitlines()), hash=self.state.hash), told
        line = str(call.arguments.get("command", ""))
        inputs = self._at.inputs(self._case, self._said)
        said = self._at.session.say(self.state, PLAYER, line, self._dialogue, inputs)
        self.state, self._dialogue, self._said = said.state, said.dialogue, self._said + 1
        step = step_of(line, said, by="solver", route="action", tier=RULES)
        refused = step.status in ("refused", "not-understood")
        return replace(step, attempted=(line,) if refused else ()), f"{step.status}: {said.text}\n{self._allowed()}"

    def ended(self, attempt: Attempt) -> Attempt:
        """Nothing is taken for granted: what the referee is said to have done is replayed."""
        by_rules = [each.tier == RULES for each in attempt.steps]
        return audit(attempt, self._case, self._at, lambda n: self._at.inputs(self._case, sum(by_rules[:n])))

    def _allowed(self) -> str:
        session = self._at.session
        lines = (*legal(session, self.state, PLAYER, COMMANDS), *templates(session, self.state, PLAYER, COMMANDS))
        return f"allowed: {'; '.join(lines)}"


class Agent:
    """Asks a model what to do."""

    def __init__(self, model: Model, pages: int = PAGES):
        self._model, self._pages = model, pages

    async def solve(self, case: Case, at: Environment, epoch: int) -> Attempt:
        return await acted(case, self._model, Player(case, at), prompt(at, ORDER, self._pages))


@asynccontextmanager
async def opened(needs: Needs) -> AsyncGenerator[Solver]:
    """Needs a model."""
    if needs.model is None:
        raise SolverError("`agent` needs a model", "Name one with `--model`.")
    yield Agent(needs.model)
