"""Owns the suite *knowledge*: questions over the bundled worlds with the sections that answer them, and questions with no answer.

What the rows are, and how they were written: evals/data/README.md.
"""

from __future__ import annotations

from evals.cases import Case, read
from evals.data import HERE
from evals.suites import Suite


def cases() -> list[Case]:
    """Ids are `world/words-of-the-question`."""
    return read(HERE / "knowledge.jsonl")


SUITE = Suite(
    "knowledge",
    "Questions with the sections that answer them, and questions that no page answers.",
    "written by us, Apache-2.0",
    cases,
)
