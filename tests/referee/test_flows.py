"""Workflows and quests."""

from __future__ import annotations

from typing import Any

import pytest

from kb.referee import Inputs, Referee

INN = """
=== player.md
---
kind: player
---
## State
| Field | Type | Start | Meaning |
|---|---|---|---|
| nights | int 0..7 | 0 | |
| wanted | place | | |
| paid | yes/no | no | |
=== renting.md
---
workflow: renting
---
# Renting a room
## 1. Nights
- Ask the player "How many nights?" → `player.nights`
- if `player.nights == 0` → 1
## 2. Room
- Ask the player "Which room?" → `player.wanted`
## 3. Pay
- Wait until `player.paid`
- Then say "Thank you for {player.nights}."
- Then move `player` to `player.wanted`
- End: "You have a room."
=== rent.md
---
rule: rent
on: rent
---
## Then
- start [[renting]]
=== pay.md
---
rule: pay
on: pay
---
## Then
- set `player.paid` to yes
=== arrive.md
---
rule: arrive
on: player enters <place>
---
## Then
- say "In the {place}."
"""


def say(play: Any, text: str) -> str | None:
    """What the answer leads to; None where it does not fit."""
    outcome = play.referee.answer(play.state, "ann", text, Inputs(play.rulebook.settings.begins))
    if outcome is None:
        return None
    play.state = outcome.state
    return outcome.text


def asked(play: Any) -> str | None:
    """The question that waits for an answer."""
    waiting = play.referee.pending(play.state, "ann")
    return waiting[1].text.source if waiting else None


def test_a_workflow_asks_branches_waits_and_ends(world, reloaded):
    play = world(INN)
    assert asked(play) is None
    assert play.do("rent").text == "How many nights?"
    assert asked(play) == "How many nights?"
    assert say(play, "a few") is None
    assert say(play, "12") is None
    assert say(play, "0") == "How many nights?"
    play.state = reloaded(play.state)
    assert say(play, "3") == "Which room?"
    assert say(play, "the attic") is None
    assert say(play, "The Cellar") == ""
    assert play.get("ann", "wanted") == "cellar"
    assert say(play, "anything") is None
    assert play.do("pay").text == "Thank you for 3.\nIn the Cellar.\nYou have a room."
    assert play.get("ann", "location") == "cellar"
    assert play.state.own == {}


def test_each_player_has_their_own_position(world):
    play = world(INN)
    play.state = play.referee.join(play.state, "bob")
    play.do("rent")
    assert play.referee.pending(play.state, "bob") is None
    assert play.referee.answer(play.state, "bob", "3", Inputs(play.rulebook.settings.begins)) is None


def test_a_workflow_goes_on_at_the_same_step_after_an_edit(world, rulebook):
    play = world(INN)
    play.do("rent")
    say(play, "3")
    edited = INN.replace("## 2. Room", '## 2. Smile\n- Then say "The host smiles."\n## 3. Room').replace(
        "## 3. Pay", "## 4. Pay"
    )
    play.referee = Referee(rulebook(edited))
    play.state, notes = play.referee.load(play.state.dump())
    assert notes == []
    assert asked(play) == "Which room?"


LOOP = """
=== loop.md
---
workflow: loop
begin: yes
---
## 1. Round
- if `player.score == 0` → 2
- End: "Out."
## 2. And round
- Then say "Round."
- if `player.score == 0` → 1
- End: "Out."
"""


def test_a_workflow_without_end_refuses_the_turn(world):
    outcome = world(LOOP).do("take <item>", item="lamp")
    assert (outcome.status, outcome.text) == ("refused", "That goes round in circles.")


QUEST = """
=== quest.md
---
quest: errand
begin: yes
---
# The errand
## 1. Fetch
- Wait until `lamp.location == player.id`
- Then say "You have it. Now go down."
## 2. Bring
- Wait until `room == cellar`
- Then award 5 for "the errand"
=== other.md
---
quest: other
---
# Another
=== steps.md
---
rule: steps
on: begin
---
## Then
- start [[other]]
=== fail.md
---
rule: fail
on: give up
---
## Then
- fail [[other]]
- fail [[errand]]
=== skip.md
---
rule: skip
on: skip
---
## Then
- advance [[errand]]
"""


def test_a_quest_advances_with_what_happens_and_is_done_after_its_last_step(world):
    play = world(QUEST)
    assert play.get("ann", "quests") == {"errand": "active"}
    assert play.do("take <item>", item="lamp").text == "Taken.\nYou have it. Now go down."
    play.do("go <direction>", direction="down")
    assert play.get("ann", "quests") == {"errand": "done"}
    assert play.get("ann", "score") == 5


def test_rules_start_fail_and_advance_quests(world):
    play = world(QUEST)
    play.do("begin")
    assert play.get("ann", "quests")["other"] == "active"
    play.do("skip")
    play.do("give up")
    assert play.get("ann", "quests") == {"errand": "failed", "other": "failed"}
    play.do("begin")
    assert play.get("ann", "quests")["other"] == "failed"
    assert play.state.own == {}


def test_after_the_end_a_question_is_not_answered_any_more(world):
    play = world(INN + '=== die.md\n---\nrule: die\non: die\n---\n## Then\n- end the game "Dead."\n')
    play.do("rent")
    play.do("die")
    assert say(play, "3") == "The game is over."


@pytest.mark.parametrize("seed", [1, 2])
def test_workflows_that_begin_start_with_every_new_player(world, seed):
    play = world(QUEST)
    play.state = play.referee.join(play.state, "bob")
    assert set(play.state.own) == {"ann", "bob"}
