"""Owns games between the store and the referee: stored parts read as a state, and a turn's changes as parts.

`read(loaded, session)` gives a `Held`; `written(before, after, touched)` what is to be stored. It must not know transports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agents.record import plain
from kb.referee import State, parts
from kb.referee.shape import TEMPLATE, Row
from kb.session import Session
from storage import GameRecord, Loaded, Part

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """A game in memory. `carried` holds the parts as they are stored where the rules changed since they were written."""

    record: GameRecord
    state: State
    dialogues: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """By the players' instances."""
    carried: Mapping[str, parts.Part] | None = None
    notes: tuple[str, ...] = ()

    def after(self, record: GameRecord, state: State, dialogues: Mapping[str, Json]) -> Held:
        """The game after a turn, which is stored whole where the rules changed before."""
        return replace(self, record=record, state=state, dialogues=dialogues, notes=())


def read(loaded: Loaded, session: Session) -> Held:
    """A stored game under a session's rules. Raises `kb.referee.NotAState`."""
    rulebook = session.rulebook
    stored: dict[str, parts.Part] = {}
    dialogues: dict[str, Json] = {}
    for id, part in loaded.parts.items():
        data: Json = {"template": part.template, "kind": part.kind, **part.data}
        if "dialogue" in data:
            dialogues[id] = data.pop("dialogue")
        stored[id] = data
    state, notes = session.referee.load_parts(loaded.game.head, stored)
    if loaded.game.commit == rulebook.commit:
        return Held(loaded.game, state, dialogues)
    changed = f"The rules changed (commit {rulebook.commit[:14]})."
    return Held(loaded.game, state, dialogues, stored, (changed, *(f"{note}." for note in notes[:5])))


def written(before: Held, after: Held, touched: Iterable[str] | None) -> dict[str, Part | None]:
    """The parts to store after turns that touched these instances (None: whichever differ)."""
    if before.carried is not None:
        found = parts.rewritten(before.carried, after.state)
    else:
        found = parts.changed(before.state, after.state, touched)
    for id, dialogue in after.dialogues.items():
        if id not in found and dialogue != before.dialogues.get(id) and id in after.state.rows:
            found[id] = after.state.part(id)
    return {id: None if part is None else stored(after, id, part) for id, part in found.items()}


def whole(held: Held) -> dict[str, Part]:
    """Every part of a game, as for a save."""
    return {id: stored(held, id, part) for id, part in parts.parts(held.state).items()}


def stored(held: Held, id: str, part: parts.Part) -> Part:
    """A part with the columns that can be asked for."""
    state = held.state
    row = state.rows[id]
    data = {name: value for name, value in part.items() if name not in ("template", "kind")}
    if id in held.dialogues:
        data["dialogue"] = held.dialogues[id]
    fields = part["fields"]
    tags = tuple(f"{name}={plain(row[name])}" for name in state.shape.indexed if name in fields and name != "location")
    # Where players are is theirs: nobody finds them by it.
    point = None if "player" in state.shape.isa[row[TEMPLATE]] else point_of(row)
    return Part(part["template"], part["kind"], data, row.get("location"), point, tags)


def point_of(row: Row) -> tuple[float, float] | None:
    """Where something is on Earth; None where nothing says so (a point that is not set is 0, 0)."""
    lat, lng = row.get("point") or (0.0, 0.0)
    return (lat, lng) if lat or lng else None
