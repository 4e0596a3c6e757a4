"""Owns what NPCs do when nobody waits for them: writing what they remember, closing talks, talking with each other, preparing.

`Idle(games, voices, now=…)`; `idle.run` is for `agents.background.Background(also=…)`. It must not know how any of it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from agents.game import GameService
from agents.npcs.allowance import Allowance
from agents.npcs.overhearing import Overhearing
from agents.npcs.preparing import Preparing
from agents.npcs.summing import Summaries
from agents.npcs.voices import Voices
from storage import GameRecord, TurnRecord

MOST_CALLS = 120
"""Calls of a model in an hour that no player waits for, in one process."""


class Idle:
    """Hears of every commit of this process."""

    def __init__(
        self, games: GameService, voices: Voices, *, now: Callable[[], datetime], most_calls: int = MOST_CALLS
    ):
        self._games, self._voices, allowance = games, voices, Allowance(most_calls, now)
        self.summaries = Summaries(voices.model, voices.minds, allowance, now=now)
        self.overhearing = Overhearing(games, voices, allowance, now=now)
        self.preparing = Preparing(games, voices, allowance)
        games.on_committed(self._notice)

    def _notice(self, record: GameRecord, turns: Sequence[TurnRecord]) -> None:
        self.overhearing.notice(record, turns)
        self.preparing.notice(record, turns)
        for turn in turns:
            if turn.kind in ("undo", "restore", "reset"):
                self._voices.later(self._undone(record, turn))
            effects = (effect for action in turn.outcome.get("actions", ()) for effect in action.get("effects", ()))
            if turn.player and any(e["id"] == turn.instance and e["field"] == "location" for e in effects):
                self.summaries.left(record.id, turn.player)

    async def _undone(self, record: GameRecord, turn: TurnRecord) -> None:
        """What was said in turns that are undone was not said."""
        back = int(turn.inputs.get("back", -1))
        after = -1 if turn.kind == "reset" else back - 1 if turn.kind == "undo" else back
        players = [turn.player] if turn.player else [seat.player for seat in await self._games.seats(record.id)]
        for each in players if turn.player and record.scope is not None else [*players, record.id]:
            await self._voices.forget(record.id, each, after)

    async def run(self) -> int:
        """Does some of it; how much. What players hear goes first."""
        await self._voices.minds.flush()
        return (await self.overhearing.run()) or (await self.summaries.run()) or (await self.preparing.run())
