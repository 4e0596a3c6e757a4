"""Owns what each effect does to a turn.

`apply(turn, effect, run)`: `run` is the referee, for effects that lead to rules. It must not know which rule an effect is of.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol, cast

from kb.expressions.frame import EvaluationError
from kb.referee.frame import MAX_CHAIN, Turn
from kb.referee.model import Event, Refused, TraceLine
from kb.referee.state import digest
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
    Table,
    Take,
    Target,
    Tell,
    Test,
)
from kb.types import INT_MAX, INT_MIN, LIST_LIMIT

MAX_INSTANCES = 100_000
MAX_DUE = 1_000


class Runner(Protocol):
    """What effects need of the referee."""

    def do(self, turn: Turn, action: str, roles: dict[str, Any]) -> None: ...
    def entered(self, turn: Turn, player: str, place: str) -> None: ...
    def progress(self, turn: Turn, verb: str, id: str) -> None: ...


def run_effects(turn: Turn, effects: Iterable[Effect], runner: Runner) -> None:
    """Runs effects in order; the first that cannot be done refuses the turn."""
    for effect in effects:
        if effect.when is not None and not effect.when(turn):
            continue
        turn.trace.append(TraceLine("effect", effect.span, effect.source, None))
        try:
            _APPLY[type(effect)](turn, effect, runner)
        except EvaluationError as error:
            raise Refused("That cannot be worked out.", f"{effect.source}: {error}") from None


# --- Fields ---------------------------------------------------------------------------------------


def read_target(turn: Turn, target: Target) -> Any:
    """The present value of a target."""
    value: Any = turn.rows.get(target.root(turn), {}).get(target.field, None)
    for step in target.steps:
        if value is None:
            break
        key: Any = step if isinstance(step, str) else step(turn)
        if isinstance(value, Mapping):
            value = cast("Mapping[str, Any]", value).get(key)
        else:
            value = value[key] if 0 <= key < len(value) else None
    return target.type.zero() if value is None else value


def write_target(turn: Turn, target: Target, value: Any, source: str) -> None:
    """Sets a target; maps, records and lists on the way are rebuilt, never changed."""
    id = target.root(turn)
    if target.steps:
        row = turn.rows.get(id)
        if row is None:
            raise Refused("That is not there.", f"{source}: there is no {id!r}")
        try:
            value = target.type.coerce(value)
        except ValueError as error:
            raise Refused("That cannot be done.", f"{source}: {error}") from None
        keys = [step if isinstance(step, str) else step(turn) for step in target.steps]
        value = _rebuilt(row[target.field], keys, value, source)
    turn.write(id, target.field, value, source)


def _rebuilt(holder: Any, keys: list[Any], value: Any, source: str) -> Any:
    if not keys:
        return value
    key, rest = keys[0], keys[1:]
    if isinstance(holder, dict):
        return {**holder, key: _rebuilt(holder.get(key, {}), rest, value, source)}  # pyright: ignore
    if not 0 <= key < len(holder):
        raise Refused("That is not there.", f"{source}: the list has no entry {key}")
    return (*holder[:key], _rebuilt(holder[key], rest, value, source), *holder[key + 1 :])


def _set(turn: Turn, effect: Set, runner: Runner) -> None:
    if effect.target.field == "location" and not effect.target.steps:
        _move_to(turn, effect.target.root(turn), effect.value(turn), effect.source, runner)
    else:
        write_target(turn, effect.target, effect.value(turn), effect.source)


def _add(turn: Turn, effect: Add, runner: Runner) -> None:
    before = read_target(turn, effect.target)
    if before is None or before == {}:
        before = effect.target.type.zero()
    amount = effect.amount(turn)
    try:
        after = before + amount if effect.sign > 0 else before - amount
    except OverflowError:
        raise Refused("That goes too far.", f"{effect.source}: the time is out of range") from None
    if isinstance(after, int) and not INT_MIN <= after <= INT_MAX:
        raise Refused("That goes too far.", f"{effect.source}: the number is too large")
    write_target(turn, effect.target, after, effect.source)


def _put(turn: Turn, effect: Put, runner: Runner) -> None:
    values, value = read_target(turn, effect.target), effect.value(turn)
    if value not in values:
        if len(values) >= LIST_LIMIT:
            raise Refused("That is too much.", f"{effect.source}: the list is full")
        write_target(turn, effect.target, (*values, value), effect.source)


def _take(turn: Turn, effect: Take, runner: Runner) -> None:
    values, value = read_target(turn, effect.target), effect.value(turn)
    if value in values:
        at = values.index(value)
        write_target(turn, effect.target, (*values[:at], *values[at + 1 :]), effect.source)


# --- Things ---------------------------------------------------------------------------------------


def _move(turn: Turn, effect: Move, runner: Runner) -> None:
    _move_to(turn, effect.what(turn), effect.to(turn), effect.source, runner)


def _move_to(turn: Turn, id: str, to: str, source: str, runner: Runner) -> None:
    row = turn.rows.get(id)
    if row is None:
        raise Refused("That is not there.", f"{source}: there is no {id!r}")
    holder = to
    for _ in range(MAX_CHAIN):
        if holder == id:
            raise Refused("It cannot be inside itself.", f"{source}: {id} would be inside itself")
        holder = turn.rows.get(holder, {}).get("location", "")
        if not holder:
            break
    before = row.get("location")
    turn.write(id, "location", to, source)
    moved, kinds = turn.rows[id], turn.shape.within
    arrives = to != before and to in turn.rows and turn.rows[to]["kind"] in kinds["place"]
    if arrives and moved["kind"] in kinds["player"]:
        if to not in moved["visited"]:
            turn.write(id, "visited", (*moved["visited"], to), source)
        runner.entered(turn, id, to)


def _create(turn: Turn, effect: Create, runner: Runner) -> None:
    if len(turn.rows) >= MAX_INSTANCES:
        raise Refused("There is no room for more.", f"{effect.source}: there are {MAX_INSTANCES} instances already")
    made = turn.book["made"] + 1
    turn.book = {**turn.book, "made": made}
    number = digest(f"{turn.inputs.seed}", made).to_bytes(16, "big")[:5]
    id = f"{effect.template}-{base64.b32encode(number).decode().lower()}"
    if id in turn.rows:
        id = f"{id}-{made}"
    row = {**turn.shape.fresh[effect.template], "id": id}
    to = effect.to(turn) if effect.to is not None else ""
    if to and to not in turn.rows:
        raise Refused("That is not there.", f"{effect.source}: there is no {to!r}")
    if "location" in row:
        row["location"] = to
    turn.add_instance(row)
    if effect.name is not None:
        turn.vars[effect.name] = id


def _remove(turn: Turn, effect: Remove, runner: Runner) -> None:
    id = effect.what(turn)
    row = turn.rows.get(id)
    if row is None:
        raise Refused("That is not there.", f"{effect.source}: there is no {id!r}")
    if row["kind"] in turn.shape.within["player"] or id == "world":
        raise Refused("That cannot be done.", f"{effect.source}: a {row['kind']} cannot be removed")
    for inner in turn.index["location"].get(id, ()):
        turn.write(inner, "location", row.get("location", ""), effect.source)
    turn.remove_instance(id)
    gone = turn.book["gone"]
    if any(seed.id == id for seed in turn.shape.rulebook.seeds) and id not in gone:
        turn.book = {**turn.book, "gone": [*gone, id]}


# --- Words, events, progress ----------------------------------------------------------------------


def _say(turn: Turn, effect: Say, runner: Runner) -> None:
    turn.say(turn.player, effect.text(turn), effect.text.span)


def _tell(turn: Turn, effect: Tell, runner: Runner) -> None:
    to, text = effect.to(turn), effect.text(turn)
    row = turn.rows.get(to)
    if row is None:
        return
    if row["kind"] in turn.shape.within["player"]:
        turn.say(to, text, effect.text.span)
        return
    for player in turn.every("player"):
        if turn.derived(player, "room") == to:
            turn.say(player, text, effect.text.span)


def _emit(turn: Turn, effect: Emit, runner: Runner) -> None:
    if len(turn.events) >= 200:
        raise Refused("Too much happens at once.", f"{effect.source}: more than 200 events in one turn")
    turn.events.append(Event(effect.event, {name: value(turn) for name, value in effect.values.items()}))


def _schedule(turn: Turn, effect: Schedule, runner: Runner) -> None:
    due = turn.book["due"]
    if len(due) >= MAX_DUE:
        raise Refused("Too much is planned already.", f"{effect.source}: {MAX_DUE} events are due")
    now: datetime = turn.rows["world"]["time"]
    try:
        at = now + effect.delay(turn) if effect.delay is not None else effect.at(turn) if effect.at else now
    except OverflowError:
        raise Refused("That is too far away.", f"{effect.source}: the time is out of range") from None
    values = {name: expr.type.dump(expr(turn)) for name, expr in effect.values.items()}
    made = turn.book["made"] + 1
    entry = [at.isoformat(), made, effect.event, values, turn.player]
    turn.book = {**turn.book, "made": made, "due": sorted([*due, entry])}


def _progress(turn: Turn, effect: Progress, runner: Runner) -> None:
    runner.progress(turn, effect.verb, effect.id)


def _end_game(turn: Turn, effect: EndGame, runner: Runner) -> None:
    text = effect.text(turn)
    turn.write(turn.player, "ended", text or "The game is over.", effect.source)
    turn.say(turn.player, text, effect.text.span)


def _award(turn: Turn, effect: Award, runner: Runner) -> None:
    row, reason = turn.rows[turn.player], effect.reason(turn)
    if reason in row["achievements"]:
        return
    turn.write(turn.player, "achievements", (*row["achievements"], reason), effect.source)
    turn.write(turn.player, "score", row["score"] + effect.amount(turn), effect.source)


def _roll(turn: Turn, effect: Roll, runner: Runner) -> None:
    turn.vars[effect.name] = sum(turn.draw(effect.low, effect.high) for _ in range(effect.dice))


def _do(turn: Turn, effect: Do, runner: Runner) -> None:
    runner.do(turn, effect.action, {name: value(turn) for name, value in effect.roles.items()})


def _refuse(turn: Turn, effect: Refuse, runner: Runner) -> None:
    text = effect.text(turn)
    raise Refused(text, text)


# --- Tables ---------------------------------------------------------------------------------------


def _decide(turn: Turn, effect: Decide, runner: Runner) -> None:
    table: Table = turn.shape.rulebook.tables[effect.table]
    values = [expr(turn) for expr in table.inputs]
    hits: list[Row] = []
    for row in table.rows:
        if all(_fits(turn, test, value) for test, value in zip(row.tests, values, strict=True)):
            hits.append(row)
            if table.hit in {"first", "unique"}:
                break
    if table.hit == "random" and hits:
        at = turn.draw(1, max(1, sum(row.weight for row in hits)))
        for row in hits:
            at -= row.weight
            if at <= 0:
                hits = [row]
                break
    for row in hits:
        turn.trace.append(TraceLine("row", row.span, effect.table, True))
        run_effects(turn, row.effects, runner)


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
            assert test.expr is not None
            wanted = test.expr(turn)
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


_APPLY: dict[type[Effect], Callable[[Turn, Any, Runner], None]] = {
    Set: _set, Add: _add, Put: _put, Take: _take, Move: _move, Create: _create, Remove: _remove, Say: _say, Tell: _tell,
    Emit: _emit, Schedule: _schedule, Progress: _progress, EndGame: _end_game, Award: _award, Roll: _roll, Do: _do,
    Refuse: _refuse, Decide: _decide,
}  # fmt: skip
