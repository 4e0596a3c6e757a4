"""Owns asking real providers: the `Model` that a process uses.

`async with Client(configuration) as model: await model.chat(request)`. It must not know games, pages or routes.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from agents.models.answers import NoAnswer, answered
from agents.models.configuration import Configuration, Provider
from agents.models.failure import Failure
from agents.models.model import Answer, Message, ModelError, Piece, Request, Usage
from agents.models.over_http import OverHTTP
from agents.models.wire import Heard, body

TRIES = 3


class Client:
    """The providers of a configuration."""

    def __init__(self, configuration: Configuration):
        self.configuration = configuration
        self._adapters: dict[str, OverHTTP] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for adapter in self._adapters.values():
            await adapter.close()

    async def chat(self, request: Request) -> Answer:
        spent: list[Usage] = []
        try:
            async with asyncio.timeout(request.deadline):
                return await self._chat(request, spent)
        except TimeoutError:
            raise ModelError("timeout", f"no answer within {request.deadline:g} s", usage=spent) from None

    async def _chat(self, request: Request, spent: list[Usage]) -> Answer:
        provider = self._provider(request)
        repair: tuple[Message, ...] = ()
        for attempt in range(TRIES):
            begin = time.perf_counter()
            try:
                heard = Heard(_limit(request)).whole(
                    await self._adapter(provider).chat(body(request, provider, repair))
                )
            except Failure as failure:
                spent.append(Usage(provider.name, provider.model, seconds=time.perf_counter() - begin))
                if not failure.again or attempt == TRIES - 1:
                    raise ModelError(failure.kind, str(failure), usage=spent) from failure
                await asyncio.sleep(failure.after or 0.2 * 2**attempt * random.random())
                continue
            spent.append(_usage(provider, heard, time.perf_counter() - begin))
            try:
                return answered(request, heard, _sum(spent))
            except NoAnswer as problem:
                if repair:
                    raise ModelError("invalid", str(problem), usage=spent) from problem
                repair = (
                    Message("assistant", heard.text or "…"),
                    Message("user", f"That is no answer: {problem}. Answer again."),
                )
        raise ModelError("unavailable", f"{provider.name} gave no answer in {TRIES} tries", usage=spent)

    async def stream(self, request: Request) -> AsyncIterator[Piece]:
        provider = self._provider(request)
        heard = Heard(_limit(request))
        begin = time.perf_counter()
        try:
            async with asyncio.timeout(request.deadline):
                async for chunk in self._adapter(provider).stream(body(request, provider)):
                    if text := heard.chunk(chunk):
                        yield Piece(text)
        except TimeoutError:
            raise ModelError("timeout", f"no answer within {request.deadline:g} s", told=heard.ended().text) from None
        except Failure as failure:
            raise ModelError(failure.kind, str(failure), told=heard.ended().text) from failure
        usage = _usage(provider, heard.ended(), time.perf_counter() - begin)
        try:
            yield Piece(answer=answered(request, heard, usage))
        except NoAnswer as problem:
            raise ModelError("invalid", str(problem), usage=[usage], told=heard.text) from problem

    async def embed(
        self, texts: Sequence[str], *, principal: str = "local", deadline: float = 10.0
    ) -> list[list[float]]:
        if not self.configuration.embedding:
            raise ModelError("unknown", "no provider embeds")
        adapter = self._adapter(self.configuration.providers[self.configuration.embedding])
        try:
            async with asyncio.timeout(deadline):
                found = await adapter.embed(list(texts))
        except TimeoutError:
            raise ModelError("timeout", f"no vectors within {deadline:g} s") from None
        except Failure as failure:
            raise ModelError(failure.kind, str(failure)) from failure
        return [each["embedding"] for each in sorted(found["data"], key=lambda each: each["index"])]

    def _provider(self, request: Request) -> Provider:
        name = request.model or self.configuration.default[0]
        if name not in self.configuration.providers:
            raise ModelError("unknown", f"no provider is called {name!r}")
        return self.configuration.providers[name]

    def _adapter(self, provider: Provider) -> OverHTTP:
        if provider.name not in self._adapters:
            self._adapters[provider.name] = OverHTTP(provider)
        return self._adapters[provider.name]


def _limit(request: Request) -> int:
    """Characters of an answer: a token has some four, in some languages more."""
    return max(4_000, request.max_tokens * 16)


def _usage(provider: Provider, heard: Heard, seconds: float) -> Usage:
    cost = (
        provider.prices.cost(heard.input_tokens, heard.output_tokens, heard.cached_tokens) if provider.prices else 0.0
    )
    return Usage(
        provider.name, provider.model, heard.input_tokens, heard.output_tokens, heard.cached_tokens, cost, 1, seconds
    )


def _sum(spent: Sequence[Usage]) -> Usage:
    last = spent[-1]
    return replace(
        last,
        input_tokens=sum(each.input_tokens for each in spent),
        output_tokens=sum(each.output_tokens for each in spent),
        cached_tokens=sum(each.cached_tokens for each in spent),
        cost=sum(each.cost for each in spent),
        calls=sum(each.calls for each in spent),
        seconds=sum(each.seconds for each in spent),
    )
