"""Owns when expectations are looked at: after each turn that tells some, and at the end.

`moments(case, attempt)`, for scorers. It must not know what is expected.
"""

from __future__ import annotations

from collections.abc import Iterator

from evals.attempts import Attempt, Step
from evals.cases import Case, Expect


class Moment:
    """When an expectation is looked at: the steps of one turn, or of all, and the states before and after."""

    def __init__(self, name: str, expect: Expect, attempt: Attempt, begin: int, end: int):
        self.name, self.expect = name, expect
        self.steps = attempt.steps[begin:end]
        self.before, self.after = attempt.states[begin], attempt.states[end]

    @property
    def last(self) -> Step | None:
        return self.steps[-1] if self.steps else None

    @property
    def answer(self) -> str:
        """All that was answered."""
        return "\n".join(each.answer for each in self.steps)


def moments(case: Case, attempt: Attempt) -> Iterator[Moment]:
    """Each turn that was played, then the whole; of an aimless attempt nothing."""
    if attempt.aimless:
        return
    begin = 0
    for turn, end in zip(case.turns, attempt.turns, strict=False):
        if turn.expect:
            yield Moment(f"after {turn.says!r}", turn.expect, attempt, begin, end)
        begin = end
    yield Moment("at the end", case.expect, attempt, 0, len(attempt.steps))
