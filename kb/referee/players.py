"""Owns how players come into a world and leave it, and what they have with them.

`join(turn, …)` and `leave(turn, …)` cost what that player has, however large the world is. It must not know rules.
"""

from __future__ import annotations

from collections.abc import Container

from kb.referee.frame import Turn
from kb.referee.shape import Row, Shape
from kb.referee.state import new_state, seeded


class WorldIsFull(ValueError):
    """The world holds as many players as it may: `hint` says what to do."""

    def __init__(self, players: int):
        super().__init__(f"the world is full: {players} players are in it")
        self.hint = "Wait until someone leaves, or raise `players:` on the experience's page."


def given(shape: Shape, player: str, first: bool, had: Container[str]) -> dict[str, Row]:
    """Seed → row of what a player is given from the start, without what they had. The first one's have the seeds' ids."""
    return {
        seed.id: seeded(shape, seed.id if first else f"{seed.id}@{player}", seed, player)
        for seed in shape.given
        if seed.id not in had
    }


def join(turn: Turn, player: str, name: str, role: str) -> None:
    """A new player at the start. Raises `WorldIsFull`, and ValueError where the id is taken or empty."""
    shape, rulebook = turn.shape, turn.shape.rulebook
    if not player or player in turn.rows or player in rulebook.templates or player in shape.seeds:
        raise ValueError(f"{player!r} cannot be a player's id: it is empty or taken")
    settings, present = rulebook.settings, turn.every("player")
    if settings.shared and len(present) >= settings.players:
        raise WorldIsFull(len(present))
    flows = [flow for flow in rulebook.workflows.values() if flow.begin]
    start, first = settings.start, not present
    turn.add_instance(
        {
            **shape.fresh["player"],
            "id": player,
            "name": name,
            "role": role,
            "location": start,
            "quests": {flow.id: "active" for flow in flows if flow.quest},
            "visited": (start,) if start else (),
        }
    )
    turn.keep(player, "steps", {flow.id: [flow.steps[0].slug, 0, False] for flow in flows if flow.steps})
    things = given(shape, player, first, ())
    turn.keep(player, "had", sorted(things))
    for row in things.values():
        # Someone of this name may have been here before and have given the thing away.
        if row["id"] not in turn.rows:
            turn.add_instance(row)


def leave(turn: Turn, player: str) -> None:
    """A player goes, with what they came with or was made for them; what is the world's stays where they stood.

    Raises ValueError where there is no such player.
    """
    if not turn.isa(player, "player"):
        raise ValueError(f"there is no player {player!r}")
    world, place = new_state(turn.shape).rows, turn.rows[player]["location"]
    going = [player]
    for holder in going:
        for id in turn.index["location"].get(holder, ()):
            if id in world or turn.isa(id, "player"):
                turn.write(id, "location", place, "leave")
            else:
                going.append(id)
    for id in reversed(going):
        turn.remove_instance(id)
    turn.forget(player)
