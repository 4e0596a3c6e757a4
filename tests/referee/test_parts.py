"""States as parts: deltas of turns, one after another, are the state."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kb import library
from kb.check import check
from kb.pages.source import open_source
from kb.referee import Action, Inputs, Outcome, Referee, State
from kb.referee.parts import changed, head, parts, rewritten
from kb.types import Choice, Ref

WORLDS = sorted(library.worlds())
BUSY = """
=== player.md
---
kind: player
---
## State
| Field | Type | Start | Meaning |
|---|---|---|---|
| mana | int 0..10 | 5 | |
| trust | int 0..9 per item | 5 | |
| answer | text | | |
=== box.md
---
item: box
in: hall
count: 2
---
# Box
=== coin.md
---
item: coin
in: player
---
# Coin
=== put.md
---
rule: put
on: put <item> in <other: item>
---
## Then
- add 1 to `player.trust[other]`
- move `item` to `other`
=== cast.md
---
rule: cast
on: cast
---
## Then
- create [[coin]] in `player`
- start [[errand]]
=== break.md
---
rule: break
on: break <item>
---
## Then
- remove `item`
- schedule mend in 2 minutes
=== mend.md
---
rule: mend
on: event mend
---
## Then
- add 1 to `player.mana`
=== tire.md
---
rule: tire
every: 5 minutes
---
## When
- awake: `player.mana > 0`
## Then
- subtract 1 from `player.mana`
=== errand.md
---
workflow: errand
---
# An errand
## 1. Ask
- Ask the player "Well?" → `player.answer`
## 2. Wait
- Wait until `player.location == "cellar"`
=== tour.md
---
quest: tour
begin: yes
---
# A tour
## 1. See
- Wait until `player.location == "cellar"`
- End: "Seen."
"""
PLAYERS = ("ann", "bob", "cy@x")


@cache
def referee_of(name: str) -> Referee:
    (rulebook, *_) = check(open_source(library.worlds()[name]), run=False).rulebooks.values()
    return Referee(rulebook)


@pytest.fixture(scope="module")
def busy(rulebook) -> Referee:
    return Referee(rulebook(BUSY))


class Stored:
    """What a store keeps of a game: a head and parts, as PostgreSQL gives JSON back."""

    def __init__(self, state: State):
        self.head, self.parts = kept(head(state)), kept(parts(state))

    def take(self, before: State, after: State, ids: frozenset[str] | None) -> None:
        self.head = kept(head(after))
        for id, part in kept(changed(before, after, ids)).items():
            if part is None:
                assert self.parts.pop(id, None) is not None, "what has no part is not said to be gone"
            else:
                self.parts[id] = part


def kept(value: Any) -> Any:
    """JSON that was written and read; keys in an order of the store's own, as `jsonb` has it."""

    def shuffled(each: Any) -> Any:
        if isinstance(each, dict):
            return {key: shuffled(each[key]) for key in sorted(each, key=lambda key: (len(key), key))}
        return [shuffled(one) for one in each] if isinstance(each, list) else each

    return json.loads(json.dumps(shuffled(value)))


Step = tuple[int, int, int, int]
steps = st.lists(st.tuples(*(st.integers(0, 999) for _ in range(4))), min_size=5, max_size=40)


def action(state: State, referee: Referee, player: str, step: Step) -> Action:
    """Some action on some things, those that the player perceives first."""
    turn = referee.frame(state, player)
    types = sorted(referee.rulebook.actions)
    chosen = referee.rulebook.actions[types[step[1] % len(types)]]
    roles: dict[str, Any] = {}
    for number, role in enumerate(chosen.roles.values()):
        pick = step[2 + number % 2]
        if isinstance(role.type, Ref):
            near = [
                id for kind in role.type.kinds for id in turn.every(kind) if turn.derived(id, "perceivable") is True
            ]
            ids = near or [id for kind in role.type.kinds for id in turn.every(kind)] or ["nobody"]
            roles[role.name] = ids[pick % len(ids)]
        elif role.name == "direction":
            exits = sorted(state.rows.get(turn.vars["room"], {}).get("exits", {})) or ["north"]
            roles[role.name] = exits[pick % len(exits)]
        elif isinstance(role.type, Choice):
            roles[role.name] = role.type.options[pick % len(role.type.options)]
        elif str(role.type) == "text":
            roles[role.name] = "yes"
        else:
            roles[role.name] = role.type.zero() if pick % 2 else 1
    return Action(chosen.id, roles)


