"""Owns the suite *memory*: what people and rules still know many turns after it was told, changed, promised or kept from them.

A story of evals/data/memory.jsonl says where turns pass (`{"pass": 50}`) and where there is other talk (`{"talk": "Tobin", "times": 25}`);
both are drawn here, the same for the same story. What the rows are: evals/data/README.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from evals.cases import Case, Expect, Turn
from evals.data import HERE
from evals.suites import Suite

PASSING = {
    "ferry": ("look", "inventory", "read post", "examine net", "examine bread", "help", "score"),
    "tavern": ("status", "menu", "jobs", "quests", "score", "help", "inventory"),
    "wylding-woods": ("look", "nearby", "quests", "inventory", "help", "score"),
}
"""By world, what can be said in any place of it, changes nothing and is said to nobody."""
TALK = (
    "what do you think of the weather?",
    "how was the harvest?",
    "do you sleep well these days?",
    "what makes a good soup?",
    "have you seen the stars lately?",
    "what would you do with a free day?",
    "how long is the road to the coast?",
    "do you care for music?",
    "is it always so quiet at this hour?",
    "what is the finest thing about winter?",
)


def cases() -> list[Case]:
    """Ids are `world/story`."""
    rows = (json.loads(line) for line in (HERE / "memory.jsonl").read_text("utf-8").splitlines())
    return [_case(row) for row in rows]


def _case(row: dict[str, Any]) -> Case:
    world, id = row["world"], f"{row['world']}/{row['story']}"
    drawn = Random(id)
    return Case(
        id,
        world,
        tuple(turn for told in row["turns"] for turn in _turns(told, world, drawn)),
        given=tuple(row.get("given", ())),
        by=tuple(row["by"]),
        tags={"world": world, "kind": row["kind"], "asked": row["asked"]},
    )


def _turns(told: str | dict[str, Any], world: str, drawn: Random) -> Iterator[Turn]:
    if isinstance(told, str):
        yield Turn(told)
    elif "pass" in told:
        for _ in range(told["pass"]):
            yield Turn(drawn.choice(PASSING[world]))
    elif "talk" in told:
        for number in range(told["times"]):
            yield Turn(f"{told['talk']}, {TALK[number % len(TALK)]}")
    else:
        expect: dict[str, Any] = dict(told["expect"])
        for name in expect.keys() & {"check", "says", "silent"}:
            expect[name] = tuple(expect[name])
        yield Turn(told["says"], Expect(**expect))


SUITE = Suite(
    "memory",
    "What was told, changed, promised or kept secret fifty turns ago.",
    "written by us, Apache-2.0; the turns between are drawn with a fixed seed",
    cases,
)
