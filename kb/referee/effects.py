"""Owns what each effect does to a turn.

`run_effects(turn, effects, engine)`; the engine is the referee, for effects that lead to rules. It must not know which
rule an effect is of.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Protocol, cast

from kb.expressions.frame import EvaluationError
from kb.referee.frame import Turn
from kb.referee.model import Event, Refused, TraceLine
from kb.referee.state import digest
from kb.referee.targets import read_target, write_target
from kb.rulebook import (
    Add,
    Award,
    Create,
    Decide,
    Do,
    Effect,
    Emit,
    EndGame,
    Move,
    Progress,
    Put,
    Refuse,
    Remove,
    Roll,
    Row,
    Say,
    Schedule,
    Set,
    Take,
    Tell,
    Test,
)
from kb.types import INT_MAX, INT_MIN, LIST_LIMIT

MAX_INSTANCES = 100_000
MAX_DUE = 1_000
MAX_EVENTS = 200
MAX_DEPTH = 16


class Engine(Protocol):
    """What effects need of the referee."""

    def do(self, turn: Turn, action: str, roles: dict[str, Any]) -> None:
        """Another action by the same player."""
        ...

    def progress(self, turn: Turn, verb: str, id: str) -> None:
        """start, advance, end or fail of a quest or workflow."""
        ...


def run_effects(turn: Turn, effects: Iterable[Effect], engine: Engine) -> None:
    """Runs effects in order; the first that cannot be done refuses the turn.

    The effects of one line share its condition, which is asked once, before the first of them.
    """
    trace = turn.trace
    asked, held = None, True
    for effect in effects:
        turn.spend(1)
        if effect.when is not None:
            if effect.when is not asked:
                asked, held = effect.when, effect.when(turn)
            if not held:
                continue
        trace.append(TraceLine("effect", effect.span, effect.source, None))
        try:
            _APPLY[type(effect)](turn, effect, engine)
        except EvaluationError as error:
            raise Refused("That cannot be worked out.", f"{effect.source}: {error}") from None


# --- Fields ---------------------------------------------------------------------------------------


def _set(turn: Turn, effect: Set, engine: Engine) -> None:
    target = effect.target
    if target.field == "location" and not target.steps:
        _move_to(turn, target.root(turn), effect.value(turn), effect.source)
    else:
        write_target(turn, target, effect.value(turn), effect.source)


def _add(turn: Turn, effect: Add, engine: Engine) -> None:
    before, amount = read_target(turn, effect.target), effect.amount(turn)
    try:
        after = before + amount if effect.sign > 0 else before - amount
    except OverflowError:
        raise Refused("That goes too far.", f"{effect.source}: the time is out of range") from None
    if isinstance(after, int) and not INT_MIN <= after <= INT_MAX:
        raise Refused("That goes too far.", f"{effect.source}: the number is too large")
    write_target(turn, effect.target, after, effect.source)


def _put(turn: Turn, effect: Put, engine: Engine) -> None:
    values, value = read_target(turn, effect.target), effect.value(turn)
    if value not in values:
        if len(values) >= LIST_LIMIT:
            raise Refused("That is too much.", f"{effect.source}: the list is full")
        write_target(turn, effect.target, (*values, value), effect.source)


def _take(turn: Turn, effect: Take, engine: Engine) -> None:
    values, value = read_target(turn, effect.target), effect.value(turn)
    if value in values:
        at = values.index(value)
        write_target(turn, effect.target, (*values[:at], *values[at + 1 :]), effect.source)


# --- Things ---------------------------------------------------------------------------------------


def _move(turn: Turn, effect: Move, engine: Engine) -> None:
    _move_to(turn, effect.what(turn), effect.to(turn), effect.source)


def _move_to(turn: Turn, id: str, to: str, source: str) -> None:
    row = turn.rows.get(id)
    if row is None:
        raise Refused("That is not there.", f"{source}: there is no {id!r}")
    holder = to
    for _ in range(len(turn.rows) + 1):
        if holder == id:
            raise Refused("It cannot be inside itself.", f"{source}: {id} would be inside itself")
        if holder not in turn.rows:
            break
        holder = turn.rows[holder].get("location", "")
    before = row.get("location")
    turn.write(id, "location", to, source)
    if to != before and turn.isa(id, "player") and turn.isa(to, "place"):
        visited = turn.rows[id]["visited"]
        if to not in visited and len(visited) < LIST_LIMIT:
            turn.write(id, "visited", (*visited, to), source)
        turn.arrivals.append((id, to))


def _create(turn: Turn, effect: Create, engine: Engine) -> None:
    if len(turn.rows) >= MAX_INSTANCES:
        raise Refused("There is no room for more.", f"{effect.source}: there are {MAX_INSTANCES} things")
    to = effect.to(turn) if effect.to is not None else ""
    if to and to not in turn.rows:
        raise Refused("That is not there.", f"{effect.source}: there is no {to!r}")
    made = turn.book["made"] + 1
    turn.book = {**turn.book, "made": made}
    # The count makes an id that never comes again; the digest keeps it from being guessed.
    code = base64.b32encode(digest("@made", turn.inputs.seed, made).to_bytes(16, "big")[:5]).decode().lower()
    id = f"{effect.template}-{code}"
    if id in turn.rows:
        id = f"{id}-{made}"
    row = {**turn.shape.fresh[effect.template], "id": id}
    if "location" in row:
        row["location"] = to
    turn.add_instance(row)
    if effect.name is not None:
        turn.vars[effect.name] = id


def _remove(turn: Turn, effect: Remove, engine: Engine) -> None:
    id = effect.what(turn)
    row = turn.rows.get(id)
    if row is None:
        raise Refused("That is not there.", f"{effect.source}: there is no {id!r}")
    inside = turn.index["location"].get(id, ())
    if turn.isa(id, "player") or id == "world":
        raise Refused("That cannot be done.", f"{effect.source}: a {row['kind']} cannot be removed")
    if "location" not in row and any(turn.isa(each, "player") for each in inside):
        raise Refused("That cannot be done.", f"{effect.source}: someone is in it")
    for inner in inside:
        turn.write(inner, "location", row.get("location", ""), effect.source)
    turn.remove_instance(id)
    seed = turn.shape.seeds.get(id)
    if seed is not None and seed.location != "player":
        turn.book = {**turn.book, "gone": [*turn.book["gone"], id]}


# --- Words, events, progress ----------------------------------------------------------------------


def _say(turn: Turn, effect: Say, engine: Engine) -> None:
    turn.say(turn.player, effect.text(turn), effect.text.span)


def _tell(turn: Turn, effect: Tell, engine: Engine) -> None:
    text = effect.text(turn)
    if effect.to is None:
        for player in players_in(turn, turn.vars["room"]):
            if player != turn.player:
                turn.say(player, text, effect.text.span)
        return
    to = effect.to(turn)
    if turn.isa(to, "player"):
        turn.say(to, text, effect.text.span)
    elif to:
        for player in players_in(turn, to):
            turn.say(player, text, effect.text.span)


def players_in(turn: Turn, holder: str) -> list[str]:
    """The players in a place (or thing), however deep, in order of creation; at the cost of what is in there."""
    inside, found, index = [holder], list[str](), turn.index["location"]
    for each in inside:
        for id in index.get(each, ()):
            if turn.isa(id, "player"):
                found.append(id)
            if id in index and not turn.isa(id, "place"):
                inside.append(id)
    return sorted(found, key=turn.numbers.__getitem__)


def _emit(turn: Turn, effect: Emit, engine: Engine) -> None:
    if len(turn.events) >= MAX_EVENTS:
        raise Refused("Too much happens at once.", f"{effect.source}: more than {MAX_EVENTS} events in a turn")
    values = {name: value(turn) for name, value in effect.values.items()}
    turn.events.append(Event(effect.event, values, turn.player))


def _schedule(turn: Turn, effect: Schedule, engine: Engine) -> None:
    due = turn.book["due"]
    if len(due) >= MAX_DUE:
        raise Refused("Too much is planned already.", f"{effect.source}: {MAX_DUE} events are due")
    now: datetime = turn.rows["world"]["time"]
    try:
        at = now + effect.delay(turn) if effect.delay is not None else effect.at(turn) if effect.at else now
    except OverflowError:
        raise Refused("That is too far away.", f"{effect.source}: the time is out of range") from None
    values = {name: packed(value(turn)) for name, value in effect.values.items()}
    made = turn.book["made"] + 1
    entry = [at.isoformat(), made, effect.event, values, turn.player]
    turn.book = {**turn.book, "made": made, "due": sorted([*due, entry])}


def packed(value: Any) -> Any:
    """A run-time value as JSON that `unpacked` reads without knowing its type."""
    match value:
        case datetime():
            return {"@time": value.isoformat()}
        case timedelta():
            return {"@duration": value.total_seconds()}
        case dict():
            return {key: packed(each) for key, each in cast("dict[str, Any]", value).items()}
        case tuple() | list():
            return [packed(each) for each in cast("Iterable[Any]", value)]
        case _:
            return value


def unpacked(value: Any) -> Any:
    """What `packed` wrote."""
    match value:
        case {"@time": str(text)}:
            return datetime.fromisoformat(text)
        case {"@duration": int(seconds) | float(seconds)}:
            return timedelta(seconds=seconds)
        case dict():
            return {key: unpacked(each) for key, each in cast("dict[str, Any]", value).items()}
        case list():
            return tuple(unpacked(each) for each in cast("list[Any]", value))
        case _:
            return value


def _progress(turn: Turn, effect: Progress, engine: Engine) -> None:
    engine.progress(turn, effect.verb, effect.id)


def _end_game(turn: Turn, effect: EndGame, engine: Engine) -> None:
    text = effect.text(turn)
    turn.write(turn.player, "ended", text or "The game is over.", effect.source)
    turn.say(turn.player, text, effect.text.span)


def _award(turn: Turn, effect: Award, engine: Engine) -> None:
    row, reason = turn.acting_row(effect.source), effect.reason(turn)
    if reason not in row["achievements"]:
        turn.write(turn.player, "achievements", (*row["achievements"], reason), effect.source)
        turn.write(turn.player, "score", row["score"] + effect.amount(turn), effect.source)


def _roll(turn: Turn, effect: Roll, engine: Engine) -> None:
    turn.spend(effect.dice)
    turn.vars[effect.name] = sum(turn.draw(effect.low, effect.high) for _ in range(effect.dice))


def _do(turn: Turn, effect: Do, engine: Engine) -> None:
    with_depth(turn, effect.source)
    engine.do(turn, effect.action, {name: value(turn) for name, value in effect.roles.items()})
    turn.depth -= 1


def with_depth(turn: Turn, source: str) -> None:
    """One level deeper. A turn that goes round in circles is refused, and never comes back up."""
    turn.depth += 1
    if turn.depth > MAX_DEPTH:
        why = f"more than {MAX_DEPTH} actions and tables lead to one another"
        raise Refused("That goes round in circles.", f"{source}: {why}")


def _refuse(turn: Turn, effect: Refuse, engine: Engine) -> None:
    raise Refused(effect.text(turn))


# --- Tables ---------------------------------------------------------------------------------------


def _decide(turn: Turn, effect: Decide, engine: Engine) -> None:
    table = turn.shape.rulebook.tables[effect.table]
    with_depth(turn, effect.source)
    turn.spend(len(table.rows))
    values = [expr(turn) for expr in table.inputs]
    fitting = (row for row in table.rows if _matches(turn, row, values))
    match table.hit:
        case "first" | "unique":
            hits = [row for row in (next(fitting, None),) if row is not None]
        case "all":
            hits = list(fitting)
        case "random":
            hits = _drawn(turn, list(fitting))
    for row in hits:
        turn.trace.append(TraceLine("row", row.span, table.id, True))
        run_effects(turn, row.effects, engine)
    turn.depth -= 1


def _drawn(turn: Turn, rows: list[Row]) -> list[Row]:
    """One of the rows, by weight; none where all weigh nothing."""
    total = sum(row.weight for row in rows)
    at = turn.draw(1, total) if total > 0 else 0
    for row in rows:
        if 0 < at <= row.weight:
            return [row]
        at -= row.weight
    return []


def _matches(turn: Turn, row: Row, values: list[Any]) -> bool:
    return all(_fits(turn, test, value) for test, value in zip(row.tests, values, strict=True))


def _fits(turn: Turn, test: Test, value: Any) -> bool:
    match test.op:
        case "any":
            return True
        case "in":
            return value in test.values
        case "not-in":
            return value not in test.values
        case "range":
            return test.values[0] <= value <= test.values[1]
        case "is":
            wanted = test.expr(turn) if test.expr is not None else True
            return wanted if isinstance(wanted, bool) and not isinstance(value, bool) else wanted == value
        case "<":
            return value < test.values[0]
        case "<=":
            return value <= test.values[0]
        case ">":
            return value > test.values[0]
        case ">=":
            return value >= test.values[0]
        case "!=":
            return value != test.values[0]


_APPLY: dict[type[Effect], Callable[[Turn, Any, Engine], None]] = {
    Set: _set,
    Add: _add,
    Put: _put,
    Take: _take,
    Move: _move,
    Create: _create,
    Remove: _remove,
    Say: _say,
    Tell: _tell,
    Emit: _emit,
    Schedule: _schedule,
    Progress: _progress,
    EndGame: _end_game,
    Award: _award,
    Roll: _roll,
    Do: _do,
    Refuse: _refuse,
    Decide: _decide,
}
