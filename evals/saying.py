"""Owns what is being said in an attempt: which turn of which case, and the game as it is then.

A solver sets `SAYING` before each message; models that are told what is right (`evals.contenders`) read it. It must not know solvers.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from evals.cases import Case, Expect
from evals.environment import Environment
from kb.referee import State
from kb.understand import Dialogue


@dataclass(frozen=True, slots=True)
class Saying:
    """One message, before it is answered. `number` counts a case's turns from 0."""

    case: Case
    number: int
    at: Environment
    state: State
    dialogue: Dialogue

    @property
    def gold(self) -> str:
        """The command that it means; "": none is told for it."""
        if len(self.case.gold) == len(self.case.turns) > self.number:
            return self.case.gold[self.number]
        return self.case.gold[0] if self.case.gold and self.number == 0 else ""

    @property
    def route(self) -> str:
        """The route that is right (`router.Route`)."""
        expect = self.case.turns[self.number].expect if self.number < len(self.case.turns) else Expect()
        told = expect.route or (self.case.expect.route if len(self.case.turns) == 1 else ())
        if told:
            return told[0]
        if expect.question or (self.case.expect.question and len(self.case.turns) == 1):
            return "question"
        if expect.cites or expect.cites_any or expect.declines is not None:
            return "knowledge"
        return "action" if self.gold else "direct"


SAYING: ContextVar[Saying | None] = ContextVar("SAYING", default=None)
"""In the context of an attempt."""
