"""What the requirements promise of messages holds where evals play whole runs: which way each took, what is kept of it, who is told what."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from agents.worlds import Where
from evals.cases import Case, Expect, Turn
from evals.contenders import contenders
from evals.results import Row
from evals.running import Plan, run
from evals.scripted import Answer, Conversation, serving
from evals.simulated.hour import Clock, Hour, Report
from evals.simulated.knowing import Knowing
from evals.simulated.table import Table, table
from evals.suites import suite
from router import Answered
from router.decisions import distribution
from rulebound.settings import Settings
from storage import TurnRecord
from storage.decisions import Decision

pytestmark = pytest.mark.anyio
WELL_FORMED = 0.95


async def rows(cases: Sequence[Case], out: Path, solver: str, model: str, url: str = "") -> Sequence[Row]:
    """Cases as one contender plays them."""
    settings = Settings(out / "home", model=model if url else "", model_url=f"{url}/v1" if url else "")
    async with contenders([solver], [model], settings, home=out / "home") as found:
        return (await run(Plan("own", tuple(cases)), out, found)).rows


def share(played: Sequence[Row]) -> tuple[float, str]:
    """How many are solved, and in words which are not."""
    unsolved = [f"{row.case}: {row.why}" for row in played if not row.solved]
    solved = 1 - len(unsolved) / len(played)
    return solved, "\n".join([f"{solved:.1%} of {len(played)} are solved", *unsolved])


@pytest.mark.requirement("0.34")
async def test_well_formed_commands_of_every_world_succeed(tmp_path: Path) -> None:
    cases = [each for each in suite("play").cases() if each.tags["kind"] == "scenario" and "rules" in each.by]
    solved, told = share(await rows(cases, tmp_path, "rules", "none"))
    assert len(cases) > 100
    assert solved > WELL_FORMED, told


@pytest.mark.requirement("0.34")
async def test_free_speech_that_a_right_model_reads_as_a_command_succeeds(tmp_path: Path) -> None:
    said = [each for each in suite("play").cases() if each.tags["kind"] == "phrase"][3::10]
    played = await rows(said, tmp_path, "system", "knowing")
    read = [row for row in played if any(step["route"] in ("action", "question") for step in row.steps)]
    (whole, all_told), (solved, told) = share(played), share(read)
    assert len(read) > len(said) / 2
    assert solved > WELL_FORMED, f"of those that were read as commands {told}"
    assert whole > 0.9, f"of all phrases {all_told}"


@pytest.mark.requirement("0.18")
async def test_each_of_the_four_ways_is_gone_with_at_most_one_routing_call(tmp_path: Path) -> None:
    every = suite("router").cases()
    ways = ("direct", "action", "knowledge", "team")
    cases = [each for way in ways for each in [case for case in every if case.tags["route"] == way][::16]]
    found = await rows(cases, tmp_path, "system", "knowing")
    steps = [(row.tags["route"], step) for row in found for step in row.steps]
    taken = Counter(step["route"] for way, step in steps if step["route"] == way)
    assert set(taken) == set(ways), f"ways that were right and taken: {taken}"
    routed = [sum(call["purpose"] == "route" for call in step.get("models", ())) for _, step in steps]
    assert set(routed) == {0, 1}, f"routing calls of a message: {Counter(routed)}"


# --- a run of mixed players

WORLDS = ("cloak", "tavern", "lending-desk")


class Said(NamedTuple):
    """A message of a run, and how it was answered."""

    principal: str
    handle: str
    message: str
    key: str
    answered: Answered


class Ran(NamedTuple):
    """What a run left."""

    said: list[Said]
    report: Report
    decisions: list[Decision]
    tiers: dict[str, float]
    turns: dict[str, list[TurnRecord]]
    """By handle."""
    players: dict[tuple[str, str], str | None]
    """By handle and principal who acts in turns."""


async def ran(home: Path) -> Ran:
    """A quarter of an hour of nine players."""
    knowing, clock, said = Knowing(), Clock(), list[Said]()
    with serving(knowing) as server:
        async with table(home, server.url, clock) as at:
            play = Hour(at.store, at.games, recording(at, said), knowing, clock)
            report = await play.run([Where.of(each) for each in WORLDS], players=9, minutes=15)
            await at.decisions.flush()
            seats = {(each.handle, each.principal): await at.store.seat(each.handle, each.principal) for each in said}
            turns = {handle: list(await at.store.turns(seat.game)) for (handle, _), seat in seats.items()}
            told = await distribution(at.store.decisions, clock)
            kept = list(at.store.decisions.kept)
    return Ran(said, report, kept, told["tiers"], turns, {key: seat.player for key, seat in seats.items()})


def recording(at: Table, said: list[Said]):
    async def say(principal: str, handle: str, message: str, key: str) -> Answered:
        answered = await at.say(principal, handle, message, key)
        said.append(Said(principal, handle, message, key, answered))
        return answered

    return say


@pytest.mark.requirement("0.19", "0.44", "4.23")
async def test_each_message_of_a_run_leaves_how_it_was_answered_and_each_command_its_turn(tmp_path: Path) -> None:
    found = await ran(tmp_path)
    # How each was answered: the way, why, how long until the way was known and until the answer was there.
    assert len(found.decisions) == len(found.said) == found.report.messages > 80
    for decision, (*_, answered) in zip(found.decisions, found.said, strict=True):
        assert (decision.route, decision.tier, decision.reason) == (answered.route, answered.tier, answered.reason)
        assert (decision.calls, decision.cost) == (answered.model_calls, answered.cost)
        assert decision.reason
        assert 0 < decision.routing <= decision.seconds
    # The shares of the tiers are those that were measured.
    counted = Counter(each.answered.tier for each in found.said)
    assert found.tiers == {tier: round(count / len(found.said), 4) for tier, count in counted.items()}, found.tiers
    assert {"rules", "cache", "call"} <= set(found.tiers), found.tiers
    assert found.tiers["rules"] > 0.5 > found.tiers["call"], found.tiers
    # Every command is recorded, by whom and with what came of it and the lines that decided; and nothing else is.
    assert found.report.missed == []
    acted = [each for each in found.said if each.answered.turn is not None]
    assert len(acted) == sum(map(len, found.turns.values())) > 50
    for each in acted:
        (turn,) = (turn for turn in found.turns[each.handle] if turn.key == f"{each.handle}:{each.key}")
        assert (turn.number, turn.text) == (each.answered.turn, each.message)
        assert turn.player == found.players[each.handle, each.principal]
        assert turn.outcome["text"]
        assert turn.hash_before
        assert turn.hash_after
        for action in turn.outcome["actions"]:
            assert action["rule"] or action["reason"]
            assert all(line["at"] and line["text"] for line in action["lines"])
    lines = sum(bool(action["lines"]) for own in found.turns.values() for t in own for action in t.outcome["actions"])
    assert lines > 50


# --- what a model is shown

HOUSE = {
    "world.md": "---\nexperience: house\nuses: [adventure]\nstart: hall\n---\n# House\nA house.\n",
    "hall.md": "---\nplace: hall\nexits: {down: cellar}\n---\n# Hall\nA hall.\n",
    "cellar.md": "---\nplace: cellar\nexits: {up: hall}\n---\n# Cellar\nA cellar.\n",
    "banish.md": '---\nrule: banish\non: banish everybody\nrequires: gm\n---\n# Banishing\n## Then\n- say "Gone."\n',
    "otto.md": "",
    "rita.md": "",
}
PERSON = """---
agent: {name}
in: {place}
may: [say]
state: {{patience: int 0..5 = 5, word: text}}
---
# {title}
Somebody.
## Knows
- `{name}.word`
## Judgement
> Is the player rude to {title}? **yes / no** → `{name}.insulted`. With no model: **no**.
## Then
- when `{name}.insulted == "yes"` → subtract 1 from `{name}.patience`; say "{title} frowns."
"""
WORDS = {"otto": "amethyst", "rita": "basalt"}


@pytest.mark.requirement("0.44")
async def test_no_request_of_a_run_holds_what_its_player_or_its_agent_may_not_know(tmp_path: Path) -> None:
    house = tmp_path / "house"
    house.mkdir()
    for name, text in HOUSE.items():
        (house / name).write_text(text, "utf-8")
    for name, place in (("otto", "hall"), ("rita", "cellar")):
        text = PERSON.format(name=name, title=name.title(), place=place)
        (house / f"{name}.md").write_text(text, "utf-8")
    given = tuple(f'set `{name}.word` to "{word}"' for name, word in WORDS.items())
    lines = ("say good evening", "would you kindly carry me off somewhere", "what is the word of Rita?", "down")
    lines += ("say thank you", "do whatever must be done about everybody here, please", "up", "banish everybody")
    case = Case("walk", str(house), tuple(map(Turn, lines)), Expect(check=("otto.patience == 5",)), given=given)

    def decide(asked: Conversation) -> Answer:
        if asked.schema is None:
            return Answer("Well, well.")
        return Answer.json(dict.fromkeys(asked.schema["properties"], "no"))

    shown: dict[str, list[str]] = {}
    for role in ("player", "gm"):
        with serving(decide) as server:
            cases = [replace(case, id=f"{role}-{number}", role=role) for number in range(2)]
            played = await rows(cases, tmp_path / role, "system", "scripted", server.url)
            assert all(row.solved for row in played), share(played)[1]
            shown[role] = [json.dumps(each.body, ensure_ascii=False) for each in server.requests]
    for request in (*shown["player"], *shown["gm"]):
        for name, word in WORDS.items():
            # Whoever judges for one of them is told that one's word; the storyteller and the other one are not.
            assert (word in request) == (f"rude to {name.title()}" in request), request
    assert all(any(word in request for request in shown["player"]) for word in WORDS.values())
    assert offered(shown["gm"], "banish everybody")
    assert not offered(shown["player"], "banish everybody")


def offered(requests: Sequence[str], command: str) -> bool:
    """Whether a model could choose the command in one of the requests. That there is such a rule, everybody may read."""
    return any(command in json.dumps(json.loads(each).get("tools", ())) for each in requests)
