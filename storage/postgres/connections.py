"""Owns connections to PostgreSQL: a pool for reading, single ones for writing, and patience while a server restarts.

`Connections(url, revive)`. It must not know what is asked.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg
import orjson

from storage.metrics import Histogram
from storage.reviving import Reviver
from storage.store import StoreAway

T = TypeVar("T")
Connection = asyncpg.Connection
LOST = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InternalClientError,  # asyncpg's, where the server ends a connection in the middle of its own error
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""There is no connection, or it broke (what was under way may or may not have happened), or it is to a server that only
reads: another one may do."""

ANSWER = 10.0
"""Seconds after which a server that says nothing is taken for one that hangs."""

WRITER = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "lock_timeout": "1s",
    "statement_timeout": "2s",
}
"""Plans for arrays of any length are alike and cost more than the work; and no table's size may make them scan it."""

READER = {"jit": "off"}
"""Compiling a plan takes longer than any of ours runs."""


class Connections:
    """`revive` starts a server of ours that was lost; `patience` is how many seconds a reader waits for one."""

    def __init__(self, url: str, revive: Reviver | None = None, *, size: int = 20, patience: float = 5.0):
        self.url, self._revive, self._patience = url, revive or Reviver(None), patience
        self._pool = asyncpg.create_pool(
            url, min_size=0, max_size=size, init=self._ready, timeout=5, command_timeout=ANSWER, server_settings=READER
        )
        self._open = False
        self._opened = 0
        self._answered = float("-inf")
        """When it answered last, by the loop's clock."""
        self._away = self._probing = False
        """Nobody waits for a server that answered nobody while somebody waited: one at a time tries whether it is back."""
        self.queries = Histogram("database_query_duration_seconds", "Queries, with the wait for a connection.")

    @property
    def busy(self) -> int:
        """Connections of the pool that are in use."""
        return self._pool.get_size() - self._pool.get_idle_size() if self._open else 0

    @property
    def reused(self) -> float:
        """The share of queries for which no connection had to be opened."""
        return max(0.0, 1 - self._opened / self.queries.count) if self.queries.count else 0.0

    async def _ready(self, connection: Connection) -> None:
        self._opened += 1
        await _prepare(connection)

    async def single(self) -> Connection:
        """A connection that the caller closes; JSON stays text. Raises one of `LOST`."""
        try:
            return await asyncpg.connect(
                self.url, timeout=5, command_timeout=ANSWER, max_cached_statement_lifetime=0, server_settings=WRITER
            )
        except LOST:
            self._revive()
            raise

    async def fetch(self, query: str, *values: Any) -> list[asyncpg.Record]:
        """The rows of a query that may be asked again where the connection breaks. Raises `StoreAway`."""
        return await self.run(lambda connection: connection.fetch(query, *values))

    async def row(self, query: str, *values: Any) -> asyncpg.Record | None:
        """The first row."""
        rows = await self.fetch(query, *values)
        return rows[0] if rows else None

    async def value(self, query: str, *values: Any) -> Any:
        """The first value of the first row; None where there is none."""
        row = await self.row(query, *values)
        return None if row is None else row[0]

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What `work` gives on a connection; it may be run again where the connection breaks. Raises `StoreAway`."""
        return await self.patiently(lambda: self._pooled(work))

    async def _pooled(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        if not self._open:
            await self._pool
            self._open = True
        async with self._pool.acquire(timeout=self._patience) as connection:
            return await work(connection)  # pyright: ignore[reportArgumentType]

    async def patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """What `work` gives; it is run again where the connection breaks. Raises `StoreAway` when the patience is over, or at
        once where the server is known to be away."""
        if self._probing:
            raise away(self.url, self._revive.trouble or "it was just asked")
        loop = asyncio.get_running_loop()
        probing = self._probing = self._away
        begin, pause = loop.time(), 0.02
        end = begin + (0 if probing else self._patience)
        try:
            while True:
                try:
                    found = await work()
                    self._away, self._answered = False, loop.time()
                    self.queries.observe(self._answered - begin)
                    return found
                except LOST as error:
                    self._revive()
                    if loop.time() + pause > end:
                        self._away = self._answered < begin  # else it is only busy
                        raise away(self.url, self._revive.trouble or error) from error
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, 0.3)
        finally:
            if probing:
                self._probing = False

    async def close(self) -> None:
        """Closes the pool, or drops it where the server hangs."""
        if not self._open:
            return
        try:
            await asyncio.wait_for(self._pool.close(), 5)
        except TimeoutError:
            self._pool.terminate()


def away(url: str, error: BaseException | str) -> StoreAway:
    """The error for a database that does not answer; it names no password."""
    shown = re.sub(r"(//[^/@:]*):[^/@]*@", r"\1:…@", url)
    return StoreAway(f"the database at {shown} does not answer ({str(error) or type(error).__name__})")


async def _prepare(connection: Connection) -> None:
    """JSON columns are Python values on the pool's connections."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
        )
