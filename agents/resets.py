"""Owns what it means to begin a world anew: the fresh state with everyone who has a place in it, and the backup before.

`anew(…)`, `with_members(…)`, `back_up(…)`. It must not know turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from agents.held import Held, whole
from agents.worlds import World
from kb.referee import State
from storage import Loaded, Seat, Store

ROLES = frozenset({"gm", "admin"})
"""Who may begin a shared world anew for everyone, and put it back."""


def anew(world: World, members: Sequence[Seat]) -> State:
    """The world at its start, with everyone who has a seat in it, in the order in which they came."""
    return with_members(world, world.session.referee.new(), members)


def with_members(world: World, state: State, members: Sequence[Seat]) -> State:
    """A state of some time, for those who are members now: who came since stands at the start, who left is gone."""
    referee, present = world.session.referee, {seat.instance for seat in members}
    for player in state.players:
        if player not in present:
            state = referee.leave(state, player)
    for seat in members:
        if seat.instance not in state.rows:
            state = referee.join(state, seat.instance, seat.name, seat.role)
    return state


async def back_up(store: Store, held: Held, at: datetime) -> str:
    """Keeps the game as it is under the name of the time; the name. The last five backups of a game stay."""
    name = f"backup-{at:%Y%m%d-%H%M%S}"
    await store.save(name, Loaded(held.record, whole(held)), backup=True)
    return name
