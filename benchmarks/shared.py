"""A pure turn in a world of 1,000 players and 2,000 things; the floor is the same turn in a world of 20 instances."""

from __future__ import annotations

import tempfile
from itertools import cycle
from pathlib import Path

from benchmarks.measure import peak, rate, row, seconds
from kb.check import check
from kb.pages.source import open_source
from kb.referee import Action, Inputs, Referee, State
from kb.referee.parts import changed, head, parts

REQUIREMENTS = ("0.35", "0.45", "3.13")
PLAYERS, THINGS, ROOMS = 1_000, 2_000, 100
WORLD = """
--- world.md
---
experience: square
start: room-1
world: shared
players: 2000
---
# The square
--- go.md
---
rule: go
on: go <direction>
---
## When
- there is a way: `direction in room.exits`
## Then
- move `player` to `room.exits[direction]`
- tell `room` "{The player} comes in."
--- take.md
---
rule: take
on: take <item>
---
## Then
- move `item` to `player`
--- drop.md
---
rule: drop
on: drop <item>
---
## Then
- move `item` to `room`
--- cast.md
---
rule: cast
on: cast
---
## Then
- create [[spark]] in `player`
- remove `player.inventory[0]`
--- spark.md
---
item: spark
---
# Spark
"""


def world(folder: Path, rooms: int, things: int) -> Referee:
    """The referee of a ring of rooms with things evenly in them."""
    for page in WORLD.strip().removeprefix("--- ").split("\n--- "):
        path, _, text = page.partition("\n")
        (folder / path).write_text(text + "\n")
    for n in range(1, rooms + 1):
        text = f"---\nplace: room-{n}\nexits: {{east: room-{n % rooms + 1}}}\n---\n# Room {n}\n"
        (folder / f"room-{n}.md").write_text(text)
        count = things // rooms
        text = f"---\nitem: thing-{n}\nin: room-{n}\ncount: {count}\n---\n# Thing {n}\n"
        (folder / f"thing-{n}.md").write_text(text)
    checked = check(open_source(folder), run=False)
    assert not checked.errors, checked.errors
    (rulebook,) = checked.rulebooks.values()
    return Referee(rulebook)


def inhabited(referee: Referee, players: int, rooms: int) -> State:
    """Players who have spread over the rooms."""
    state = referee.new()
    inputs = Inputs(referee.rulebook.settings.begins)
    for n in range(players):
        state = referee.join(state, f"player-{n}")
        for _ in range(n % rooms):
            state = referee.resolve(state, f"player-{n}", Action("go <direction>", {"direction": "east"}), inputs).state
    return state


def measured(referee: Referee, start: State, player: str, actions: list[Action]) -> float:
    """Turns a second, with their deltas as a store takes them."""
    inputs, state, left = Inputs(referee.rulebook.settings.begins), start, cycle(actions)

    def turn() -> None:
        nonlocal state
        outcome = referee.resolve(state, player, next(left), inputs)
        assert outcome.status == "done", outcome.reason
        changed(state, outcome.state, outcome.touched)
        head(outcome.state)
        state = outcome.state

    return rate(turn)


def main() -> None:
    """Prints turns a second in both worlds and how much dearer the large one is (target: less than twice)."""
    with tempfile.TemporaryDirectory() as small, tempfile.TemporaryDirectory() as large:
        tiny, huge = world(Path(small), 2, 14), world(Path(large), ROOMS, THINGS)
    few, many = inhabited(tiny, 2, 2), inhabited(huge, PLAYERS, ROOMS)
    row("instances", f"{len(few.rows)} and {len(many.rows):,}")
    thing = Action("take <item>", {"item": "thing-1-1"}), Action("drop <item>", {"item": "thing-1-1"})
    go = [Action("go <direction>", {"direction": "east"})]
    for name, actions in {
        "take and drop": [*thing],
        "go (and tell the room)": go,
        "create and remove": [Action("cast")],
    }.items():
        floor, rated = measured(tiny, few, "player-0", actions), measured(huge, many, "player-0", actions)
        row(f"{name}: small (floor), large", f"{floor:,.0f}/s {rated:,.0f}/s", f"{floor / rated:.2f} floors a turn")
    joined = 1 / rate(lambda: huge.join(many, "someone")), 1 / rate(lambda: tiny.join(few, "someone"))
    row("one more player", f"{joined[0] * 1e6:,.0f} µs", f"{joined[0] / joined[1]:.2f} floors")
    stored = head(many), parts(many)
    row("all parts", f"{seconds(lambda: parts(many)) * 1e3:,.1f} ms", f"{len(stored[1]):,} parts")
    row("loading them", f"{seconds(lambda: huge.load_parts(*stored)) * 1e3:,.1f} ms")
    row("peak memory", f"{peak()} MiB")


if __name__ == "__main__":
    main()
