"""Owns what a case's attempt is worth: whether each expectation is met, and figures about how it was played.

`verdict(case, attempt, environment)` asks every scorer. It must not know solvers or reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from evals.attempts import Attempt
from evals.cases import Case
from evals.environment import Environment
from storage.records import Json

if TYPE_CHECKING:
    from evals.scoring.judge import Verdicts


@dataclass(frozen=True, slots=True)
class Checked:
    """One expectation: its kind, what it says, whether it is met, and if not, why; `lines` decided (`path:line kind: text`)."""

    kind: str
    what: str
    met: bool
    why: str = ""
    lines: tuple[str, ...] = ()

    def as_data(self) -> Json:
        """Only what is not empty."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) not in ("", ())}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A case is solved where it was played to the end, a model that was asked answered, and every expectation is met."""

    solved: bool
    checks: tuple[Checked, ...]
    figures: dict[str, float]
    """By name: `calls`, `cost`, `steps`, `illegal_attempted`, …"""
    error: str = ""


class Scorer(Protocol):
    """Looks at one attempt. `expectations` only those that the case tells; `figures` always."""

    def expectations(self, case: Case, attempt: Attempt, at: Environment) -> Sequence[Checked]: ...
    def figures(self, case: Case, attempt: Attempt, at: Environment) -> dict[str, float]: ...


def to_judge(case: Case) -> list[str]:
    """What of a case only a model can judge."""
    return [each.judge for each in (*(turn.expect for turn in case.turns), case.expect) if each.judge]


def verdict(
    case: Case,
    attempt: Attempt,
    at: Environment,
    scorers: Sequence[Scorer] | None = None,
    judged: Verdicts | None = None,
) -> Verdict:
    """What all scorers find, and what a judge has found already. What no judge was asked about is not met."""
    from evals.scoring.scorers import SCORERS

    if not attempt.states:
        return Verdict(False, (), {}, attempt.error or "it never began")
    checks: list[Checked] = []
    figures: dict[str, float] = {}
    for scorer in scorers or SCORERS:
        checks += scorer.expectations(case, attempt, at)
        figures |= scorer.figures(case, attempt, at)
    if judged is not None:
        checks += judged.checks
        figures |= judged.figures
    else:
        checks += [Checked("judge", each, False, "no judge was asked") for each in to_judge(case)]
    error = attempt.error or _unanswered(attempt)
    solved = not error and all(each.met for each in checks)
    return Verdict(solved, tuple(checks), figures | dict(attempt.extra), error)


def _unanswered(attempt: Attempt) -> str:
    """Why what came is nothing of the model's: it was asked and answered nothing, and a fallback spoke. An answer in a wrong form
    (`invalid`) is one, and what embeds may be another model."""
    calls = [each for step in attempt.steps for each in step.models if each.get("purpose") != "embed"]
    failed = [each["failed"] for each in calls if each.get("failed", "invalid") != "invalid"]
    return f"the model gave no answer: {failed[0]}" if calls and len(failed) == len(calls) else ""
