"""Owns asking real providers within deadlines, budgets and the patience of each: the `Model` that a process uses.

`async with Client(configuration, ledger=store.ledger) as model: await model.chat(request)`. It must not know games, pages or
routes.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from agents.models.accounts import Accounts
from agents.models.adapter import Adapter, Failure, adapter
from agents.models.answers import Held, NoAnswer, answered
from agents.models.configuration import Configuration, Provider
from agents.models.course import Course
from agents.models.endpoint import Endpoint, Payer
from agents.models.metrics import Measures
from agents.models.model import Answer, Message, ModelError, Piece, Request, Usage, total
from agents.models.wire import Heard, body, cleaned
from storage.ledger import Ledger, MemoryLedger
from storage.records import Json

SHOWN = 2_000
"""Characters of a text that was no answer, shown to the model again."""


class Client:
    """The providers of a configuration. `ledger`: where budgets and calls are kept; without one in this process.

    `clock` gives seconds for breakers, `now` the time in UTC, `chance` numbers from 0 to 1 for pauses; `carry` makes what carries
    requests to a provider.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        ledger: Ledger | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
        carry: Callable[[Provider], Adapter] = adapter,
    ):
        self.configuration, self.measures = configuration, Measures()
        self.accounts = Accounts(ledger or MemoryLedger(), configuration.everybody, configuration.each, now)
        self._chance = chance
        self._endpoints = {
            name: Endpoint(provider, self.accounts, self.measures, clock, now, carry)
            for name, provider in configuration.providers.items()
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for endpoint in self._endpoints.values():
            await endpoint.close()
        await self.accounts.close()

    async def warm(self) -> None:
        """Imports what the providers need before anybody waits for it: for processes that stay."""
        if any(each.provider.through == "litellm" for each in self._endpoints.values()):
            from agents.models.over_litellm import loaded

            await loaded()

    async def chat(self, request: Request) -> Answer:
        until = _until(request.deadline)
        with self._measured(request) as spent:
            heard = await self._whole(request, (), until, spent)
            try:
                return answered(request, heard, total(spent))
            except NoAnswer as problem:
                return await self._repaired(request, heard, problem, until, spent)

    async def stream(self, request: Request) -> AsyncGenerator[Piece]:
        until = _until(request.deadline)
        with self._measured(request) as spent:
            if request.schema is not None or request.labels:
                raise ModelError("invalid", "a stream has neither a schema nor labels", "Use `chat`.")
            course = self._course(request, until, spent)
            while True:
                heard, held = Heard(_limit(request)), Held(bool(request.tools))
                endpoint = self._endpoints[course.provider]
                asked = body(request, endpoint.provider)
                try:
                    async with (
                        endpoint.trying(asked, _payer(request), course.limit, heard, spent) as end,
                        aclosing(endpoint.adapter.stream(asked)) as chunks,
                    ):
                        while not heard.cut:
                            async with asyncio.timeout_at(end):
                                chunk = await anext(chunks, None)
                            if chunk is None:
                                break
                            if text := held.take(heard.chunk(chunk)):
                                yield Piece(text)
                    break
                except Failure as failure:
                    if held.told:
                        raise course.error(failure, held.told) from None
                    await course.after(failure)
            try:
                answer = answered(request, heard.ended(), total(spent))
            except NoAnswer as problem:
                if held.told:
                    raise ModelError("invalid", str(problem), usage=spent, told=held.told) from problem
                answer = await self._repaired(request, heard, problem, until, spent)
            if rest := held.rest(answer.text):
                yield Piece(rest)
            yield Piece(answer=answer)

    async def embed(
        self, texts: Sequence[str], *, principal: str = "local", deadline: float = 10.0
    ) -> list[list[float]]:
        name, until = self.configuration.embedding, _until(deadline)
        if not name:
            raise ModelError("unknown", "no provider embeds", "Name one in `embedding` of the models' file.")
        request = Request((), "embed", principal=principal, priority="agent", max_tokens=0)
        with self._measured(request) as spent:
            course = Course((name,), until, spent, self._chance)
            while True:
                endpoint, heard = self._endpoints[name], Heard(0)
                asked: Json = {"model": endpoint.provider.model, "input": [cleaned(each) for each in texts]}
                try:
                    async with endpoint.trying(asked, _payer(request), course.limit, heard, spent) as end:
                        async with asyncio.timeout_at(end):
                            found = await endpoint.adapter.embed(asked["input"])
                        heard.count(found)
                        return _vectors(found["data"], len(texts))
                except Failure as failure:
                    await course.after(failure)

    def metrics(self) -> str:
        """For Prometheus."""
        waiting = {name: each.places.waiting for name, each in self._endpoints.items()}
        broken = {name: each.breaker.state == "open" for name, each in self._endpoints.items()}
        return self.measures.render(waiting, broken, self.accounts.here.cost)

    def health(self) -> dict[str, Any]:
        """`status` (`degraded` while a breaker is open), how each provider does, and how each purpose does that was asked for or
        is switched off."""
        found = {name: endpoint.health() for name, endpoint in self._endpoints.items()}
        well = all(each["breaker"] == "closed" for each in found.values())
        purposes = self.measures.purposes(self.configuration.off)
        return {"status": "healthy" if well else "degraded", "providers": found, "purposes": purposes}

    async def _whole(self, request: Request, repair: Sequence[Message], until: float, spent: list[Usage]) -> Heard:
        course = self._course(request, until, spent)
        while True:
            endpoint, heard = self._endpoints[course.provider], Heard(_limit(request))
            asked = body(request, endpoint.provider, repair)
            try:
                async with endpoint.trying(asked, _payer(request), course.limit, heard, spent) as end:
                    async with asyncio.timeout_at(end):
                        return heard.whole(await endpoint.adapter.chat(asked))
            except Failure as failure:
                await course.after(failure)

    async def _repaired(
        self, request: Request, heard: Heard, problem: NoAnswer, until: float, spent: list[Usage]
    ) -> Answer:
        """Asks once more, and says why."""
        repair = (
            Message("assistant", heard.text[:SHOWN] or "…"),
            Message("user", f"That is no answer: {problem}. Answer the last message again."),
        )
        heard = await self._whole(request, repair, until, spent)
        try:
            return answered(request, heard, total(spent))
        except NoAnswer as again:
            raise ModelError(
                "invalid", f"twice no answer: {again}", "A more capable model or a simpler schema helps.", usage=spent
            ) from again

    def _course(self, request: Request, until: float, spent: list[Usage]) -> Course:
        said = self.configuration
        chain = (request.model,) if request.model else said.default
        if request.labels and said.label and not request.model:
            chain = (said.label, *(each for each in chain if each != said.label))
        for name in chain:
            if name not in self._endpoints:
                raise ModelError(
                    "unknown", f"no provider is called {name!r}", f"There are {', '.join(self._endpoints)}."
                )
        return Course(chain, until, spent, self._chance)

    @contextmanager
    def _measured(self, request: Request) -> Generator[list[Usage]]:
        """What is spent on a request; its end is measured."""
        begin, outcome = time.perf_counter(), "cancelled"
        try:
            if request.purpose in self.configuration.off:
                raise ModelError("refused", f"{request.purpose!r} is switched off", "See `off` in the models' file.")
            yield []
            outcome = "ok"
        except ModelError as error:
            outcome = error.kind
            raise
        finally:
            self.measures.asked(request.purpose, outcome, time.perf_counter() - begin)


def _until(deadline: float) -> float:
    return asyncio.get_running_loop().time() + deadline


def _payer(request: Request) -> Payer:
    return Payer(request.principal or "local", request.priority, request.purpose, request.max_tokens)


def _limit(request: Request) -> int:
    """Characters of an answer: a token has some four, in some languages more."""
    return max(4_000, request.max_tokens * 16)


def _vectors(data: list[Json], count: int) -> list[list[float]]:
    found = [[float(each) for each in entry["embedding"]] for entry in sorted(data, key=lambda entry: entry["index"])]
    if len(found) != count or len({len(each) for each in found}) > 1:
        raise ValueError("not a vector for each text")
    return found
