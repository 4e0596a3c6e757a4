"""Owns the connection to Redis for a whole process: coalesced commands, scripts, reconnection, circuit breaker.

`async with RedisClient(url) as redis: await redis.call("GET", "key")`. It must not know what is kept in Redis.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from storage.redis.breaker import Breaker
from storage.redis.link import Arg, Link, RedisAway, UnknownScript
from storage.reviving import Reviver
from storage.store import StoreError


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script; it runs atomically on the server."""

    body: str
    sha: str

    @classmethod
    def of(cls, body: str) -> Script:
        return cls(body, hashlib.sha1(body.encode(), usedforsecurity=False).hexdigest())


@dataclass(frozen=True, slots=True)
class RedisStatus:
    """For health reports and metrics."""

    connected: bool
    breaker: str
    run_id: str
    calls: int
    """Commands sent; `writes` is in how many pieces."""
    writes: int
    failures: int
    opened: int
    connects: int
    error: str
    """Why the last connection or the last try ended."""


async def _outcome(future: asyncio.Future[Any]) -> Any:
    """The reply or the error."""
    try:
        return await future
    except StoreError as error:
        return error


class Backoff:
    """Waiting times that double from `first` to `most` seconds, each shortened by up to a half at random."""

    def __init__(self, first: float = 0.05, most: float = 2.0, rng: Callable[[], float] = random.random):
        self._first, self._most, self._rng = first, most, rng
        self._next = first

    def reset(self) -> None:
        self._next = self._first

    def take(self) -> float:
        delay, self._next = self._next, min(self._most, self._next * 2)
        return delay * (1 - self._rng() / 2)


class RedisClient:
    """One shared connection to one server, renewed in the background for as long as the client is open.

    Calls while there is no connection fail at once with `RedisAway`. The breaker's `seconds` are short by default, because
    not a caller but the background probes the server. `revive` starts a server of ours that was lost.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 1.0,
        breaker: Breaker | None = None,
        backoff: Backoff | None = None,
        revive: Reviver | None = None,
    ):
        self.url, self.timeout = url, timeout
        self._revive = revive or Reviver(None)
        self.breaker = breaker or Breaker(seconds=5.0)
        self._backoff = backoff or Backoff()
        self._link: Link | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._calls = self._writes = self._connects = 0
        self._error = "not yet connected"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Tries to connect once; whatever comes of it, the background goes on."""
        with suppress(StoreError):
            await self._open()
        self._keeper = asyncio.create_task(self._keep())

    async def aclose(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        await self._drop("closed by us")

    @property
    def run_id(self) -> str:
        """Names the server's process at the other end of the present connection; empty without a connection."""
        link = self._link
        return "" if link is None or link.closed.done() else link.run_id

    async def connected(self) -> str:
        """Waits for a connection; gives the run id."""
        while not self.run_id:
            self._connected.clear()
            await self._connected.wait()
        return self.run_id

    def status(self) -> RedisStatus:
        link, breaker = self._link, self.breaker
        calls, writes = (link.calls, link.writes) if link else (0, 0)
        return RedisStatus(
            connected=bool(self.run_id), breaker=breaker.state, run_id=self.run_id, calls=self._calls + calls,
            writes=self._writes + writes, failures=breaker.failures, opened=breaker.opened, connects=self._connects,
            error="" if self.run_id else self._error,
        )  # fmt: skip

    def send(self, *args: Arg) -> asyncio.Future[Any]:
        """Queues a command for the present connection and for no other; the future brings the reply.

        Raises `RedisAway` at once without a connection; the future raises it when the connection is lost before the reply
        (the command may have been done or not), and `RedisRefused` for an error reply.
        """
        if self._link is None:
            raise RedisAway(f"Redis is away: {self._error}")
        return self._link.send(args)

    def tell(self, *args: Arg) -> None:
        """Queues a command whose reply, and whose fate, nobody waits for."""
        with suppress(RedisAway):
            self.send(*args).add_done_callback(lambda future: future.cancelled() or future.exception())

    async def call(self, *args: Arg) -> Any:
        """Sends a command and waits for its reply; errors as in `send`."""
        return await self.send(*args)

    async def run(self, script: Script, keys: Sequence[Arg], args: Sequence[Arg] = ()) -> Any:
        """Runs a script by its digest; where the server does not know it, by its text."""
        try:
            return await self.send("EVALSHA", script.sha, len(keys), *keys, *args)
        except UnknownScript:
            return await self.send("EVAL", script.body, len(keys), *keys, *args)

    async def run_many(self, script: Script, calls: Sequence[tuple[Sequence[Arg], Sequence[Arg]]]) -> list[Any]:
        """Runs a script once for each pair of keys and arguments, in one write. The first error is raised when all are back."""
        sent = [self.send("EVALSHA", script.sha, len(keys), *keys, *args) for keys, args in calls]
        replies = [await _outcome(future) for future in sent]
        unknown = [at for at, reply in enumerate(replies) if isinstance(reply, UnknownScript)]
        again = [self.send("EVAL", script.body, len(calls[at][0]), *calls[at][0], *calls[at][1]) for at in unknown]
        for at, future in zip(unknown, again, strict=True):
            replies[at] = await _outcome(future)
        for reply in replies:
            if isinstance(reply, StoreError):
                raise reply
        return replies

    # --- the background

    async def _open(self) -> None:
        link = Link(self.url, self.timeout)
        try:
            await link.open()
            while self.breaker.state != "closed":
                await link.send(("PING",))
                self.breaker.succeeded()
        except (StoreError, TimeoutError) as error:
            await link.aclose()
            self.breaker.failed()
            self._error = str(error) or f"no answer for {self.timeout:g} s"
            raise RedisAway(self._error) from error
        self._link = link
        self._connects += 1
        self._connected.set()

    async def _keep(self) -> None:
        """Waits for the connection to break, and makes another."""
        while True:
            if self._link is not None:
                since = time.monotonic()
                self._error = await asyncio.shield(self._link.closed)
                if time.monotonic() - since > 2 * self.timeout:  # it was a good one
                    self.breaker.succeeded()
                    self._backoff.reset()
                self.breaker.failed()
                await self._drop(self._error)
            await asyncio.sleep(max(self._backoff.take(), self.breaker.wait()))
            try:
                await self._open()
            except RedisAway:
                self._revive()

    async def _drop(self, reason: str) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.aclose(reason)
            self._calls += link.calls
            self._writes += link.writes
