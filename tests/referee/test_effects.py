"""What each effect does."""

from __future__ import annotations

import pytest

RULE = """
=== try.md
---
rule: try
on: try <item>
---
## Then
{effects}
=== player.md
---
kind: player
---
## State
| Field | Type | Start | Meaning |
|---|---|---|---|
| mana | int 0..10 | 5 | |
| trust | int 0..100 per item | 50 | |
| notes | list of text | | |
| bag | record (size int, label text) | | |
| seen | list of item | | |
| friend | item | | |
=== box.md
---
item: box
in: hall
---
# Box
=== sack.md
---
item: sack
in: hall
---
# Sack
=== coin.md
---
item: coin
---
# Coin
"""


@pytest.fixture
def trying(world):
    """Runs effects as one rule; gives the play and the outcome."""

    def run(*effects: str, item: str = "lamp", more: str = ""):
        play = world(RULE.replace("{effects}", "\n".join(f"- {each}" for each in effects)) + more)
        return play, play.do("try <item>", item=item)

    return run


def test_set_writes_fields_map_entries_and_parts_of_records(trying):
    play, _ = trying(
        "set `player.mana` to 7",
        "set `player.trust[item]` to 60",
        'set `player.bag.label` to "old"',
        "set `player.friend` to [[box]]",
    )
    row = play.state.rows["ann"]
    assert (row["mana"], row["trust"], row["bag"], row["friend"]) == (
        7,
        {"lamp": 60},
        {"size": 0, "label": "old"},
        "box",
    )


@pytest.mark.parametrize(
    "effect", ["add 6 to `player.mana`", "subtract 6 from `player.mana`", "set `player.mana` to `player.mana + 6`"]
)
def test_an_effect_that_breaks_a_range_refuses_the_whole_action_and_names_line_and_field(trying, effect):
    play, outcome = trying("move `item` to [[box]]", effect)
    assert (outcome.status, outcome.text) == ("refused", "That goes too far.")
    assert outcome.reason.startswith(effect)
    assert "mana would be" in outcome.reason
    assert "0..10" in outcome.reason
    assert play.get("lamp", "location") == "hall"
    assert play.get("ann", "turns") == 0


def test_a_range_holds_for_entries_of_a_map_too(trying):
    _, outcome = trying("add 60 to `player.trust[item]`")
    assert outcome.status == "refused"
    assert "110" in outcome.reason


def test_adding_to_a_missing_key_of_a_map_counts_from_its_start(trying):
    play, _ = trying("add 10 to `player.trust[item]`")
    assert play.get("ann", "trust") == {"lamp": 60}


def test_putting_and_taking_are_once_only(trying):
    play, _ = trying(
        "put `item` in `player.seen`",
        "put [[box]] in `player.seen`",
        "put `item` in `player.seen`",
        "take [[box]] out of `player.seen`",
    )
    assert play.get("ann", "seen") == ("lamp",)


def test_a_thing_cannot_be_moved_into_itself_however_deep(trying):
    play, outcome = trying("move [[box]] to [[sack]]", "move `item` to [[box]]", "move [[sack]] to `item`")
    assert (outcome.status, outcome.text) == ("refused", "It cannot be inside itself.")
    assert play.get("box", "location") == "hall"


def test_a_thing_moved_to_nothing_is_out_of_play(trying):
    play, _ = trying("move `item` to nowhere")
    assert play.get("lamp", "location") == ""
    assert play.derived("lamp", "room") == ""


def test_contents_are_in_the_order_of_arrival(trying, reloaded):
    play, _ = trying("move [[sack]] to `player`", "move [[box]] to `player`", "move `item` to `player`")
    assert play.derived("ann", "inventory") == ("sack", "box", "lamp")
    again = reloaded(play.state)
    assert play.referee.frame(again, "ann").derived("ann", "inventory") == ("sack", "box", "lamp")
    assert again.hash == play.state.hash


def test_the_order_of_arrival_is_part_of_the_hash(world):
    effects = ("move [[sack]] to `player`", "move [[box]] to `player`")
    hashes = set()
    for order in (effects, effects[::-1]):
        play = world(RULE.replace("{effects}", "\n".join(f"- {each}" for each in order)))
        play.do("try <item>", item="lamp")
        hashes.add(play.state.hash)
    assert len(hashes) == 2


def test_created_things_have_new_ids_and_are_known_by_the_name_given(trying):
    play, outcome = trying("create [[coin]] in `player` as `first`", "create [[coin]] in `player`", 'say "{a first}"')
    made = play.derived("ann", "inventory")
    assert len(set(made)) == 2
    assert all(id.startswith("coin-") and len(id) == len("coin-") + 8 for id in made)
    assert outcome.text == "a coin"
    assert [change.after for change in outcome.changes if change.field == ""] == ["coin", "coin"]


def test_created_ids_are_the_same_for_the_same_inputs_and_new_each_turn(world):
    text = RULE.replace("{effects}", "- create [[coin]] in `player`")
    one, two = world(text), world(text)
    one.do("try <item>", item="lamp", seed=3)
    two.do("try <item>", item="lamp", seed=3)
    assert one.state.hash == two.state.hash
    one.do("try <item>", item="lamp", seed=3)
    assert len(one.derived("ann", "inventory")) == 2


