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
)
"""The connection broke: what was under way may or may not have happened."""

WRITER = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "lock_timeout": "1s"}
"""Plans for arrays of any length are alike and cost more than the work; and no table's size may make them scan it."""


class Connections:
    """`revive` starts a server of ours that was lost; `patience` is how many seconds a reader waits for one."""

    def __init__(
        self, url: str, revive: Callable[[], Awaitable[object]] | None = None, *, size: int = 20, patience: float = 5.0
    ):
        self.url, self._revive, self._patience = url, revive, patience
        self._pool = asyncpg.create_pool(
            url, min_size=0, max_size=size, init=self._ready, timeout=5, command_timeout=30
        )
        self._open = False
        self._opened = 0
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
        """A connection that the caller closes; JSON stays text. Raises one of `LOST` or `StoreAway`."""
        try:
            return await asyncpg.connect(self.url, timeout=5, command_timeout=30, server_settings=WRITER)
        except LOST:
            if self._revive is not None:
                await self._revive()
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
        loop = asyncio.get_running_loop()
        begin, pause = loop.time(), 0.02
        end = begin + self._patience
        while True:
            try:
                if not self._open:
                    await self._pool
                    self._open = True
                async with self._pool.acquire(timeout=self._patience) as connection:
                    found = await work(connection)  # pyright: ignore[reportArgumentType]
                self.queries.observe(loop.time() - begin)
                return found
            except LOST as error:
                if loop.time() + pause > end:
                    raise away(self.url, error) from error
                if self._revive is not None:
                    await self._revive()
                await asyncio.sleep(pause)
                pause *= 2

    async def close(self) -> None:
        """Closes the pool, or drops it where the server hangs."""
        if not self._open:
            return
        try:
            await asyncio.wait_for(self._pool.close(), 5)
        except TimeoutError:
            self._pool.terminate()


def away(url: str, error: BaseException) -> StoreAway:
    """The error for a database that does not answer; it names no password."""
    shown = re.sub(r"(//[^/@:]*):[^/@]*@", r"\1:…@", url)
    return StoreAway(f"the database at {shown} does not answer ({error or type(error).__name__})")


async def _prepare(connection: Connection) -> None:
    """JSON columns are Python values on the pool's connections."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
        )
