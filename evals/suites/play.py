"""Owns the suite *play*: every bundled world's scenarios."""

from __future__ import annotations

from dataclasses import replace

from agents.worlds import Where
from evals.cases import Case
from evals.environment import scenarios_of
from evals.suites import Suite
from kb import library


def cases() -> list[Case]:
    """Ids are `world/scenario`."""
    return [
        replace(case, id=f"{world}/{case.id}")
        for world in sorted(library.worlds())
        for case in scenarios_of(Where.of(world))
    ]


SUITE = Suite("play", "Every world's walkthroughs.", "written with the worlds, Apache-2.0", cases)
