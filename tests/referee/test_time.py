"""World time: timed rules, scheduled events, clocks."""

from __future__ import annotations

from datetime import timedelta

from kb.referee import Inputs, Referee

TIMES = """
=== world.md
---
experience: small
start: hall
begins: 2026-01-01 18:00
clock: {clock}
---
# A small world
=== kind.md
---
kind: world
---
## State
| Field | Type | Start | Meaning |
|---|---|---|---|
| log | list of text | | |
=== bell.md
---
rule: bell
every: 3 hours
---
## Then
- put "bell {world.hour}" in `world.log`
=== dawn.md
---
rule: dawn
at: [06:00, 22:30]
---
## When
- it is then: `world.hour == 6 || world.minute == 30`
## Then
- put "at {world.hour}:{world.minute}" in `world.log`
=== sleep.md
---
rule: sleep
on: sleep
---
## Then
- set `world.time` to `world.time + duration("13h")`
=== wait.md
---
rule: wait
on: wait
---
## Then
- say "Time passes."
"""


def log(play):
    return list(play.get("world", "log"))


def test_timed_rules_fire_when_world_time_has_passed_them_once(world):
    play = world(TIMES.replace("{clock}", "turn 50 minutes"))
    for _ in range(3):
        play.do("wait")
    assert log(play) == []
    play.do("wait")
    assert log(play) == ["bell 21"]
    play.do("wait")
    assert log(play) == ["bell 21"]
    play.do("wait")
    assert log(play) == ["bell 21", "at 22:30"]


def test_what_a_long_while_holds_happens_in_order_each_at_its_own_time(world):
    play = world(TIMES.replace("{clock}", "turn 1 minute"))
    play.do("sleep")
    assert log(play) == ["bell 21", "at 22:30", "bell 0", "bell 3", "bell 6", "at 6:0"]
    assert play.get("world", "time") - play.rulebook.settings.begins == timedelta(hours=13, minutes=1)


SCHEDULE = """
=== plan.md
---
rule: plan
on: plan
---
## Then
- schedule late in 2 hours with `what` = "soup", `when` = `world.time`
- schedule early in 1 hour with `what` = "bread", `when` = `world.time`
=== early.md
---
rule: early
on: event early
---
## Then
- put "{event.what} at {world.hour}" in `world.log`
- schedule late in 30 minutes with `what` = "butter", `when` = `event.when`
- say "Bread for {player}!"
=== late.md
---
rule: late
on: event late
---
## Then
- put "{event.what} planned at {event.when.getHours()}" in `world.log`
"""


def test_scheduled_events_come_in_order_also_those_planned_on_the_way(world, reloaded):
    play = world((TIMES + SCHEDULE).replace("{clock}", "turn 1 minute"))
    play.do("plan")
    play.state = reloaded(play.state)
    play.do("sleep")
    said = [each for each in log(play) if not each.startswith(("bell", "at"))]
    assert said == ["bread at 19", "butter planned at 18", "soup planned at 18"]
    assert play.state.book["due"] == []


def test_a_scheduled_event_belongs_to_the_player_who_planned_it(world):
    play = world((TIMES + SCHEDULE).replace("{clock}", "turn 40 minutes"))
    play.state = play.referee.join(play.state, "bob", "Bob")
    play.do("plan", by="bob")
    outcome = play.do("wait")
    assert [(m.to, m.text) for m in outcome.messages] == [("ann", "Time passes."), ("bob", "Bread for Bob!")]


def test_a_real_clock_starts_with_the_first_recorded_time_and_never_goes_back(world):
    play = world(TIMES.replace("{clock}", "real"))
    start = play.rulebook.settings.begins + timedelta(days=400, hours=-8)
    play.do("wait", now=start)
    assert log(play) == []
    outcome = play.referee.tick(play.state, Inputs(start + timedelta(hours=3)))
    assert outcome.state.rows["world"]["log"] == ("bell 13",)
    assert outcome.state.rows["ann"]["turns"] == 1
    again = play.referee.tick(outcome.state, Inputs(start))
    assert again.state is outcome.state or again.hash == outcome.hash
    assert again.state.rows["world"]["time"] == start + timedelta(hours=3)


def test_a_very_long_while_fires_a_bounded_number_of_times(world):
    play = world(
        TIMES.replace("{clock}", "real")
        .replace("every: 3 hours", "every: 1 minute")
        .replace("bell {world.hour}", "{world.time}")
    )
    start = play.rulebook.settings.begins
    play.do("wait", now=start)
    play.do("wait", now=start + timedelta(days=30))
    assert 190 <= len(log(play)) <= 200
    play.do("wait", now=start + timedelta(days=30, minutes=1))
    assert len(log(play)) <= 201


def test_a_timed_rule_that_is_new_counts_from_when_it_appears(world, rulebook):
    text = TIMES.replace("{clock}", "turn 1 hour")
    play = world(text + "=== bell.md\n")
    for _ in range(10):
        play.do("wait")
    play.referee = Referee(rulebook(text))
    play.state, _ = play.referee.load(play.state.dump())
    before = len(log(play))
    play.do("wait")
    play.do("wait")
    assert [each for each in log(play)[before:] if each.startswith("bell")] == []
    play.do("wait")
    assert [each for each in log(play)[before:] if each.startswith("bell")] == ["bell 7"]


def test_a_refused_action_takes_no_time(world):
    play = world(TIMES.replace("{clock}", "turn 50 minutes"))
    play.do("take <item>", item="lamp")
    before = play.get("world", "time")
    play.do("take <item>", item="lamp")
    assert play.get("world", "time") == before


AGENT = """
=== cook.md
---
agent: cook
may: [say, tell]
in: cellar
every: 1 hour
---
# Cook
## Always
- say "Something smells good."
"""


def test_an_agent_with_its_own_times_acts_wherever_it_is(world):
    play = world((TIMES + AGENT).replace("{clock}", "turn 30 minutes"))
    assert play.do("wait").text == "Time passes."
    assert play.do("wait").text == "Time passes.\nSomething smells good."


def test_time_alone_moves_no_world_without_a_real_clock(world):
    play = world(TIMES.replace("{clock}", "turn 1 minute"))
    outcome = play.referee.tick(play.state, Inputs(play.rulebook.settings.begins + timedelta(days=3)))
    assert (outcome.status, outcome.hash) == ("done", play.state.hash)


def test_an_event_planned_for_the_past_comes_at_once_and_time_does_not_go_back(world):
    late = SCHEDULE.replace("schedule early in 1 hour", 'schedule early at `world.time - duration("5h")`')
    play = world((TIMES + late).replace("{clock}", "turn 1 minute"))
    assert play.do("plan").text == "Bread for Ann!"
    assert log(play) == ["bread at 18"]


def test_time_passes_without_any_player(world):
    play = world((TIMES + AGENT).replace("{clock}", "real"))
    start = play.rulebook.settings.begins
    state = play.referee.tick(play.referee.new(), Inputs(start)).state
    outcome = play.referee.tick(state, Inputs(start + timedelta(hours=3)))
    assert outcome.status == "done"
    assert outcome.state.rows["world"]["log"] == ("bell 21",)
