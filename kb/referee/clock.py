"""Owns world time: what falls due while it passes, one thing after another.

`due(turn, timers, fire)` calls `fire` for timed rules, agents and scheduled events in order of time, with the world's
time set to each moment. It must not know what firing does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from kb.referee.effects import unpacked
from kb.referee.frame import Turn
from kb.referee.model import Event
from kb.referee.state import State
from kb.rulebook import Agent, Rule

MAX_FIRINGS = 200
_DAY = timedelta(days=1)


class Timer:
    """A timed rule or agent; `after(last)` is when it fires next after its last firing, None where time ends before."""

    def __init__(self, holder: Rule | Agent):
        self.holder = holder
        # Every turn asks for every timer, and the answers stay the same for hours of world time.
        self.after: Callable[[str], datetime | None] = lru_cache(maxsize=1024)(self._after)

    def _after(self, last: str) -> datetime | None:
        trigger, at = self.holder.trigger, datetime.fromisoformat(last)
        try:
            if trigger.every is not None:
                return at + trigger.every if trigger.every > timedelta() else None
            day = at.replace(hour=0, minute=0, second=0, microsecond=0)
            hours = [day + timedelta(hours=hour, minutes=minute) for hour, minute in trigger.at]
            return min((each if each > at else each + _DAY for each in hours), default=None)
        except OverflowError:
            return None


def start_real_clock(turn: Turn, timers: Mapping[str, Timer]) -> None:
    """World time becomes the recorded clock; it never goes back. New timed rules count from now."""
    now = max(turn.inputs.now, turn.rows["world"]["time"])
    turn.write("world", "time", now, "the clock")
    last: Mapping[str, str] = turn.book["timers"]
    if any(each not in last for each in timers):
        turn.book = {**turn.book, "timers": {each: last.get(each, now.isoformat()) for each in timers}}


def next_due(state: State, timers: Mapping[str, Timer]) -> datetime | None:
    """When the first timed rule or scheduled event is due; at once where a timed rule has not begun to count."""
    now, last = state.rows["world"]["time"], state.book["timers"]
    times = [timer.after(last[id]) if id in last else now for id, timer in timers.items()]
    times += [datetime.fromisoformat(entry[0]) for entry in state.book["due"][:1]]
    return min((at for at in times if at is not None), default=None)


def due(turn: Turn, timers: Mapping[str, Timer], fire: Callable[[Rule | Agent | Event], None]) -> None:
    """Fires what is due up to the world's time, at most `MAX_FIRINGS` times; timed rules then skip what is left."""
    if not timers and not turn.book["due"]:
        return
    begin: datetime = turn.state.rows["world"]["time"]
    end: datetime = turn.rows["world"]["time"]
    for _ in range(MAX_FIRINGS):
        first = _first(turn, timers, end)
        if first is None:
            break
        at, what = first
        turn.write("world", "time", max(at, begin), "the clock")
        if isinstance(what, Rule | Agent):
            _mark(turn, what.id, at)
            fire(what)
        else:
            turn.book = {**turn.book, "due": [each for each in turn.book["due"] if each is not what]}
            fire(Event(what[2], unpacked(what[3]), what[4]))
        end = max(end, turn.rows["world"]["time"])
    else:
        for each in timers:
            _mark(turn, each, end)
    turn.write("world", "time", end, "the clock")


def _mark(turn: Turn, id: str, at: datetime) -> None:
    turn.book = {**turn.book, "timers": {**turn.book["timers"], id: at.isoformat()}}


def _first(turn: Turn, timers: Mapping[str, Timer], end: datetime) -> tuple[datetime, Any] | None:
    """What is due first, and when; None where nothing is due by `end`."""
    best: tuple[datetime, Any] | None = None
    last: Mapping[str, str] = turn.book["timers"]
    for id, timer in timers.items():
        at = timer.after(last[id])
        if at is not None and at <= end and (best is None or at < best[0]):
            best = (at, timer.holder)
    if turn.book["due"]:
        entry = turn.book["due"][0]
        at = datetime.fromisoformat(entry[0])
        if at <= end and (best is None or at < best[0]):
            best = (at, entry)
    return best
