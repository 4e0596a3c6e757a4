"""Owns one connection to Redis that many callers share: one write a tick of the event loop, replies in order.

`RedisClient` opens links and replaces broken ones. A broken link is never used again: everything that waited fails with
`RedisAway`, so a command is sent to the server that its caller meant, or to none. It must not know what the commands mean.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Sequence
from typing import Any

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from storage.store import StoreError

Arg = bytes | str | int | float
_RUN = re.compile(rb"run_id:(\w+)")


class RedisAway(StoreError):
    """Redis does not answer."""

    hint = "Go on without it: PostgreSQL is the truth. It is tried again in the background."


class RedisRefused(StoreError):
    """Redis answered with an error."""

    hint = "Read the answer; a wrong password, a full memory or a wrong kind of key are the usual causes."


class UnknownScript(RedisRefused):
    """The server does not know the script by its digest."""

    hint = "Send the script's text."


def connection(url: str, timeout: float) -> AbstractConnection:
    """A connection of redis-py as the URL says, not yet open. It keeps no time limits of its own but while connecting."""
    pool = ConnectionPool.from_url(
        url, protocol=2, retry=Retry(NoBackoff(), 0), socket_timeout=None, socket_connect_timeout=timeout
    )
    return pool.make_connection()


def pack(args: Sequence[Arg]) -> bytes:
    """A command in the server's protocol."""
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        data = arg if isinstance(arg, bytes) else str(arg).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


class Link:
    """One connection. `run_id` names the very process of the server that is at its other end."""

    def __init__(self, url: str, timeout: float):
        self._connection: Any = connection(url, timeout)
        self._timeout = timeout
        self._queue: list[bytes] = []
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._tasks: list[asyncio.Task[None]] = []
        self.closed: asyncio.Future[str] = self._loop.create_future()
        """Done with the reason when the link is broken."""
        self.run_id = ""
        self.calls = self.writes = 0

    async def open(self) -> None:
        """Connects and asks for the run id before anything else is sent. Raises `RedisAway` or `RedisRefused`."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._connection.connect()
                await self._connection.send_command("INFO", "server")
                found = _RUN.search(await self._connection.read_response())
        except ResponseError as error:
            await self._disconnect()
            raise RedisRefused(f"Redis does not let us in: {error}") from error
        except (RedisError, OSError) as error:
            await self._disconnect()
            raise RedisAway(f"Redis cannot be reached: {error}") from error
        except BaseException:
            await self._disconnect()
            raise
        if found is None:
            await self._disconnect()
            raise RedisRefused("Redis does not tell its run_id in INFO")
        self.run_id = found[1].decode()
        self._tasks = [asyncio.create_task(work()) for work in (self._write, self._read, self._watch)]

    def send(self, args: Sequence[Arg]) -> asyncio.Future[Any]:
        """Queues a command. Its reply comes with the future; an error reply is raised as `RedisRefused`."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if self.closed.done():
            future.set_exception(RedisAway(f"Redis is away: {self.closed.result()}"))
            return future
        self._queue.append(pack(args))
        self._waiting.append((future, self._loop.time()))
        self._wake.set()
        return future

    async def aclose(self, reason: str = "closed by us") -> None:
        self._break(reason)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._disconnect()

    async def _disconnect(self) -> None:
        await self._connection.disconnect(nowait=True)

    def _break(self, reason: str) -> None:
        """Fails all that waits. What was sent may have been done or not; the callers must reckon with both."""
        if self.closed.done():
            return
        self.closed.set_result(reason)
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        for future, _ in self._waiting:
            if not future.done():
                future.set_exception(RedisAway(f"Redis went away: {reason}"))
        self._waiting.clear()
        self._queue.clear()

    async def _write(self) -> None:
        """Sends in one write all that was queued since the last one."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._queue = self._queue, []
            self.calls += len(batch)
            self.writes += 1
            try:
                await self._connection.send_packed_command(batch, check_health=False)
            except (RedisError, OSError) as error:
                return self._break(str(error))

    async def _read(self) -> None:
        """Hands out the replies, oldest command first."""
        read, waiting = self._connection.read_response, self._waiting
        while True:
            try:
                reply = await read(disconnect_on_error=False)
            except NoScriptError as error:
                reply = UnknownScript(str(error))
            except ResponseError as error:
                reply = RedisRefused(str(error))
            except (RedisError, OSError) as error:
                return self._break(str(error) or type(error).__name__)
            future, _ = waiting.popleft()
            if future.done():
                continue
            if isinstance(reply, RedisRefused):
                future.set_exception(reply)
            else:
                future.set_result(reply)

    async def _watch(self) -> None:
        """Breaks the link when the oldest command has waited too long: after a late reply the order would be lost."""
        while True:
            await asyncio.sleep(self._timeout / 4)
            if self._waiting and self._loop.time() - self._waiting[0][1] > self._timeout:
                return self._break(f"no answer for {self._timeout:g} s")