def turn(referee: Referee, state: State, step: Step, now: int) -> Outcome | State:
    """One thing that happens: someone comes, goes, answers or acts, or time passes."""
    inputs = Inputs(referee.rulebook.settings.begins + timedelta(minutes=now), step[3])
    player = PLAYERS[step[0] // 10 % len(PLAYERS)]
    what = step[0] % 10
    if player not in state.rows:
        return referee.join(state, player, player.title())
    if what == 0:
        return referee.leave(state, player)
    if what == 1:
        return referee.tick(state, inputs)
    if referee.pending(state, player) and (answered := referee.answer(state, player, str(step[2] % 3), inputs)):
        return answered
    return referee.resolve(state, player, action(state, referee, player, step), inputs)


@pytest.mark.requirement("0.01", "0.02", "0.09", "0.36")
@pytest.mark.parametrize("name", [*WORLDS, "busy"])
@given(played=steps)
@settings(max_examples=25, deadline=None)
def test_the_deltas_of_any_play_are_the_state_and_play_goes_on_the_same_from_them(name, busy, played):
    referee = busy if name == "busy" else referee_of(name)
    state = referee.join(referee.new(), "ann", "Ann")
    stored = Stored(state)
    for now, step in enumerate(played):
        done = turn(referee, state, step, now)
        after = done if isinstance(done, State) else done.state
        hint = None if isinstance(done, State) else done.touched
        assert changed(state, after, hint) == changed(state, after)
        stored.take(state, after, hint)
        assert stored.parts == kept(parts(after))
        again, notes = referee.load_parts(stored.head, stored.parts)
        assert notes == []
        assert (again.hash, again.numbers, again.rows) == (after.hash, after.numbers, after.rows)
        assert (again.index, again.own, again.by_kind) == (after.index, after.own, after.by_kind)
        assert rewritten(stored.parts, again) == {}
        whole, notes = referee.load(kept(after.dump()))
        assert notes == []
        assert (whole.hash, whole.numbers) == (after.hash, after.numbers)
        state = again if now % 2 else after


@pytest.mark.requirement("0.09")
@pytest.mark.parametrize("name", [*WORLDS, "busy"])
@given(played=steps)
@settings(max_examples=10, deadline=None)
def test_what_a_player_perceives_is_always_within_reach(name, busy, played):
    referee = busy if name == "busy" else referee_of(name)
    state = referee.join(referee.new(), "ann", "Ann")
    for now, step in enumerate(played):
        done = turn(referee, state, step, now)
        state = done if isinstance(done, State) else done.state
        for player in state.players:
            look = referee.frame(state, player)
            seen = [id for id in look.every("thing") if look.derived(id, "perceivable") is True]
            assert [id for id in referee.reach.of(look, "thing") if id in seen] == seen


@pytest.mark.requirement("0.01", "0.08")
def test_what_nobody_touched_has_no_part_and_follows_its_page(world, rulebook):
    play = world()
    assert set(parts(play.state)) == {"ann"}
    play.do("take <item>", item="lamp")
    assert parts(play.state)["lamp"]["fields"] == {"location": "ann"}
    edited = rulebook("=== hall.md\n---\nplace: hall\nexits: {up: cellar}\n---\n# Great hall\n")
    state, notes = Referee(edited).load_parts(head(play.state), parts(play.state))
    assert notes == []
    assert (state.rows["hall"]["name"], state.rows["hall"]["exits"]) == ("Great hall", {"up": "cellar"})
    assert state.rows["lamp"]["location"] == "ann"


@pytest.mark.requirement("0.36", "3.16")
def test_who_leaves_and_comes_back_as_they_were_is_the_last_to_have_come_in_the_store_too():
    referee = referee_of("tavern")
    state = referee.join(referee.join(referee.new(), "ann", "Ann"), "bob", "Bob")
    stored = Stored(state)
    back = referee.join(referee.leave(state, "ann"), "ann", "Ann")
    stored.take(state, back, None)
    again, _ = referee.load_parts(stored.head, stored.parts)
    assert again.players == back.players == ("bob", "ann")
    assert again.numbers == back.numbers


@pytest.mark.requirement("3.13")
def test_a_hundred_worlds_share_what_nobody_touched_and_nothing_else():
    referee = referee_of("tavern")
    start = referee.join(referee.new(), "ann", "Ann")
    stored = Stored(start)
    worlds = [referee.load_parts(stored.head, stored.parts)[0] for _ in range(100)]
    go = Action("go <direction>", {"direction": sorted(start.rows["taproom"]["exits"])[0]})
    outcome = referee.resolve(worlds[0], "ann", go, Inputs(referee.rulebook.settings.begins))
    assert outcome.status == "done"
    assert outcome.state.rows["ann"]["location"] != "taproom"
    assert {world.hash for world in worlds} == {start.hash}
    seeds = referee.new().rows
    assert all(world.rows[id] is row for world in worlds for id, row in seeds.items())
