"""Owns what becomes of a talk that is over: a summary of a few words, and facts that stood in the player's own.

`await Summaries(…).run()` when nobody waits. A model may only fill a schema, and a fact only with words that the player said in that
very turn; without one the most important lines stay. It must not know games.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from agents.models.model import MARKED, Marked, Model, ModelError, asked
from agents.npcs.allowance import Allowance
from agents.npcs.memory import MAX_SUMMARY, PAUSE, Line, Told, close
from agents.npcs.minds import Minds
from storage.memories import MemoryKey

KEYS = ("name", "home", "work", "family", "wish")
MAX_TOLD = 4
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "summary": {"type": "string", "maxLength": MAX_SUMMARY},
        "facts": {
            "type": "array",
            "maxItems": MAX_TOLD,
            "items": {
                "type": "object",
                "properties": {
                    "line": {"type": "integer"},
                    "key": {"enum": list(KEYS)},
                    "value": {"type": "string", "maxLength": 80},
                },
                "required": ["line", "key", "value"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["summary", "facts"],
    "additionalProperties": False,
}
SYSTEM = (
    "Sum up a talk in at most two sentences, as the NPC would remember it. List what the player told of themselves as facts: the number of "
    f"the line, the key, and the value in the player's own words, copied from that line. {MARKED}"
)


class Summaries:
    """Closes talks that are over, of the memories that this process holds."""

    def __init__(self, model: Model | None, minds: Minds, allowance: Allowance, *, now: Callable[[], datetime]):
        self._model, self._minds, self._allowance, self._now = model, minds, allowance, now
        self._left: set[tuple[str, str]] = set()

    def left(self, game: str, player: str) -> None:
        """A player went elsewhere: their talks are over."""
        self._left.add((game, player))

    async def run(self) -> int:
        """Closes one talk, if one is over; how many."""
        now = self._now().timestamp()
        for key, memory in self._minds.known():
            lines = memory.open
            if lines and (now - lines[-1].at >= PAUSE or key[:2] in self._left):
                await self._close(key, lines)
                return 1
        self._left.clear()
        return 0

    async def _close(self, key: MemoryKey, lines: Sequence[Line]) -> None:
        text, told = plain(lines), ()
        worth = len(lines) > 2 and key.player != key.game
        if self._model is not None and worth and self._allowance.take():
            text, told = await self._asked(self._model, lines, text)
        await self._minds.change(key, lambda memory: close(memory, text, lines[-1].at, told))

    async def _asked(self, model: Model, lines: Sequence[Line], text: str) -> tuple[str, tuple[Told, ...]]:
        shown = "\n".join(f"{at}. {e.who}: {e.said} — answer: {e.answer}" for at, e in enumerate(lines))
        request = asked(
            SYSTEM,
            str(Marked(shown, "talk")),
            purpose="remember",
            schema=SCHEMA,
            priority="background",
            principal="background",
        )
        try:
            data = (await model.chat(request)).data
        except ModelError:
            return text, ()
        return str(data["summary"]).strip()[:MAX_SUMMARY] or text, told_by(lines, data["facts"])


def plain(lines: Sequence[Line]) -> str:
    """The most important lines of a talk, in their order."""
    best = sorted(sorted(lines, key=lambda each: (-each.weight, -each.at))[:3], key=lambda each: each.at)
    return " / ".join(f"{each.who}: {each.said}"[:130] for each in best)[:MAX_SUMMARY]


def told_by(lines: Sequence[Line], facts: Sequence[Any]) -> tuple[Told, ...]:
    """Those facts whose values the player said, word for word, in the line that is named."""
    found: list[Told] = []
    for each in (cast("Mapping[str, Any]", each) for each in facts[:MAX_TOLD]):
        at, value = int(each["line"]), str(each["value"]).strip()
        said = lines[at].said if 0 <= at < len(lines) else ""
        if value and each["key"] in KEYS and value.casefold() in said.casefold():
            begin = said.casefold().find(value.casefold())
            found.append(Told("fact", each["key"], said[begin : begin + len(value)]))
    return tuple(found)
