"""Owns world time: what falls due while it passes, one thing after another.

`due(turn, holders, fire)` calls `fire` for timed rules, agents and scheduled events in order of time, with the world's
time set to each moment. It must not know what firing does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from kb.referee.effects import unpacked
from kb.referee.frame import Turn
from kb.referee.model import Event
from kb.rulebook import Agent, Rule, Trigger

MAX_FIRINGS = 200
_DAY = timedelta(days=1)

Timed = Rule | Agent


def start_real_clock(turn: Turn, timed: Mapping[str, Timed]) -> None:
    """World time becomes the recorded clock; it never goes back. New timed rules count from now."""
    now = max(turn.inputs.now, turn.rows["world"]["time"])
    turn.write("world", "time", now, "the clock")
    timers: Mapping[str, str] = turn.book["timers"]
    if any(each not in timers for each in timed):
        turn.book = {**turn.book, "timers": {each: timers.get(each, now.isoformat()) for each in timed}}


def due(turn: Turn, timed: Mapping[str, Timed], fire: Callable[[Timed | Event], None]) -> None:
    """Fires what is due up to the world's time, at most `MAX_FIRINGS` times; timed rules then skip what is left."""
    if not timed and not turn.book["due"]:
        return
    end: datetime = turn.rows["world"]["time"]
    for _ in range(MAX_FIRINGS):
        first = _first(turn, timed, end)
        if first is None:
            break
        at, what = first
        turn.write("world", "time", at, "the clock")
        if isinstance(what, Rule | Agent):
            _mark(turn, what.id, at)
            fire(what)
        else:
            turn.book = {**turn.book, "due": [each for each in turn.book["due"] if each is not what]}
            fire(Event(what[2], unpacked(what[3]), what[4]))
        end = max(end, turn.rows["world"]["time"])
    else:
        for each in timed:
            _mark(turn, each, end)
    turn.write("world", "time", end, "the clock")


def _mark(turn: Turn, id: str, at: datetime) -> None:
    turn.book = {**turn.book, "timers": {**turn.book["timers"], id: at.isoformat()}}


def _first(turn: Turn, timed: Mapping[str, Timed], end: datetime) -> tuple[datetime, Any] | None:
    """What is due first, and when; None where nothing is due by `end`."""
    best: tuple[datetime, Any] | None = None
    timers: Mapping[str, str] = turn.book["timers"]
    for id, holder in timed.items():
        at = following(holder.trigger, datetime.fromisoformat(timers[id]))
        if at is not None and at <= end and (best is None or at < best[0]):
            best = (at, holder)
    entry = turn.book["due"][0] if turn.book["due"] else None
    if entry is not None:
        at = datetime.fromisoformat(entry[0])
        if at <= end and (best is None or at < best[0]):
            best = (at, entry)
    return best


def following(trigger: Trigger, last: datetime) -> datetime | None:
    """When a timed rule fires next after `last`; None where time ends before."""
    try:
        if trigger.every is not None:
            return last + trigger.every if trigger.every > timedelta() else None
        day = last.replace(hour=0, minute=0, second=0, microsecond=0)
        hours = [day + timedelta(hours=hour, minutes=minute) for hour, minute in trigger.at]
        return min((at if at > last else at + _DAY for at in hours), default=None)
    except OverflowError:
        return None
