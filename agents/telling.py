"""Owns what a turn in a shared world tells others: events of rooms and players, each with a line for who was there.

`heard(…)` gives what is stored with the turn, `told(…)` what is published. It must not know who listens, or how.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from agents.held import Json
from agents.record import plain
from agents.worlds import World
from kb.expressions.frame import EvaluationError
from kb.referee import Action, Change, Outcome, State
from storage import Seat, Told, new_id

EventType = Literal["player_move", "npc_action", "ambiance", "player_message", "quest_update"]


def heard(
    world: World,
    before: State,
    after: State,
    actor: str,
    outcomes: Sequence[Outcome],
    actions: Sequence[Action],
) -> list[Json]:
    """What players other than the actor hear of a turn: each with `to` (their instance), `type`, `text` and `who`.

    What rules say to somebody stands for what else they would be told of the same turn.
    """
    found: list[Json] = []
    spoken: set[str] = set()
    for outcome in outcomes:
        if outcome.status != "done":
            continue
        for message in outcome.messages:
            if message.to != actor:
                spoken.add(message.to)
                type_: EventType = "player_message" if actor else "ambiance"
                found.append(_event(message.to, type_, message.text, actor))
    for outcome in outcomes:
        for change in outcome.changes:
            found += [each for each in _seen(world, before, after, change) if each["to"] not in {actor, *spoken}]
            found += _quests(after, change, actor)
    found += _deeds(world, after, actor, outcomes, actions, {each["to"] for each in found})
    return found


def everyone(state: State, actor: str, text: str) -> list[Json]:
    """A line to all players."""
    return [_event(each, "ambiance", text, actor) for each in state.players if each != actor]


def came(before: State, after: State, player: str) -> list[Json]:
    """What those who are there hear of a player who joins (or leaves, where `after` has them not)."""
    state, line = (after, "{} comes.") if player in after.rows else (before, "{} is gone.")
    row = state.rows[player]
    text = line.format(row["name"])
    return [_event(each, "player_move", text, player) for each in _there(state, row["location"]) if each != player]


def _event(to: str, type: EventType, text: str, who: str, **more: Any) -> Json:
    return {"to": to, "type": type, "text": text, "who": who, **more}


def in_rooms(world: World, before: State, after: State, outcomes: Sequence[Outcome]) -> list[Json]:
    """What happened in places, for whoever comes there later: each with `room`, `type` and `text`."""
    found: list[Json] = []
    for change in (change for outcome in outcomes for change in outcome.changes):
        type_ = _goer(world, before, after, change)
        if type_ is not None:
            for room, state, text in _going(before, after, change):
                if all(_perceives(world, state, each, change.id) for each in _there(state, room)):
                    found.append({"room": room, "type": type_, "text": text})
    return found


def _seen(world: World, before: State, after: State, change: Change) -> Iterator[Json]:
    """Players and agents that go: who sees them go, and who sees them come."""
    type_ = _goer(world, before, after, change)
    if type_ is not None:
        for room, state, text in _going(before, after, change):
            for each in _there(state, room):
                if each != change.id and _perceives(world, state, each, change.id):
                    yield _event(each, type_, text, change.id)


def _goer(world: World, before: State, after: State, change: Change) -> EventType | None:
    """What it is that somebody goes from one place to another; None where nobody does."""
    id = change.id
    if change.field != "location" or id not in before.rows or id not in after.rows:
        return None
    return "player_move" if _is_player(before, id) else "npc_action" if id in world.rulebook.agents else None


def _going(before: State, after: State, change: Change) -> Iterator[tuple[str, State, str]]:
    """The place that is left and the one that is entered, each with the state in which to look, and a line."""
    name, goal = after.rows[change.id]["name"], change.after
    if change.before in before.rows:
        yield change.before, before, f"{name} leaves{f' for the {_name(after, goal)}' if goal in after.rows else ''}."
    if goal in after.rows:
        yield goal, after, f"{name} arrives."


def _deeds(
    world: World,
    after: State,
    actor: str,
    outcomes: Sequence[Outcome],
    actions: Sequence[Action],
    knowing: Container[str],
) -> Iterator[Json]:
    """What somebody does before the eyes of those who have not heard of it yet."""
    if actor not in after.rows:
        return
    row = after.rows[actor]
    for each in _there(after, row["location"]):
        if each == actor or each in knowing:
            continue
        for action, outcome in zip(actions, outcomes, strict=False):
            changed = {change.id for change in outcome.changes if change.id in after.rows} - {actor, "world"}
            if action.text and any(_perceives(world, after, each, id) for id in changed):
                yield _event(each, "player_message", f"{row['name']}: {action.text}", actor)


def _quests(after: State, change: Change, actor: str) -> Iterator[Json]:
    """Quests of players that moved on while somebody else, or nobody, acted."""
    if change.field != "quests" or change.id == actor or change.id not in after.rows:
        return
    flows = after.rulebook.workflows
    for id, status in change.after.items():
        if change.before.get(id) != status and id in flows:
            text = f"{flows[id].name}: {status}."
            yield _event(change.id, "quest_update", text, change.id, quest=id, status=str(status))


def _there(state: State, place: str) -> list[str]:
    return [each for each in state.index["location"].get(place, ()) if _is_player(state, each)]


def _is_player(state: State, id: str) -> bool:
    return state.rows[id]["kind"] == "player"


def _name(state: State, id: str) -> str:
    return str(state.rows[id].get("name") or id)


def _perceives(world: World, state: State, player: str, id: str) -> bool:
    """Whether a player is aware of something: not in the dark, not where it hides."""
    if "perceivable" not in world.session.referee.derivations.of(state.template(id)):
        return True
    try:
        return world.session.referee.frame(state, player).derived(id, "perceivable") is True
    except EvaluationError:
        return False


def told(
    game: str, number: int, made: float, events: Iterable[Json], members: Mapping[str, Seat], places: Iterable[Json]
) -> tuple[Told, ...]:
    """Events of turn `number`, taken at `made` (seconds since 1970), as messages: to each player on their channel, and on
    those of places. `at` tells those of one turn apart."""
    to = [(f"user:{members[each['to']].player}" if each["to"] in members else "", each) for each in events]
    to += [(f"room:{game}:{each['room']}", each) for each in places]
    return tuple(
        Told(new_id(), channel, {"game": game, "turn": number, "at": at, "made": made, **_outward(each)}, number)
        for at, (channel, each) in enumerate(to)
        if channel
    )


def _outward(event: Json) -> Json:
    """Without the ids of instances, which no client is shown."""
    return {name: plain(value) for name, value in event.items() if name not in ("to", "who", "room")}
