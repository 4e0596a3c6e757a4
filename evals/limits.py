"""Owns what a run may spend on models: so many calls, so many dollars, and then it ends.

`Limited(model, Limit(calls=1000))`. Not the players' budgets, which an eval never touches. It must not know what is asked.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from agents.models.model import Answer, Model, ModelError, Piece, Request, Usage


class LimitError(Exception):
    """The run has spent what it may: `args[0]` says how much. What was played is kept."""

    hint = "Run it again with the same `--out` and a higher limit: it goes on where it stopped."


@dataclass(frozen=True, slots=True)
class Limit:
    """Of one run in one process, all contenders together. None: no limit."""

    calls: int | None = None
    """Requests that leave the process, retries included."""
    dollars: float | None = None
    """By the providers' prices."""


class Spending:
    """What was spent so far, by all models that share it."""

    def __init__(self, limit: Limit):
        self.limit = limit
        self.calls, self.dollars = 0, 0.0
        self._open = 0

    def begin(self) -> None:
        """A call is to be made. Raises `LimitError`. Those that are under way count; what they will cost is not known."""
        most = self.limit
        if most.calls is not None and self.calls + self._open >= most.calls:
            raise LimitError(f"{self.calls + self._open} calls to models were begun, and {most.calls} may be")
        if most.dollars is not None and self.dollars >= most.dollars:
            raise LimitError(f"${self.dollars:.4f} was spent on models, and ${most.dollars:g} may be")
        self._open += 1

    def end(self, usage: Sequence[Usage]) -> None:
        """What it took; nothing: one call."""
        self._open -= 1
        self.calls += sum(each.calls for each in usage) or 1
        self.dollars += sum(each.cost for each in usage)


class Limited:
    """Asks `model` as long as `spending` allows."""

    def __init__(self, model: Model, spending: Spending):
        self._model, self._spending = model, spending

    async def chat(self, request: Request) -> Answer:
        """As `Model.chat`."""
        self._spending.begin()
        usage: tuple[Usage, ...] = ()
        try:
            answer = await self._model.chat(request)
            usage = (answer.usage,)
            return answer
        except ModelError as error:
            usage = error.usage
            raise
        finally:
            self._spending.end(usage)

    async def stream(self, request: Request) -> AsyncGenerator[Piece]:
        """As `Model.stream`."""
        self._spending.begin()
        usage: tuple[Usage, ...] = ()
        try:
            async for piece in self._model.stream(request):
                usage = (piece.answer.usage,) if piece.answer is not None else usage
                yield piece
        except ModelError as error:
            usage = error.usage
            raise
        finally:
            self._spending.end(usage)

    async def embed(
        self, texts: Sequence[str], *, principal: str = "local", deadline: float = 10.0
    ) -> list[list[float]]:
        """As `Model.embed`; its price is not told."""
        self._spending.begin()
        try:
            return await self._model.embed(texts, principal=principal, deadline=deadline)
        finally:
            self._spending.end(())
