"""Owns the suite *rules*: what three policies allow, what they refuse, and why.

Its cases are the lines of `evals/data/rules/`, whose README says how they were written. It must not know how they are played.
"""

from __future__ import annotations

from pathlib import Path

from evals import data
from evals.cases import Case, read
from evals.suites import Suite

WORLDS = ("lending-desk", "refund-desk", "tournament")
FOLDER = Path(data.__file__).parent / "rules"


def cases() -> list[Case]:
    """Ids are `world/name`, and `world/name-mutated` for a variation of its gold that must be refused."""
    return [case for world in WORLDS for case in read(FOLDER / f"{world}.jsonl")]


SUITE = Suite(
    "rules",
    "What a library, a refund desk and a tournament allow, what they refuse, and why.",
    "written for this project from the worlds' policies, Apache-2.0",
    cases,
)
