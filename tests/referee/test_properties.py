"""What holds for any sequence of turns: nothing half done, the same again, saves that go on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kb.referee import Action, Inputs, Referee, State, Turn
from kb.types import Ref

WORLD = """
=== player.md
---
kind: player
---
## State
| Field | Type | Start | Meaning |
|---|---|---|---|
| mana | int 0..10 | 5 | |
| trust | int 0..9 per item | 5 | |
| seen | list of item | | |
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
- put `item` in `player.seen`
- add 1 to `player.trust[other]`
- move `item` to `other`
=== cast.md
---
rule: cast
on: cast <n: int>
---
## Then
- roll 1..6 as `m`
- say "{m}"
- create [[coin]] in `player`
- subtract `n * m` from `player.mana`
=== break.md
---
rule: break
on: break <item>
---
## Then
- award 1 for "breaking {the item}"
- remove `item`
- schedule mend in 3 minutes with `id` = `item.id`
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
"""


@pytest.fixture(scope="module")
def referee(rulebook):
    return Referee(rulebook(WORLD))


Step = tuple[int, int, int, int]
steps = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 9)), max_size=25)


def action(state: State, step: Step) -> Action:
    """Some action of the rulebook on some things of the state."""
    types = sorted(state.rulebook.actions)
    chosen = state.rulebook.actions[types[step[0] % len(types)]]
    roles: dict[str, Any] = {}
    for number, role in enumerate(chosen.roles.values()):
        pick = step[1 + number % 2]
        if isinstance(role.type, Ref):
            ids = [*state.every("item"), "nobody"]
            roles[role.name] = ids[pick % len(ids)]
        elif role.name == "direction":
            roles[role.name] = ("up", "down", "north")[pick % 3]
        else:
            roles[role.name] = pick % 5
    return Action(chosen.id, roles)


def run(referee: Referee, played: list[Step], *, reload: bool = False) -> list[str]:
    state = referee.join(referee.new(), "ann", "Ann")
    hashes = [state.hash]
    for step in played:
        outcome = referee.resolve(state, "ann", action(state, step), Inputs(referee.rulebook.settings.begins, step[3]))
        if outcome.status == "refused":
            assert outcome.state is state
            assert outcome.text
        state = outcome.state
        if reload:
            state, notes = referee.load(state.dump())
            assert notes == []
        hashes.append(state.hash)
        well_formed(state)
    return hashes


def well_formed(state: State) -> None:
    """Every value belongs to its type, locations lead somewhere and the index says the same as the rows."""
    located: dict[str, list[str]] = {}
    for id, row in state.rows.items():
        types = state.shape.types[state.template(id)]
        for name, type_ in types.items():
            assert type_.coerce(type_.dump(row[name])) == row[name]
        if "location" in row:
            assert row["location"] == "" or row["location"] in state.rows
            located.setdefault(row["location"], []).append(id)
            seen, holder = {id}, row["location"]
            while holder:
                assert holder not in seen
                seen.add(holder)
                holder = state.rows[holder].get("location", "")
    assert {holder: sorted(ids) for holder, ids in located.items()} == {
        holder: sorted(ids) for holder, ids in state.index["location"].items()
    }


@pytest.mark.requirement("3.19")
@given(played=steps)
@settings(max_examples=60, deadline=None)
def test_any_play_gives_the_same_hashes_again_and_after_every_reload(referee, played):
    hashes = run(referee, played)
    assert run(referee, played) == hashes
    assert run(referee, played, reload=True) == hashes


@given(seed=st.integers(0, 2**63 - 1), low=st.integers(-(2**63), 2**63 - 1), width=st.integers(0, 2**40))
@settings(max_examples=60, deadline=None)
def test_draws_lie_within_their_bounds(referee, seed, low, width):
    turn = Turn(referee.new(), referee.derivations, "", Inputs(referee.rulebook.settings.begins, seed))
    assert all(low <= turn.draw(low, low + width) <= low + width for _ in range(10))


garbage = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(data=st.data(), values=st.lists(garbage, min_size=3, max_size=3), player=st.sampled_from(["ann", "lamp", ""]))
@settings(max_examples=150, deadline=None)
def test_hostile_actions_are_done_or_refused_and_never_crash(referee, data, values, player):
    state = referee.join(referee.new(), "ann", "Ann")
    chosen = referee.rulebook.actions[data.draw(st.sampled_from(sorted(referee.rulebook.actions)))]
    roles = dict(zip([*chosen.roles, data.draw(st.text(max_size=4))], values, strict=False))
    outcome = referee.resolve(state, player, Action(chosen.id, roles), Inputs(referee.rulebook.settings.begins))
    assert outcome.text
    assert outcome.status == "done" or outcome.state is state
    well_formed(outcome.state)


def test_allowed_agrees_with_what_conditions_decide(referee):
    state = referee.join(referee.new(), "ann", "Ann")
    now = referee.rulebook.settings.begins
    for direction in ("up", "down", "north"):
        tried = Action("go <direction>", {"direction": direction})
        done = referee.resolve(state, "ann", tried, Inputs(now)).status == "done"
        assert referee.allowed(state, "ann", tried) is done
    assert not referee.allowed(state, "ann", Action("take <item>", {"item": "nobody"}))
