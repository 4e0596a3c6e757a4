"""Owns one provider in this process: its breaker, the line in front of it, its price, and what each try at it took.

`async with endpoint.trying(…) as end:` around one use of `endpoint.adapter`. It must not know what an answer is worth, nor who is
asked next.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson

from agents.models.accounts import Accounts
from agents.models.adapter import Adapter, Failure
from agents.models.breaker import Breaker
from agents.models.configuration import Prices, Provider
from agents.models.metrics import Measures
from agents.models.model import Purpose, Usage
from agents.models.places import Full, Places, Priority
from agents.models.prices import known
from agents.models.wire import Heard
from storage import new_id
from storage.ledger import CallRecord
from storage.records import Json

PATIENT = 1.0
"""Seconds after which a provider that said nothing is to blame, and not a caller in a hurry."""
_MOST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Payer:
    """Who asks, how urgently, what for, and for how many tokens at most."""

    principal: str
    priority: Priority
    purpose: Purpose
    max_tokens: int


class Endpoint:
    """One provider."""

    def __init__(
        self,
        provider: Provider,
        accounts: Accounts,
        measures: Measures,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        carry: Callable[[Provider], Adapter],
    ):
        self.provider, self.breaker = provider, Breaker(clock)
        self.places = Places(provider.concurrency, provider.waiting)
        self._accounts, self._measures, self._now, self._carry = accounts, measures, now, carry

    @cached_property
    def adapter(self) -> Adapter:
        """Made when it is asked first, because that imports what it needs."""
        return self._carry(self.provider)

    @cached_property
    def prices(self) -> Prices:
        """Nothing where nobody knows them; a configuration with a budget in money has them."""
        return known(self.provider) or Prices(0.0, 0.0)

    async def close(self) -> None:
        if "adapter" in self.__dict__:
            await self.adapter.close()

    def health(self) -> dict[str, Any]:
        """How it does."""
        told = {"model": self.provider.model, "through": self.provider.through, "breaker": self.breaker.state}
        return {**told, "waiting": self.places.waiting, "again_in_seconds": round(self.breaker.seconds, 1)}

    @asynccontextmanager
    async def trying(
        self, asked: Json, payer: Payer, limit: float, heard: Heard, spent: list[Usage]
    ) -> AsyncGenerator[float]:
        """One try, until a time of the loop's clock; gives when it has to end. What it took is counted however it ends.

        Raises `Failure`, and `ModelError("budget", …)`.
        """
        loop = asyncio.get_running_loop()
        begin = loop.time()
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout_at(limit):
                    await stack.enter_async_context(self._place(payer))
            except TimeoutError:
                raise Failure("timeout", "no place became free in time") from None
            except Full as full:
                raise Failure("busy", str(full)) from None
            taken = len(orjson.dumps(asked)) // 4
            try:
                reservation = await self._accounts.reserve(payer.principal, self.prices.cost(taken, payer.max_tokens))
            except BaseException:
                self.breaker.abandoned()
                raise
            self._measures.queued.observe(loop.time() - begin)
            begin, outcome = loop.time(), "cancelled"
            try:
                yield min(limit, begin + self.provider.timeout)
                outcome = "ok"
                self.breaker.succeeded()
            except BaseException as error:
                failure = self._failure(error, loop.time() - begin)
                if failure is None:
                    self.breaker.abandoned()
                    raise
                outcome = failure.kind
                raise failure from None
            finally:
                usage = self._usage(heard.ended(), outcome, taken, loop.time() - begin)
                spent.append(usage)
                self._measures.called(usage, outcome)
                self._accounts.record(self._record(payer, usage, outcome), reservation)

    @asynccontextmanager
    async def _place(self, payer: Payer) -> AsyncGenerator[None]:
        self._allowed(self.breaker.state != "open")
        async with self.places.taken(payer.principal, payer.priority):
            self._allowed(self.breaker.allows())
            yield

    def _allowed(self, allowed: bool) -> None:
        if not allowed:
            raise Failure("unavailable", f"left alone for {self.breaker.seconds:.0f} s more, after failures in a row")

    def _failure(self, error: BaseException, seconds: float) -> Failure | None:
        """What an error means, and what the breaker learns from it; None: nothing, who asked went away."""
        if isinstance(error, TimeoutError):
            blamed, failure = seconds >= PATIENT, Failure("timeout", f"no answer within {seconds:.1f} s")
        elif isinstance(error, Failure):
            # A provider that limits or declines us is there.
            blamed, failure = error.kind not in ("busy", "refused"), error
        elif isinstance(error, (KeyError, TypeError, ValueError, AttributeError, IndexError)):
            blamed, failure = True, Failure("invalid", "what came is not of the form of an answer", again=True)
        else:
            return None
        if blamed:
            self.breaker.failed()
        else:
            self.breaker.abandoned()
        if self.provider.key:
            failure.args = (str(failure).replace(self.provider.key, "…"),)  # some providers say it back
        return failure

    def _usage(self, heard: Heard, outcome: str, taken: int, seconds: float) -> Usage:
        """As the provider says; by length where it says nothing but was at work."""
        given, input_tokens = heard.output_tokens, heard.input_tokens
        if not input_tokens and (outcome in ("ok", "timeout", "cancelled") or heard.text):
            given, input_tokens = len(heard.text) // 4, taken
        given, input_tokens = min(given, _MOST), min(input_tokens, _MOST)
        cached = min(heard.cached_tokens, input_tokens)
        cost = self.prices.cost(input_tokens, given, cached)
        return Usage(self.provider.name, self.provider.model, input_tokens, given, cached, cost, 1, seconds)

    def _record(self, payer: Payer, usage: Usage, outcome: str) -> CallRecord:
        now = self._now()
        return CallRecord(
            new_id(), now, payer.principal, payer.purpose, usage.provider, usage.model, outcome, usage.input_tokens,
            usage.output_tokens, usage.cached_tokens, usage.cost, usage.seconds, now.date(),
        )  # fmt: skip
