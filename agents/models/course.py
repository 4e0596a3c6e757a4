"""Owns where a request goes next: the same provider again after a pause, the next of its chain, or nowhere any more.

`Course(chain, until, …)`: try `provider`, and `await after(failure)` when that gave nothing. It must not know how providers are
asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from agents.models.adapter import Failure
from agents.models.model import ModelError, Usage

TRIES = 3
"""At one provider."""
PAUSE = 0.2
"""Seconds before the second try; twice that before the third. Half of it is by chance, so that not all come back at once."""
LONGEST = 1.0
"""Seconds that are waited where another provider could be asked instead."""
SHARE = 0.6
"""Of the time that is left: what a provider may use where there is another one after it."""

HINTS = {
    "unavailable": "Look at the provider and its address: `rulebound models`.",
    "timeout": "It is slow or hangs; a smaller model, fewer tokens or a second provider in `default` helps.",
    "busy": "It allows fewer calls at once than are wanted; see `concurrency` and `waiting` of the provider.",
    "invalid": "A more capable model or a simpler schema helps.",
    "refused": "Check the key, the model's name, and whether the provider knows what is sent: `rulebound models`.",
}


class Course:
    """The way of one request along a chain, until a time of the loop's clock."""

    def __init__(self, chain: Sequence[str], until: float, usage: Sequence[Usage], chance: Callable[[], float]):
        self._chain, self._until, self._usage, self._chance = chain, until, usage, chance
        self._at = self._tries = 0

    @property
    def provider(self) -> str:
        return self._chain[self._at]

    @property
    def limit(self) -> float:
        """When this try has to end."""
        now = asyncio.get_running_loop().time()
        last = self._at == len(self._chain) - 1
        return self._until if last else now + (self._until - now) * SHARE

    async def after(self, failure: Failure) -> None:
        """Goes on after a try that gave nothing. Raises `ModelError` where there is nothing left to try."""
        self._tries += 1
        pause = failure.after
        if pause is None:
            pause = PAUSE * 2 ** (self._tries - 1) * (0.5 + self._chance() / 2)
        more = self._at < len(self._chain) - 1
        late = asyncio.get_running_loop().time() + pause >= self._until or (more and pause > LONGEST)
        if failure.again and self._tries < TRIES and not late:
            await asyncio.sleep(pause)
        elif more:
            self._at, self._tries = self._at + 1, 0
        else:
            # `from None`: what is below may hold the request, and with it the key.
            raise self.error(failure) from None

    def error(self, failure: Failure, told: str = "") -> ModelError:
        """What the caller is told."""
        what = f"{self.provider}: {failure}"
        return ModelError(failure.kind, what, HINTS[failure.kind], usage=self._usage, told=told)
