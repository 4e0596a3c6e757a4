"""What must be true after every turn."""

from __future__ import annotations

import pytest

from kb.check import check
from kb.pages.source import open_source

PAGES = """
=== world.md
---
experience: small
start: hall
---
# A small world
## Invariants
- nobody owes: `player.score >= 0`
- the lamp stays in the house: `lamp.room != "" || lamp.location == ""`
=== item.md
---
kind: item
---
## State
| Field | Type | Start | Meaning |
|---|---|---|---|
| weight | int | 1 | |
| load | int | 9 | |
## Derived
| Field | Is | Meaning |
|---|---|---|
| burden | `item.contents.map(t, t.weight).sum()` | |
## Invariants
- it is not overloaded: `item.burden <= item.load`
- it weighs something: `item.weight > 0`
=== box.md
---
item: box
in: hall
load: 5
---
# Box
=== put.md
---
rule: put
on: put <item> in <box: item>
---
## Then
- move `item` to `box`
=== weigh.md
---
rule: weigh
on: weigh <item> at <n: int>
---
## Then
- set `item.weight` to `n`
=== fine.md
---
rule: fine
on: fine <target: player>
---
## Then
- subtract 1 from `target.score`
"""


def test_an_invariant_of_the_experience_refuses_and_is_named(world):
    play = world(PAGES)
    before = play.state.hash
    outcome = play.do("fine <target>", target="ann")
    assert (outcome.status, outcome.text) == ("refused", "That cannot be.")
    assert outcome.reason == "nobody owes would no longer hold (ann)"
    assert [(line.kind, line.value) for line in outcome.trace][-1] == ("invariant", False)
    assert play.state.hash == before


def test_an_invariant_about_players_holds_for_every_player_that_was_changed(world):
    play = world(PAGES)
    play.state = play.referee.join(play.state, "bob")
    assert play.do("fine <target>", target="bob").reason == "nobody owes would no longer hold (bob)"


@pytest.mark.parametrize(("weight", "status"), [(5, "done"), (6, "refused"), (0, "refused"), (-1, "refused")])
def test_an_invariant_of_a_kind_sees_changes_elsewhere(world, weight, status):
    play = world(PAGES)
    assert play.do("put <item> in <box>", item="lamp", box="box").status == "done"
    assert play.do("weigh <item> at <n>", item="lamp", n=weight).status == status


def test_an_invariant_of_a_kind_is_checked_where_things_arrive(world):
    play = world(PAGES)
    play.do("weigh <item> at <n>", item="lamp", n=7)
    assert (
        play.do("put <item> in <box>", item="lamp", box="box").reason
        == "it is not overloaded would no longer hold (box)"
    )


def test_the_start_is_checked_too(world, folder):
    assert world(PAGES).referee.start_problems == []
    problems = check(open_source(folder(PAGES.replace("load: 5", "load: -1")))).errors
    assert [(each.code, each.span.path, each.message) for each in problems] == [
        ("RB606", "item.md", "The invariant does not hold at the start (box).")
    ]
