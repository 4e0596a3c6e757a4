"""Owns which players' waiting workflows a turn, or time alone, may set going again.

`Waits(rulebook)`; `stirred` after a turn, `wakes` for a scheduler. It must not move anybody's workflow.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from kb.referee.flows import line_at
from kb.referee.frame import Turn
from kb.referee.invariants import closure, is_local
from kb.referee.state import State
from kb.rulebook import Ask, Rulebook, Wait


class Waits:
    """A rulebook's `Wait until` lines by what they depend on."""

    def __init__(self, rulebook: Rulebook):
        self._real = rulebook.settings.clock is None
        flows = rulebook.workflows.values()
        lines = [line for flow in flows for step in flow.steps for line in step.lines if isinstance(line, Wait)]
        self._reads = {line: closure(rulebook, line.until) for line in lines}
        self._own = frozenset(line for line in lines if is_local(line.until, "player"))
        self._timed = frozenset(line for line, reads in self._reads.items() if reads is None or "time" in reads)

    def stirred(self, turn: Turn, *, ticked: bool) -> list[str]:
        """Players besides the acting one whose workflows may go on, by what the turn changed; where time alone passed
        (`ticked`), also those who wait for it or have not begun."""
        changed, fields = turn.changed()
        if self._real and not ticked:
            # Time is the scheduler's matter there: else every turn would ask everybody who waits for an hour.
            fields.discard("time")
        lines = {line for line, reads in self._reads.items() if self._touches(line, reads, fields, ticked)}
        if not lines and not ticked:
            return []
        everyone = ticked or not lines <= self._own
        players = turn.own if everyone else [each for each in turn.own if each in changed]
        return [each for each in players if each != turn.player and self._waiting(turn, each, lines, changed, ticked)]

    def wakes(self, state: State) -> datetime | None:
        """The next full minute where someone waits for what time alone can bring about; else None."""
        if not self._timed or not any(self._timed.intersection(self._lines(state, each)) for each in state.own):
            return None
        now: datetime = state.rows["world"]["time"]
        return now.replace(second=0, microsecond=0) + timedelta(minutes=1)

    def _touches(self, line: Wait, reads: frozenset[str] | None, fields: set[str], ticked: bool) -> bool:
        if line in self._timed and (ticked or not self._real):
            return True
        return reads is not None and ("" in fields or not reads.isdisjoint(fields))

    def _waiting(self, turn: Turn, player: str, lines: set[Wait], changed: set[str], ticked: bool) -> bool:
        if turn.rows[player]["ended"]:
            return False
        for line in self._lines(turn, player):
            if isinstance(line, Wait):
                if line in lines and (player in changed or line not in self._own):
                    return True
            elif ticked:
                return True
        return False

    def _lines(self, holder: State | Turn, player: str) -> Iterator[object]:
        """Where the player's workflows stand, but for questions that were put already."""
        flows = holder.shape.rulebook.workflows
        for id, where in holder.own.get(player, {}).get("steps", {}).items():
            line = line_at(flows[id], where)
            if not (isinstance(line, Ask) and where[2]):
                yield line
