"""What a turn does, in its order."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kb.referee import Action


def test_a_done_action_changes_the_world_and_takes_a_turn_and_a_minute(world):
    play = world()
    outcome = play.do("take <item>", item="lamp")
    assert (outcome.status, outcome.text, outcome.rule) == ("done", "Taken.", "take")
    assert play.get("lamp", "location") == "ann"
    assert play.get("ann", "turns") == 1
    assert play.get("world", "time") - play.rulebook.settings.begins == timedelta(minutes=1)
    assert [(c.id, c.field, c.before, c.after) for c in outcome.changes][:1] == [("lamp", "location", "hall", "ann")]


def test_a_refused_action_changes_nothing_and_says_the_first_condition_that_fails(world):
    play = world()
    play.do("take <item>", item="lamp")
    before = play.state
    outcome = play.do("take <item>", item="lamp")
    assert outcome.status == "refused"
    assert outcome.reason == "it is not held already"
    assert outcome.text == "You can't do that: it is not held already."
    assert outcome.state is before
    assert outcome.changes == ()
    assert [(line.kind, line.text, line.value) for line in outcome.trace] == [
        ("condition", "it is not held already", False)
    ]


def test_otherwise_speaks_where_no_rule_applies(world):
    outcome = world().do("go <direction>", direction="up")
    assert (outcome.text, outcome.reason) == ("You can't go that way.", "there is a way")


@pytest.mark.parametrize(
    ("action", "roles", "reason"),
    [
        ("fly", {}, "no action is 'fly'"),
        ("take <item>", {}, "item is missing: it is item"),
        ("take <item>", {"item": 7}, "item: 7 is not item"),
        ("take <item>", {"item": "crown"}, "item: 'crown' is no item"),
        ("take <item>", {"item": "hall"}, "item: 'hall' is no item"),
        ("take <item>", {"item": "lamp", "with": "tongs"}, "'take <item>' takes no 'with'"),
        ("go <direction>", {"direction": "sideways"}, "direction: 'sideways' is not"),
    ],
)
def test_an_action_that_does_not_fit_its_roles_is_refused_with_the_reason(world, action, roles, reason):
    outcome = world().do(action, **roles)
    assert outcome.status == "refused"
    assert outcome.reason.startswith(reason)


def test_who_is_not_in_the_game_cannot_act(world):
    play = world()
    assert play.do("go <direction>", by="bob", direction="down").reason == "there is no player 'bob'"
    assert play.do("go <direction>", by="lamp", direction="down").reason == "there is no player 'lamp'"


ENDING = """
=== ending.md
---
rule: leave
on: leave
---
## Then
- end the game "You are free."
=== hunger.md
---
rule: hunger
on: every turn
---
## Then
- say "You are hungry."
"""


def test_after_the_end_nothing_happens_any_more(world):
    play = world(ENDING)
    assert play.do("go <direction>", direction="down").text == "You are hungry."
    outcome = play.do("leave")
    assert outcome.text == "You are free."
    assert play.get("ann", "ended") == "You are free."
    before = play.state.hash
    assert play.do("leave").text == "The game is over."
    assert play.state.hash == before
    assert not play.referee.allowed(play.state, "ann", Action("leave"))


ROLES = """
=== banish.md
---
rule: banish
on: banish
requires: gm
---
## Then
- say "Gone."
"""


@pytest.mark.requirement("3.18")
def test_a_rule_that_requires_a_game_master_refuses_others_and_admits_admins(world):
    play = world(ROLES)
    play.state = play.referee.join(play.state, "greta", role="gm")
    play.state = play.referee.join(play.state, "ada", role="admin")
    refused = play.do("banish")
    assert (refused.status, refused.reason) == ("refused", "only a game master may do that")
    assert play.do("banish", by="greta").text == "Gone."
    assert play.do("banish", by="ada").text == "Gone."


OWN = """
=== cellar.md
---
place: cellar
exits: {up: hall}
---
# Cellar
## Rules
| On | When | Then |
|---|---|---|
| go up | `lamp.location != player.id` | say "Not in the dark." |
=== curse.md
---
rule: curse
on: take <item>
instead of: take
---
## When
- it is the cellar: `room == cellar`
## Then
- say "It slips away."
"""


def test_rows_of_a_rule_table_decide_before_rule_pages(world):
    play = world(OWN)
    play.do("go <direction>", direction="down")
    outcome = play.do("go <direction>", direction="up")
    assert outcome.text == "Not in the dark."
    assert play.get("ann", "location") == "cellar"


def test_a_rule_instead_of_another_decides_where_it_applies(world):
    play = world(OWN)
    assert play.do("take <item>", item="lamp").text == "Taken."
    play.do("go <direction>", direction="down")
    assert play.do("take <item>", item="lamp").text == "It slips away."


UNLESS = """
=== take.md
---
rule: take
on: take <item>
---
## When
- it is not held already: `item.location != player.id`
## Unless
| If | Say |
|---|---|
| `room == cellar` | It is too dark. |
## Then
- say "Got it."
- move `item` to `player`
"""


def test_a_row_of_unless_refuses_with_its_words(world):
    play = world(UNLESS)
    play.do("go <direction>", direction="down")
    outcome = play.do("take <item>", item="lamp")
    assert (outcome.status, outcome.text, outcome.reason) == ("refused", "It is too dark.", "room == cellar")
    assert outcome.rule == "take"
    assert [(line.kind, line.value) for line in outcome.trace] == [
        ("condition", True),
        ("rule", True),
        ("unless", True),
    ]


AFTER = """
=== polish.md
---
rule: polish
after: take <item>
---
## Then
- say "It shines."
=== count.md
---
rule: count
after: any
---
## Then
- add 1 to `player.score`
=== trap.md
---
rule: trap
after: take <item>
---
## When
- in the cellar: `room == cellar`
## Then
- refuse "A trap!"
"""


def test_all_rules_after_an_action_run_in_the_same_turn(world):
    play = world(AFTER)
    assert play.do("take <item>", item="lamp").text == "Taken.\nIt shines."
    assert play.get("ann", "score") == 1


@pytest.mark.requirement("0.31")
def test_a_refusal_in_a_later_rule_undoes_the_whole_action(world):
    play = world(AFTER)
    play.do("go <direction>", direction="down")
    before = play.state.hash
    outcome = play.do("take <item>", item="lamp")
    assert (outcome.status, outcome.text) == ("refused", "A trap!")
    assert play.state.hash == before
    assert play.get("lamp", "location") == "hall"


ENTERS = """
=== arrive.md
---
rule: arrive
on: player enters <place>
---
## Then
- say "You are in the {place}, that is, the {room}."
=== cold.md
---
rule: cold
on: player enters [[cellar]]
---
## Then
- say "It is cold."
"""


def test_entering_a_place_runs_its_rules_there_and_is_remembered(world):
    play = world(ENTERS)
    assert (
        play.do("go <direction>", direction="down").text == "You are in the Cellar, that is, the Cellar.\nIt is cold."
    )
    assert play.do("go <direction>", direction="up").text == "You are in the Hall, that is, the Hall."
    assert play.get("ann", "visited") == ("hall", "cellar")


EVENTS = """
=== ring.md
---
rule: ring
on: ring
---
## Then
- emit bell with `times` = 2
- emit bell with `times` = 1
- say "Ring."
=== bell.md
---
rule: bell
on: event bell
---
## Then
- say "Bell {event.times}."
- when `event.times == 2` → emit echo
=== echo.md
---
rule: echo
on: event echo
---
## Then
- say "Echo."
=== loop.md
---
rule: loop
on: loop
---
## Then
- emit again
=== again.md
---
rule: again
on: event again
---
## Then
- emit again
"""


def test_events_are_handled_in_the_same_turn_first_come_first_served(world):
    outcome = world(EVENTS).do("ring")
    assert outcome.text == "Ring.\nBell 2.\nBell 1.\nEcho."
    assert [event.name for event in outcome.events] == ["bell", "bell", "echo"]


def test_events_without_end_refuse_the_action(world):
    outcome = world(EVENTS).do("loop")
    assert (outcome.status, outcome.text) == ("refused", "Too much happens at once.")


DO = """
=== grab.md
---
rule: grab
on: grab <item>
---
## Then
- do `take {item}`
- say "In {room} you hold {the item}."
=== twice.md
---
rule: twice
on: twice <item>
---
## Then
- add 5 to `player.score`
- do `take {item}`
- do `take {item}`
=== spin.md
---
rule: spin
on: spin
---
## Then
- do `spin`
"""


def test_an_action_may_do_another_in_the_same_turn(world):
    play = world(DO)
    assert play.do("grab <item>", item="lamp").text == "Taken.\nIn Hall you hold the brass lamp."
    assert play.get("ann", "turns") == 1


def test_a_refused_inner_action_refuses_the_outer_one(world):
    play = world(DO)
    outcome = play.do("twice <item>", item="lamp")
    assert (outcome.status, outcome.reason) == ("refused", "it is not held already")
    assert play.get("ann", "score") == 0
    assert play.get("lamp", "location") == "hall"


def test_actions_that_lead_to_one_another_without_end_are_refused(world):
    outcome = world(DO).do("spin")
    assert (outcome.status, outcome.text) == ("refused", "That goes round in circles.")


FREE = """
=== look.md
---
rule: look
on: look
free: yes
---
## Then
- say "{room.description}"
=== hunger.md
---
rule: hunger
on: every turn
---
## Then
- add 1 to `player.score`
"""


def test_a_free_action_takes_no_turn_and_no_time(world):
    play = world(FREE)
    before = play.state.hash
    assert play.do("look").status == "done"
    assert play.state.hash == before
    play.do("go <direction>", direction="down")
    assert play.get("ann", "score") == 1


AGENT = """
=== otto.md
---
agent: otto
in: cellar
may: [say, world.anger]
state: {patience: int 0..5 = 5}
---
# Otto
## Always
- when `otto.patience > 3` → subtract 1 from `otto.patience`
- say "Otto grunts."
## Judgement
> Is the player rude to Otto? **yes / no / unclear** → `otto.insulted`. With no model: **yes**.
## Then
- when `otto.insulted == "yes"` → say "Otto frowns."
=== kind.md
---
kind: world
---
## State
| Field | Type | Start | Meaning |
|---|---|---|---|
| anger | int | 0 | |
"""


def test_an_agent_acts_at_the_end_of_a_turn_in_its_place_and_its_judgement_falls_back(world):
    play = world(AGENT)
    assert play.do("take <item>", item="lamp").text == "Taken."
    outcome = play.do("go <direction>", direction="down")
    assert outcome.text == "Otto grunts.\nOtto frowns."
    assert play.get("otto", "patience") == 4
    assert any(line.kind == "judgement" for line in outcome.trace)


BROKEN = """
=== divide.md
---
rule: divide
on: divide <n: int>
---
## Then
- set `player.score` to `10 / n`
"""


def test_what_cannot_be_worked_out_refuses_the_action_and_names_the_line(world):
    play = world(BROKEN)
    assert play.do("divide <n>", n=5).status == "done"
    outcome = play.do("divide <n>", n=0)
    assert outcome.status == "refused"
    assert "division by zero" in outcome.reason
    assert "player.score" in outcome.reason
    assert play.get("ann", "score") == 2


FOLLOWERS = """
=== vault.md
---
rule: vault
on: player enters [[cellar]]
---
## Unless
| If | Say |
|---|---|
| `lamp.location != player.id` | Too dark: you step back. |
## Then
- say "You are in."
=== tired.md
---
rule: tired
on: every turn
---
## Unless
| If | Say |
|---|---|
| `player.turns > 1` | You are too tired. |
## Then
- say "You yawn."
"""


def test_an_unless_of_a_rule_that_follows_refuses_the_action_but_never_time(world):
    play = world(FOLLOWERS)
    outcome = play.do("go <direction>", direction="down")
    assert (outcome.status, outcome.text) == ("refused", "Too dark: you step back.")
    assert play.get("ann", "location") == "hall"
    assert play.do("take <item>", item="lamp").text == "Taken.\nYou yawn."
    outcome = play.do("go <direction>", direction="down")
    assert (outcome.status, outcome.text) == ("done", "You are in.")
