"""Owns when a model is asked what a turn leaves to judgement: before the turn, once for each key, and only where there is something.

`await Asking(judging, held).turn(…)` and `tick(…)` give what is filled; nobody else waits meanwhile. It must not know what a turn is
made of: `comes_to` tells the judgements that it comes to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from agents.filled import NOTHING, Filled
from agents.held import Held
from agents.judging import Judging
from agents.worlds import World
from kb.referee import Asked

CLOCK = "clock"
"""Whose budget pays where time alone led to a judgement."""

ComesTo = Callable[[World, Held, Filled], Sequence[Asked]]


class Asking:
    """Asks `judging` for games that `held` gives, fresh or as this process knows them; None: every fallback holds."""

    def __init__(self, judging: Judging | None, held: Callable[[str, bool], Awaitable[tuple[World, Held]]]):
        self._judging, self._held = judging, held
        self._asking: dict[str, asyncio.Future[Filled]] = {}
        """By the turn's key."""

    def close(self) -> None:
        """Gives up what is still being asked."""
        for asking in self._asking.values():
            asking.cancel()

    async def turn(
        self,
        game: str,
        key: str,
        comes_to: ComesTo,
        filled: Filled,
        words: str,
        principal: str,
        known: Callable[[], Awaitable[bool]],
    ) -> Filled:
        """`filled`, with a model's answers to what the words lead to; where `known` tells that the turn of this key was done,
        nobody is asked."""
        judging = await self._needed(game)
        if judging is None:
            return filled

        async def asked(filled: Filled) -> Sequence[Asked]:
            return comes_to(*await self._held(game, True), filled)

        async def ask() -> Filled:
            if not await asked(filled) or await known():
                return filled
            return await judging.judged(asked, filled, words, principal)

        # A client that tries again before it has its answer shares it; one that goes away does not end it for the others.
        if key not in self._asking:
            self._asking[key] = asyncio.ensure_future(ask())
            self._asking[key].add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(self._asking[key])

    async def tick(self, game: str, comes_to: ComesTo) -> Filled:
        """As `turn`, for what time alone leads to."""
        judging = await self._needed(game)
        if judging is None:
            return NOTHING

        async def asked(filled: Filled) -> Sequence[Asked]:
            return comes_to(*await self._held(game, True), filled)

        return await judging.judged(asked, NOTHING, "", CLOCK, "background")

    async def _needed(self, game: str) -> Judging | None:
        """None where nothing in the game's world is left to judgement: most worlds pay nothing."""
        if self._judging is None:
            return None
        world, _ = await self._held(game, False)
        return self._judging if any(agent.judgements for agent in world.rulebook.agents.values()) else None

    def _done(self, key: str, done: asyncio.Future[Filled]) -> None:
        del self._asking[key]
        if not done.cancelled():
            done.exception()  # told to whoever waits; all of them may have gone away
