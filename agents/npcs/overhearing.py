"""Owns NPCs who talk with each other where players hear it: a rule says when, the lines are told and remembered.

A page sets it off: ``emit conversation with `one` = `otto`, `other` = `marta`, `about` = "the flood"``. `notice(record, turns)` after each
commit, `await run()` when there is time. No line changes any state. It must not know transports.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agents.game import Game, GameError, GameService
from agents.models.model import ModelError
from agents.npcs import templates
from agents.npcs.allowance import Allowance
from agents.npcs.claims import Claims
from agents.npcs.memory import MAX_TEXT, Line, Memory, remember
from agents.npcs.prompt import Prompt
from agents.npcs.scene import is_npc, people, scene
from agents.npcs.voices import DEADLINE, Voices
from agents.npcs.wording import honest
from agents.worlds import WorldError
from storage import GameRecord, Seat, StoreError, TurnRecord
from storage.memories import MemoryKey

EVENT = "conversation"
MAX_WAITING = 100
MAX_GAMES = 1024
BETWEEN = timedelta(seconds=30)
"""Of two conversations in one game."""
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Planned:
    """A conversation that a rule has set off in a turn."""

    game: str
    turn: int
    key: str
    one: str
    other: str
    about: str


class Overhearing:
    """Conversations wait in order; too many, too soon, or without a listener are left out."""

    def __init__(self, games: GameService, voices: Voices, allowance: Allowance, *, now: Callable[[], datetime]):
        self._games, self._voices, self._allowance, self._now = games, voices, allowance, now
        self._waiting: deque[Planned] = deque(maxlen=MAX_WAITING)
        self._last: OrderedDict[str, datetime] = OrderedDict()

    def notice(self, record: GameRecord, turns: Sequence[TurnRecord]) -> None:
        """Takes up what rules have emitted."""
        for turn in turns:
            events = [event for action in turn.outcome.get("actions", ()) for event in action.get("events", ())]
            for at, event in enumerate(events):
                values: dict[str, Any] = event["values"]
                if event["name"] == EVENT and {"one", "other"} <= values.keys():
                    self._want(record.id, turn.number, at, values)

    def _want(self, game: str, turn: int, at: int, values: dict[str, Any]) -> None:
        now, last = self._now(), self._last.get(game)
        if last is not None and now - last < BETWEEN:
            return
        self._last[game] = now
        self._last.move_to_end(game)
        while len(self._last) > MAX_GAMES:
            self._last.popitem(last=False)
        about = str(values.get("about", ""))[:100]
        self._waiting.append(
            Planned(game, turn, f"conversation {turn}.{at}", str(values["one"]), str(values["other"]), about)
        )

    async def run(self) -> int:
        """Holds the conversations that wait, some at once; how many."""
        wanted = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        await asyncio.gather(*(self.hold(each) for each in wanted))
        return len(wanted)

    async def hold(self, wanted: Planned) -> tuple[str, ...]:
        """Both speak, those who are there hear it, both remember it; the lines. Nothing where nobody would hear."""
        try:
            found = await self._listeners(wanted)
            if not found:
                return ()
            game = found[0]
            first, second = await self._spoken(game, wanted)
            names = [str(game.state.rows[id].get("name") or id) for id in (wanted.one, wanted.other)]
            lines = (f"{names[0]} to {names[1]}: {first}", f"{names[1]}: {second}")
            told = [
                (each.player, line, id)
                for each in found
                for line, id in zip(lines, (wanted.one, wanted.other), strict=True)
            ]
            await self._games.tell(wanted.game, told, key=wanted.key)
        except (StoreError, GameError, WorldError):
            return ()  # the world goes on without a talk
        await self._remember(wanted, names, first, second)
        return lines

    async def _listeners(self, wanted: Planned) -> list[Game]:
        """The game as each player sees it who perceives both."""
        found: list[Game] = []
        for seat in await self._games.seats(wanted.game):
            game = await self._seen(seat)
            if game is None or not all(is_npc(game.state, id) for id in (wanted.one, wanted.other)):
                continue
            rows = game.state.rows
            here = rows[wanted.one].get("location") == rows[wanted.other].get("location")
            if here and not rows[game.player]["ended"] and {wanted.one, wanted.other} <= set(people(game)):
                found.append(game)
        return found

    async def _seen(self, seat: Seat) -> Game | None:
        try:
            return await self._games.game(seat.handle, seat.principal)
        except StoreError:  # they left meanwhile
            return None

    async def _spoken(self, game: Game, wanted: Planned) -> tuple[str, str]:
        about = wanted.about or "the day"
        name = str(game.state.rows[wanted.one].get("name") or wanted.one)
        opening = templates.opening(scene(self._voices.cast, game, wanted.one, alone=False), about)
        first = await self._say(game, wanted.one, wanted.other, f"(You begin a short talk about {about}.)", opening)
        asked = scene(self._voices.cast, game, wanted.other, alone=False)
        plain = templates.talk(asked, Memory(), about, ())
        return first, await self._say(game, wanted.other, wanted.one, first, plain, speaker=name)

    async def _say(self, game: Game, npc: str, other: str, words: str, plain: str, speaker: str = "NOBODY YET") -> str:
        """What one says to the other: each from its own memory."""
        voices = self._voices
        if voices.model is None or not self._allowance.take():
            return plain
        heard = await voices.minds.of(MemoryKey(game.record.id, game.record.id, npc))
        seen = scene(voices.cast, game, npc, alone=False)
        prompt = Prompt.of(seen, Memory(), heard, words, speaker=speaker)
        try:
            answer = await voices.model.chat(prompt.request("background", DEADLINE, background=True))
        except ModelError:
            return plain
        name = str(game.state.rows[other].get("name") or other)
        return honest(answer.text, Claims(seen, "", (*prompt.material, name), words)) or plain

    async def _remember(self, wanted: Planned, names: list[str], first: str, second: str) -> None:
        at = self._now().timestamp()
        for npc, line in (
            (wanted.one, Line(wanted.key, wanted.turn, at, names[1], second[:MAX_TEXT], first)),
            (wanted.other, Line(wanted.key, wanted.turn, at, names[0], first[:MAX_TEXT], second)),
        ):
            key = MemoryKey(wanted.game, wanted.game, npc)
            await self._voices.minds.change(key, lambda memory, line=line: remember(memory, line))