def test_what_was_in_a_removed_thing_stays_where_it_was(trying, reloaded):
    play, outcome = trying("move `item` to [[box]]", "remove [[box]]")
    assert "box" not in play.state.rows
    assert play.get("lamp", "location") == "hall"
    assert ("box", "", "box", None) in outcome.changes
    assert "box" not in reloaded(play.state).rows
    assert reloaded(play.state).hash == play.state.hash


def test_players_and_places_with_players_cannot_be_removed(trying):
    assert trying("remove `player`")[1].status == "refused"
    assert trying("remove `room`")[1].status == "refused"


def test_an_award_is_given_once_per_reason(trying):
    play, _ = trying('award 2 for "trying"', 'award 3 for "trying"', 'award 1 for "trying {the item}"')
    assert play.get("ann", "score") == 3
    assert play.get("ann", "achievements") == ("trying", "trying the brass lamp")


def test_tell_reaches_a_player_or_everyone_in_a_place(world):
    play = world(RULE.replace("{effects}", '- tell [[hall]] "A draught."\n- tell `player` "Only you."'))
    for name in ("bob", "eve"):
        play.state = play.referee.join(play.state, name)
    play.do("go <direction>", by="eve", direction="down")
    outcome = play.do("try <item>", item="lamp")
    assert [(m.to, m.text) for m in outcome.messages] == [
        ("ann", "A draught."),
        ("bob", "A draught."),
        ("ann", "Only you."),
    ]
    assert outcome.text == "A draught.\nOnly you."


def test_a_line_with_when_runs_only_where_it_holds(trying):
    _, outcome = trying('when `player.mana > 5` → say "Strong."', 'when `player.mana == 5` → say "Fair."')
    assert outcome.text == "Fair."


def test_refuse_undoes_what_came_before(trying):
    play, outcome = trying("set `player.mana` to 1", 'refuse "No: {player.mana}."')
    assert (outcome.status, outcome.text) == ("refused", "No: 1.")
    assert play.get("ann", "mana") == 5


@pytest.mark.requirement("3.19")
def test_dice_come_from_the_recorded_seed(world):
    text = RULE.replace("{effects}", '- roll 2d6 as `n`\n- roll 1..100 as `m`\n- say "{n} {m}"')
    said = {seed: world(text).do("try <item>", item="lamp", seed=seed).text for seed in range(8)}
    assert said == {seed: world(text).do("try <item>", item="lamp", seed=seed).text for seed in range(8)}
    assert len(set(said.values())) > 4
    rolls = [tuple(map(int, text.split())) for text in said.values()]
    assert all(2 <= n <= 12 and 1 <= m <= 100 for n, m in rolls)


def test_dice_are_the_same_on_every_machine(world):
    text = RULE.replace("{effects}", '- roll 1..1000000 as `n`\n- say "{n}"')
    assert world(text).do("try <item>", item="lamp", seed=42).text == "156926"


TABLE = """
=== tab.md
---
table: tab
hit: {hit}
---
| `player.mana` | say |
|---|---|
| 0..4 | low |
| 5 | five |
| 3..9 | middle |
| >= 10 | high |
"""


@pytest.mark.parametrize(("hit", "said"), [("first", "five"), ("all", "five\nmiddle")])
def test_a_table_acts_by_its_hit_policy(trying, hit, said):
    _, outcome = trying("decide [[tab]]", more=TABLE.replace("{hit}", hit))
    assert outcome.text == said
    rows = [line for line in outcome.trace if line.kind == "row"]
    assert len(rows) == len(said.splitlines())


WEIGHTS = """
=== tab.md
---
table: tab
hit: random
---
| `player.mana` | weight | say |
|---|---|---|
| 5 | 3 | often |
| 5 | 1 | rarely |
| 5 | 0 | never |
"""


def test_a_random_table_draws_a_row_by_weight_from_the_seed(world):
    play = world(RULE.replace("{effects}", "- decide [[tab]]") + WEIGHTS)
    start, said = play.state, []
    for seed in range(200):
        play.state = start
        said.append(play.do("try <item>", item="lamp", seed=seed).text)
    assert set(said) == {"often", "rarely"}
    assert 110 < said.count("often") < 190


LOOP = """
=== tab.md
---
table: tab
hit: first
---
| `player.mana` | decide |
|---|---|
| - | [[tab]] |
"""


def test_a_table_that_leads_to_itself_is_refused(trying):
    _, outcome = trying("decide [[tab]]", more=LOOP)
    assert (outcome.status, outcome.text) == ("refused", "That goes round in circles.")


OWNERS = """
=== item.md
---
kind: item
---
## State
| Field | Type | Start | Meaning |
|---|---|---|---|
| owner | player | | |
=== claim.md
---
rule: claim
on: claim <item>
---
## Then
- set `item.owner` to `player`
=== release.md
---
rule: release
on: release <item>
---
## Then
- set `item.owner` to ""
=== list.md
---
rule: list
on: list
---
## Then
- say "{items.filter(i, i.owner == player)}"
=== box.md
---
item: box
in: hall
---
# Box
"""


def test_a_search_by_a_field_finds_what_the_field_holds_now(world, reloaded):
    play = world(OWNERS)
    assert ("item", "owner") in play.rulebook.indexed
    play.do("claim <item>", item="lamp")
    play.do("claim <item>", item="box")
    assert play.do("list").text == "box and brass lamp"
    play.do("release <item>", item="box")
    assert play.do("list").text == "brass lamp"
    play.state = reloaded(play.state)
    assert play.do("list").text == "brass lamp"
