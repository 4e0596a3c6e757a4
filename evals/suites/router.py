"""Owns the suite *router*: labelled messages, each said first thing in a new game; right is the route."""

from __future__ import annotations

from evals.cases import Case, Expect, Turn
from evals.data import Labelled, messages
from evals.suites import Suite


def cases() -> list[Case]:
    """Ids are `route/NNN`."""
    return [_said(each, number) for number, each in enumerate(messages(), 1)]


def _said(each: Labelled, number: int) -> Case:
    # Where the rules ask back ("Which lamp?"), they took it for something to do.
    route = ("action", "question") if each.route == "action" else (each.route,)
    return Case(
        id=f"{each.route}/{number:03}",
        world=each.world,
        turns=(Turn(each.message),),
        expect=Expect(route=route),
        task=each.message,
        tags={"route": each.route, "source": each.source, "world": each.world},
    )


SUITE = Suite(
    "router",
    "Messages labelled as something to do, small talk, a question, work for a team, or out of scope.",
    "written by evaluators who had not seen the router, Apache-2.0",
    cases,
)
