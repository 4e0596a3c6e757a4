"""Owns waiting longer for models than players do: what is judged is what a model says, not the machine that it runs on.

`Patient(model, 10)` gives each request ten times its deadline. It must not know what is asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from agents.models.model import Answer, Model, Piece, Request


class Patient:
    """A model that is waited for so many `times` as long."""

    def __init__(self, model: Model, times: float):
        self._model, self._times = model, times

    async def chat(self, request: Request) -> Answer:
        """As `Model.chat`."""
        return await self._model.chat(self._longer(request))

    def stream(self, request: Request) -> AsyncIterator[Piece]:
        """As `Model.stream`."""
        return self._model.stream(self._longer(request))

    async def embed(
        self, texts: Sequence[str], *, principal: str = "local", deadline: float = 10.0
    ) -> list[list[float]]:
        """As `Model.embed`."""
        return await self._model.embed(texts, principal=principal, deadline=deadline * self._times)

    def _longer(self, request: Request) -> Request:
        return replace(request, deadline=request.deadline * self._times)
