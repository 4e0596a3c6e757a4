"""Owns the suite *rules*: what three policies allow, what they refuse, and why.

Its cases are the lines of `evals/data/rules/`, whose README says how they were written. It must not know how they are played.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from evals.cases import Case, Turn, read
from evals.data import HERE
from evals.suites import Suite

WORLDS = ("lending-desk", "refund-desk", "tournament")


def cases() -> list[Case]:
    """Ids are `world/name`, and `world/name/side` for what stands at either side of a boundary; with `/mutated` a variation of its
    gold that must be refused, and with `/told` the same in words, for who reads them."""
    lines = [case for world in WORLDS for case in read(HERE / "rules" / f"{world}.jsonl")]
    return [each for line in lines for each in _both(line)]


def _both(line: Case) -> Iterator[Case]:
    """What a line says by command, and where it has a task, in words: they say all that is asked for in one message, so only the
    end counts. What is refused must be refused there for the same reason: whoever does nothing has not refused."""
    yield replace(line, tags={**line.tags, "said": "command"})
    if line.task:
        tags, last = {**line.tags, "said": "words"}, line.turns[-1].expect
        expect = replace(line.expect, refused=True, reason=last.reason) if last.refused else line.expect
        yield replace(line, id=f"{line.id}/told", turns=(Turn(line.task),), by=("model",), expect=expect, tags=tags)


SUITE = Suite(
    "rules",
    "What a library, a refund desk and a tournament allow, what they refuse, and why.",
    "written for this project from the worlds' policies, Apache-2.0",
    cases,
)
