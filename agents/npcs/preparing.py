"""Owns preparing likely answers while nobody waits: what NPCs would say to the players who stand before them.

`notice(record, turns)` after each commit, `await run()` when there is time. An answer is kept under the fingerprint of its prompt, so
it is used only where everything that it read is the same. It must not know routes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from agents.game import Game, GameService
from agents.models.model import ModelError
from agents.npcs.allowance import Allowance
from agents.npcs.scene import people
from agents.npcs.voices import MAX_READY, Voices
from agents.npcs.wording import honest
from agents.worlds import WorldError
from storage import GameRecord, StoreError, TurnRecord

MAX_SEEN = 256
MAX_PEOPLE = 3
"""NPCs of one place that are prepared."""
DEADLINE = 20.0
FORMS = ("talk to {}", "greet {}")
"""The likely lines: the first that the rules understand."""


class Preparing:
    """Prepares for the players who acted last in this process."""

    def __init__(self, games: GameService, voices: Voices, allowance: Allowance):
        self._games, self._voices, self._allowance = games, voices, allowance
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        """(game, instance) of players for whom there is something to look for."""

    def notice(self, record: GameRecord, turns: Sequence[TurnRecord]) -> None:
        """A player acted: what was prepared for them may not fit any more."""
        for turn in turns:
            if turn.player is not None:
                self._seen[record.id, turn.instance] = None
                self._seen.move_to_end((record.id, turn.instance))
        while len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)

    async def run(self) -> int:
        """Prepares one answer, if there is time and one is missing; how many."""
        while self._seen and self._voices.model is not None and not self._voices.speaking:
            (id, instance), _ = self._seen.popitem()
            try:
                seats = [seat for seat in await self._games.seats(id) if seat.instance == instance]
                for seat in seats:
                    if await self._prepare(await self._games.game(seat.handle, seat.principal)):
                        self._seen[id, instance] = None  # there may be more
                        return 1
            except (StoreError, WorldError):
                continue
        return 0

    async def _prepare(self, game: Game) -> bool:
        """Whether an answer was prepared."""
        rows = game.state.rows
        for npc in people(game)[:MAX_PEOPLE]:
            name = str(rows[npc].get("name") or npc).casefold()
            if await self._answer(game, [form.format(name) for form in FORMS]):
                return True
        return False

    async def _answer(self, game: Game, lines: Sequence[str]) -> bool:
        voices = self._voices
        assert voices.model is not None, "without a model nothing is prepared"
        for line in lines:
            _, said = await self._games.consider(game.seat.handle, game.seat.principal, line)
            talk = (
                voices.turn(game, said, said.text, line, game.record.version + 1, "background")
                if said.understood
                else None
            )
            if talk is None or any(outcome.status != "done" for outcome in said.outcomes):
                continue
            mind = await voices.considered(talk)
            if mind.prompt.fingerprint in voices.ready or not self._allowance.take():
                return False
            try:
                answer = await voices.model.chat(mind.prompt.request("background", DEADLINE, background=True))
            except ModelError:
                return False
            text = honest(answer.text, mind.claims)
            if text and not mind.claims.missing(text, talk.changed):
                voices.ready[mind.prompt.fingerprint] = text
                while len(voices.ready) > MAX_READY:
                    voices.ready.popitem(last=False)
                return True
            return False
        return False
