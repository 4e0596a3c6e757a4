"""Owns what it means to begin anew: a fresh world with everyone who has a place in it, and the backup before.

`begun(…)` and `with_members(…)` give states, for the game service and for replay. It must not know turns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from agents.held import Held, Json, whole
from kb.referee import State
from kb.session import Session
from storage import Loaded, Seat, Store

ROLES = frozenset({"gm", "admin"})
"""Who may begin a shared world anew for everyone, and put it back."""

Member = tuple[str, str, str]
"""The instance, name and role of a player."""


def inputs(seats: Sequence[Seat]) -> Json:
    """Who takes part in a beginning, in order of joining: recorded with it."""
    return {"players": [[seat.instance, seat.name, seat.role] for seat in seats]}


def members(inputs: Mapping[str, Any]) -> list[Member]:
    """Those of recorded inputs."""
    return [(instance, name, role) for instance, name, role in inputs["players"]]


def begun(session: Session, state: State, instance: str, inputs: Mapping[str, Any], *, shared: bool) -> State:
    """The state of a beginning: of the whole world, or, where one player of a shared one begins anew, of their place."""
    if shared and instance:
        (member,) = members(inputs)
        return session.referee.join(session.referee.leave(state, instance), *member)
    return with_members(session, session.referee.new(), inputs)


def with_members(session: Session, state: State, inputs: Mapping[str, Any]) -> State:
    """A state of some time, for those who are members now: who came since stands at the start, who left is gone."""
    referee, present = session.referee, members(inputs)
    for player in sorted(set(state.players) - {instance for instance, _, _ in present}):
        state = referee.leave(state, player)
    for member in present:
        if member[0] not in state.rows:
            state = referee.join(state, *member)
    return state


async def back_up(store: Store, held: Held, at: datetime) -> str:
    """Keeps the game as it is under a name of time and turn; the name. The last five backups of a game stay."""
    name = f"backup-{at:%Y%m%d-%H%M%S}-{held.record.version}"
    await store.save(name, Loaded(held.record, whole(held)), backup=True)
    return name
