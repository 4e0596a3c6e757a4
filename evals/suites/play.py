"""Owns the suite *play*: every bundled world's scenarios, and free speech with the right action or the right question."""

from __future__ import annotations

from dataclasses import replace

from agents.worlds import Where
from evals.cases import Case, Expect, Turn
from evals.data import Phrase, phrases
from evals.environment import scenarios_of
from evals.suites import Suite
from kb import library


def cases() -> list[Case]:
    """Ids are `world/scenario` and `world/phrase-NNN`."""
    walked = [
        replace(case, id=f"{world}/{case.id}")
        for world in sorted(library.worlds())
        for case in scenarios_of(Where.of(world))
    ]
    return [*walked, *(_said(each, number) for number, each in enumerate(phrases(), 1))]


def _said(phrase: Phrase, number: int) -> Case:
    """Right is the state that the action leads to; or that nothing is done, and it asks back or answers."""
    expect = Expect(
        state="gold" if phrase.action else "unchanged",
        question=phrase.question or None,
        route=() if phrase.action or phrase.question else (phrase.route,),
    )
    return Case(
        id=f"{phrase.world}/phrase-{number:03}",
        world=phrase.world,
        turns=(Turn(phrase.message),),
        expect=expect,
        task=phrase.message,
        gold=(phrase.action,) if phrase.action else (),
        setup=phrase.setup,
        tags={"world": phrase.world, "kind": "phrase", "right": phrase.route},
    )


SUITE = Suite(
    "play",
    "Every world's walkthroughs, and free speech labelled with the right action or the right question.",
    "written for the worlds and by evaluators who had not seen the router, Apache-2.0",
    cases,
)
