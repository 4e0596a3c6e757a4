"""Owns what a turn means for a player's progress: how far they are, and what happened to them.

`progress_of(…)` and `events_of(…)` read states and outcomes. It must not know how they are stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from math import asin, cos, radians, sin, sqrt
from typing import Any, cast

from agents.held import Held, point_of
from agents.record import plain
from agents.worlds import Where
from kb.referee import Outcome, State
from storage import Progress, ProgressEvent, Seat, new_id
from storage.cells import EARTH

PAUSE = 300.0
"""Seconds: a longer pause between two turns is no playing time."""
SESSION = 1800.0
"""Seconds: after a longer pause the player comes back, which is an event."""


def experience_of(where: Where) -> str:
    """The name of an experience in everything that is counted: its location; a branch and one of several are told apart."""
    experience = f"#{where.experience}" if where.experience else ""
    return f"{where.location}{experience}{f'@{where.revision}' if where.revision else ''}"


def progress_of(
    experience: str, seat: Seat, before: State | None, held: Held, at: datetime, *, turns: int, playtime: float
) -> Progress:
    """How far the player of a seat is. `before` is the state before the turn; None where the player has just begun."""
    state = held.state
    row = state.rows[seat.instance]
    point = point_of(row)
    former = None if before is None else point_of(before.rows.get(seat.instance, {}))
    return Progress(
        player=seat.player,
        experience=experience,
        handle=seat.handle,
        at=at,
        location=str(row.get("location", "")),
        score=row["score"],
        completion=_completion(state, row),
        completed=bool(row["ended"]),
        playtime=playtime,
        turns=turns,
        distance=_metres(former, point) if former and point else 0.0,
        point=point,
        inventory=tuple(state.template(id) for id in state.index["location"].get(seat.instance, ())),
        visited=tuple(row["visited"]),
        state={"quests": plain(row["quests"]), "achievements": list(row["achievements"]), "ended": row["ended"]},
    )


def _completion(state: State, row: Mapping[str, Any]) -> float:
    """By score where the world has a maximum, else by quests."""
    most = state.rulebook.settings.max_score
    quests = [flow.id for flow in state.rulebook.workflows.values() if flow.quest]
    if most:
        return max(0.0, min(1.0, row["score"] / most))
    if quests:
        return sum(row["quests"].get(id) == "completed" for id in quests) / len(quests)
    return 1.0 if row["ended"] else 0.0


def _metres(one: tuple[float, float], two: tuple[float, float]) -> float:
    """The haversine distance of two points in degrees."""
    (lat, lng), (lat2, lng2) = ((radians(a), radians(b)) for a, b in (one, two))
    half = sin((lat2 - lat) / 2) ** 2 + cos(lat) * cos(lat2) * sin((lng2 - lng) / 2) ** 2
    return 2 * EARTH * asin(sqrt(min(1.0, half)))


def summed(progress: Iterable[Progress]) -> tuple[Progress, ...]:
    """One for each player and experience: what is added is summed, all else as it was last."""
    found: dict[tuple[str, str], Progress] = {}
    for each in progress:
        key = (each.player, each.experience)
        before = found.get(key)
        found[key] = (
            each
            if before is None
            else replace(
                each,
                playtime=before.playtime + each.playtime,
                turns=before.turns + each.turns,
                distance=before.distance + each.distance,
                completed=before.completed or each.completed,
            )
        )
    return tuple(found.values())


def came(type: str, experience: str, seat: Seat, state: State, at: datetime) -> ProgressEvent:
    """The event that a player begins, or comes back, at the place where they stand."""
    row = state.rows[seat.instance]
    return ProgressEvent(new_id(), seat.player, experience, type, at, str(row.get("location", "")), None, point_of(row))


def events_of(
    experience: str, seat: Seat, before: State, after: State, outcomes: Iterable[Outcome], at: datetime
) -> list[ProgressEvent]:
    """What happened to the player in a turn: moves, things, quests, score, the end, and what rules emitted."""
    place = point_of(after.rows[seat.instance])

    def event(type: str, content: str = "", **data: Any) -> ProgressEvent:
        return ProgressEvent(new_id(), seat.player, experience, type, at, content, data or None, place)

    found: list[ProgressEvent] = []
    for outcome in outcomes:
        for change in outcome.changes:
            if change.id == seat.instance:
                found += [event(*each) for each in _of_player(before, change.field, change.before, change.after)]
            elif change.field == "location" and seat.instance in (change.before, change.after):
                taken = change.after == seat.instance
                content = after.template(change.id) if change.id in after.rows else change.id
                found.append(event("item_collected" if taken else "item_dropped", content))
        found += [
            event("event", each.name, **{key: plain(value) for key, value in each.values.items()})
            for each in outcome.events
            if each.player == seat.instance
        ]
    score = after.rows[seat.instance]["score"] - before.rows[seat.instance]["score"]
    if score:
        found.append(event("score_changed", by=score))
    return found


def _of_player(state: State, field: str, before: Any, after: Any) -> list[tuple[str, str]]:
    match field:
        case "location":
            return [("location_entered", str(after))]
        case "visited":
            known = set(before)
            return [("location_visited", str(each)) for each in after if each not in known]
        case "quests":
            former = cast("Mapping[str, Any]", before)
            changed = {id: status for id, status in after.items() if former.get(id) != status}
            return [(f"quest_{_QUEST.get(str(status), status)}", id) for id, status in changed.items()]
        case "achievements":
            return [("achievement_earned", str(each)) for each in after if each not in before]
        case "ended":
            return [("experience_ended", str(after))] if after else []
        case _:
            return []


_QUEST = {"active": "started"}
