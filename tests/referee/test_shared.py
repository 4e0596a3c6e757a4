"""Worlds that players share: what reaches whom, what is whose, who comes and goes, time for all."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kb.referee import Action, Inputs, WorldIsFull
from kb.referee.parts import changed
from kb.session import Session
from kb.understand import Dialogue
from kb.view import view

WORLD = """
=== world.md
---
experience: square
start: hall
world: shared
players: 3
clock: real
---
# The square
=== player.md
---
kind: player
---
## State
| Field | Type | Start | Meaning |
|---|---|---|---|
| mana | int 0..10 | 1 | |
=== kind.md
---
kind: world
---
## State
| Field | Type | Start | Meaning |
|---|---|---|---|
| bells | int | | |
| open | yes/no | | |
=== pouch.md
---
item: pouch
in: player
---
# Pouch
=== shout.md
---
rule: shout
on: shout <text>
---
## Then
- tell others "{player} shouts {text}."
- tell `room` "An echo."
=== bell.md
---
rule: bell
every: 1 hour
---
## Then
- add 1 to `world.bells`
- emit rung
=== rung.md
---
rule: rung
on: event rung
---
## Then
- say "{player} hears a bell."
=== tire.md
---
rule: tire
every: 2 hours
---
## Then
- subtract 1 from `player.mana`
=== open.md
---
rule: open
on: open
---
## Then
- set `world.open` to yes
=== plan.md
---
rule: plan
on: plan
---
## Then
- schedule later in 30 minutes
=== later.md
---
rule: later
on: event later
---
## Then
- say "It is time, {player}."
=== close.md
---
rule: close
on: event later
---
## Then
- set `world.open` to no
=== watch.md
---
workflow: watch
begin: yes
---
# A watch
## 1. Wait
- Wait until `world.open`
- Then say "Open at last, {player}."
- Wait until `world.hour >= 12`
- End: "Noon, {player}."
"""


@pytest.fixture
def play(world):
    play = world(WORLD)
    play.state = play.referee.join(play.state, "bob", "Bob")
    return play


def said(outcome):
    return [(message.to, message.text) for message in outcome.messages]


def tick(play, **later):
    outcome = play.referee.tick(play.state, Inputs(play.rulebook.settings.begins + timedelta(**later)))
    assert outcome.status == "done", outcome.reason
    play.state = outcome.state
    return outcome


@pytest.mark.requirement("0.35")
def test_what_is_told_to_others_reaches_the_room_but_not_who_acts(play):
    play.state = play.referee.join(play.state, "cy", "Cy")
    play.do("go <direction>", by="cy", direction="down")
    assert said(play.do("shout <text>", by="bob", text="hey")) == [
        ("ann", "Bob shouts hey."),
        ("ann", "An echo."),
        ("bob", "An echo."),
    ]


@pytest.mark.requirement("0.35")
def test_what_a_player_has_done_is_theirs_alone(play):
    play.do("go <direction>", direction="down")
    assert play.get("ann", "visited") == ("hall", "cellar")
    assert play.get("bob", "visited") == ("hall",)
    assert play.state.own["ann"] is not play.state.own["bob"]


@pytest.mark.requirement("0.45")
def test_a_full_world_says_so_and_takes_the_next_when_someone_has_left(play):
    state = play.referee.join(play.state, "cy", "Cy")
    with pytest.raises(WorldIsFull, match="3 players are in it") as error:
        play.referee.join(state, "dan", "Dan")
    assert "players:" in error.value.hint
    assert "dan" in play.referee.join(play.referee.leave(state, "ann"), "dan").rows


@pytest.mark.requirement("0.35")
def test_who_leaves_takes_their_own_along_and_leaves_what_is_the_worlds(play):
    play.do("take <item>", by="bob", item="lamp")
    play.do("take <item>", item="pouch@bob")
    play.state = play.referee.leave(play.state, "bob")
    assert "bob" not in play.state.rows
    assert play.get("lamp", "location") == "hall"
    assert play.get("pouch@bob", "location") == "ann"
    assert "bob" not in play.state.own
    play.state = play.referee.leave(play.state, "ann")
    assert play.state.players == ()
    assert not any("pouch" in id for id in play.state.rows)


def test_who_comes_back_starts_anew_without_what_they_gave_away(play):
    play.do("take <item>", item="pouch@bob")
    play.state = play.referee.join(play.referee.leave(play.state, "bob"), "bob", "Bob")
    assert play.derived("bob", "inventory") == ()
    assert play.get("pouch@bob", "location") == "ann"


def test_a_player_who_is_not_there_cannot_leave(play):
    with pytest.raises(ValueError, match="no player 'lamp'"):
        play.referee.leave(play.state, "lamp")


def test_coming_and_going_changes_the_parts_of_that_player_only(play):
    state = play.referee.join(play.state, "cy", "Cy")
    assert set(changed(play.state, state)) == {"cy", "pouch@cy"}
    assert changed(state, play.referee.leave(state, "cy")) == {"cy": None, "pouch@cy": None}
    assert play.referee.leave(state, "cy").hash == play.state.hash


@pytest.mark.requirement("0.35")
def test_timed_rules_run_once_for_the_world_and_what_concerns_players_for_each(play):
    tick(play)
    outcome = tick(play, hours=1)
    assert play.get("world", "bells") == 1
    assert said(outcome) == [("ann", "Ann hears a bell."), ("bob", "Bob hears a bell.")]


def test_what_time_cannot_do_to_one_player_it_does_to_the_others_and_the_trace_says_so(play):
    tick(play)
    tick(play, hours=2)
    assert (play.get("ann", "mana"), play.get("bob", "mana")) == (0, 0)
    play.state = play.referee.join(play.state, "cy", "Cy")
    outcome = tick(play, hours=4)
    assert [play.get(each, "mana") for each in ("ann", "bob", "cy")] == [0, 0, 0]
    assert play.get("world", "bells") == 4
    lines = [line.text for line in outcome.trace if line.kind == "rule" and line.value is False]
    assert len(lines) == 2
    assert lines[0].startswith("tire was not done: ")


def test_what_someone_planned_who_has_left_happens_to_nobody(play):
    play.do("open")
    play.do("plan", by="bob")
    play.state = play.referee.leave(play.state, "bob")
    outcome = tick(play, minutes=30)
    assert ("ann", "It is time, Ann.") not in said(outcome)
    assert play.get("world", "open") is False


@pytest.mark.requirement("0.35")
def test_a_waiting_workflow_of_each_player_goes_on_when_its_time_has_come(play):
    tick(play)
    assert ("bob", "Open at last, Bob.") in said(play.do("open")), "at once, whoever opened it"
    assert said(tick(play)) == []
    assert said(tick(play, hours=12))[-2:] == [("ann", "Noon, Ann."), ("bob", "Noon, Bob.")]


def test_a_scheduler_is_told_when_the_world_next_needs_a_tick(play):
    begins = play.rulebook.settings.begins
    assert play.referee.next_due(play.state) == begins, "timed rules do not count yet"
    tick(play)
    assert play.referee.next_due(play.state) == begins + timedelta(hours=1)
    play.do("plan", now=begins + timedelta(minutes=10))
    assert play.referee.next_due(play.state) == begins + timedelta(minutes=40)
    play.do("open", now=begins + timedelta(minutes=11))
    assert play.referee.next_due(play.state) == begins + timedelta(minutes=12), "both wait for an hour to come"
    tick(play, hours=12)
    assert play.referee.next_due(play.state) == begins + timedelta(hours=13)


def test_a_world_without_a_real_clock_or_anything_to_come_needs_no_tick(world):
    assert world().referee.next_due(world().state) is None
    assert world(WORLD.replace("clock: real", "clock: turn 1 minute")).referee.next_due(world().state) is None
    plain = world("=== world.md\n---\nexperience: small\nstart: hall\nclock: real\n---\n# A small world\n")
    assert plain.referee.next_due(plain.state) is None


def test_every_tick_at_the_time_it_was_asked_for_leads_on(play):
    now = play.rulebook.settings.begins
    for _ in range(30):
        due = play.referee.next_due(play.state)
        assert due is not None
        assert due >= now
        now = max(now, due)
        play.state = play.referee.tick(play.state, Inputs(now)).state
        assert play.referee.next_due(play.state) > now
    assert play.get("world", "bells") > 3


# --- In the adventure library's words

FAIR = """
=== fair.md
---
experience: fair
uses: [adventure]
start: green
world: shared
---
# The fair
=== green.md
---
place: green
exits: {north: lane}
---
# Village green
=== lane.md
---
place: lane
exits: {south: green}
---
# Lane
=== coin.md
---
item: coin
in: green
---
# Silver coin
"""


class Talk:
    """Two players in one place, by what they say."""

    def __init__(self, rulebook):
        self.session = Session(rulebook)
        referee = self.session.referee
        self.state = referee.join(referee.join(referee.new(), "u1", "Ann"), "u2", "Ben")

    def say(self, player, line):
        """What each player reads."""
        inputs = Inputs(self.session.rulebook.settings.begins)
        said = self.session.say(self.state, player, line, Dialogue(), inputs)
        self.state = said.state
        heard = [message.text for outcome in said.outcomes for message in outcome.messages if message.to != player]
        return said.text, heard


@pytest.fixture
def talk(rulebook):
    return Talk(rulebook(FAIR, base=""))


@pytest.mark.requirement("0.35", "0.36")
def test_two_fight_for_one_thing_and_the_loser_is_told_who_has_it(talk):
    before = talk.state
    assert talk.say("u1", "take coin") == ("Taken.", ["Ann takes the silver coin."])
    assert talk.say("u2", "take coin") == ("Ann has the silver coin.", [])
    assert talk.say("u2", "take the silver coin from ann")[0] != "Taken."
    assert talk.state.rows["coin"]["location"] == "u1"
    late = talk.session.referee.resolve(
        talk.state, "u2", Action("take <item>", {"item": "coin"}), Inputs(before.rows["world"]["time"])
    )
    assert (late.status, late.reason) == ("refused", "you can reach it")


def test_players_see_name_and_give_to_each_other(talk):
    assert "With you here: Ben." in talk.say("u1", "look")[0]
    assert "Ben" in view(talk.session, talk.state, "u1")["things"]
    talk.say("u1", "take coin")
    assert talk.say("u1", "give coin to ben") == (
        "You give the silver coin to Ben.",
        ["Ann gives you the silver coin."],
    )
    assert talk.say("u1", "examine ben")[0] == "Ben carries a silver coin."
    assert talk.say("u2", "examine me")[0] == "As good-looking as ever."


def test_who_goes_and_comes_and_speaks_is_noticed_in_that_place_alone(talk):
    assert talk.say("u1", "north")[1] == ["Ann goes north."]
    assert talk.say("u2", "say hello")[1] == []
    assert talk.say("u2", "north")[1] == ["Ben comes in."]
    assert talk.say("u2", "say hello")[1] == ["Ben says “hello”."]
    assert "Ben" not in talk.say("u1", "south")[0]
    assert "can't see" in talk.say("u1", "give coin to ben")[0]


RELAY = """
=== first.md
---
workflow: first
begin: yes
---
# First
## 1. Wait
- Wait until `player.name == "Bob" && world.open`
- Then add 5 to `world.bells`
- End: "Bells."
=== second.md
---
workflow: second
begin: yes
---
# Second
## 1. Wait
- Wait until `player.name == "Cy" && world.bells > 4`
- End: "Cy heard {world.bells}."
"""


def test_what_one_players_workflow_does_sets_anothers_going_in_the_same_turn(world):
    play = world(WORLD + RELAY)
    for player in ("bob", "cy"):
        play.state = play.referee.join(play.state, player, player.title())
    play.do("shout <text>", by="bob", text="one")
    play.do("shout <text>", by="cy", text="two")
    told = said(play.do("open"))
    assert ("bob", "Bells.") in told
    assert ("cy", "Cy heard 5.") in told


def test_what_an_ended_player_waited_for_is_over(world):
    ending = '=== stop.md\n---\nrule: stop\non: stop\n---\n## Then\n- end the game "Bye."\n'
    play = world(WORLD + ending)
    play.state = play.referee.join(play.state, "bob", "Bob")
    play.do("stop", by="bob")
    assert not [each for each, _ in said(play.do("open")) if each == "bob"]
