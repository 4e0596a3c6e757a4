"""Owns where teams' runs are kept in PostgreSQL: LangGraph's own tables, in a schema of their own, and who works on a run.

`async with PostgresCheckpoints(url).run(thread) as saver:`. LangGraph and its driver are imported when the first run begins.
It must not know teams.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from storage.checkpoints import RunBusy, owner
from storage.store import StoreAway

SCHEMA = "langgraph"
MOST = 8
"""Runs at the same time in a process; each holds a connection."""
_PAUSE = 0.02

VERSION = f"SELECT max(v) AS v FROM {SCHEMA}.checkpoint_migrations"
# An index is made concurrently, which waits for everybody's statements: whoever waits for a lock must not do so in one.
TRY = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0)) AS held"
RELEASE = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"


class PostgresCheckpoints:
    """Runs that outlive the process. `url` is the database of everything else; `wait` are the seconds for which a run is
    waited for that somebody else works on: a worker that was killed is found dead by then."""

    def __init__(self, url: str, *, wait: float = 5.0):
        self._url, self._wait, self._ready = url, wait, False
        self._free = asyncio.Semaphore(MOST)

    @asynccontextmanager
    async def run(self, thread: str) -> AsyncGenerator[Any]:
        """LangGraph's saver, for a run that nobody else works on meanwhile; where its process dies the server lets go of it.

        Raises `RunBusy`, `StoreAway`.
        """
        import psycopg
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
        from psycopg.rows import dict_row

        async with self._free:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, prepare_threshold=0, row_factory=dict_row, connect_timeout=5,
                    options=f"-c search_path={SCHEMA}",
                ) as connection:  # fmt: skip
                    saver = AsyncPostgresSaver(connection)
                    if not self._ready:
                        await _set_up(connection, saver)
                        self._ready = True
                    await _lock(connection, f"run {thread}", self._wait)
                    yield saver
            except psycopg.OperationalError as error:
                raise StoreAway(f"the database does not answer ({error})") from error

    async def finished(self, saver: Any, thread: str) -> None:
        """Of a run that is over only what it came to is kept."""
        await saver.aprune([thread], strategy="keep_latest")

    async def forget(self, principal: str) -> int:
        """Deletes every run of a principal; how many."""
        async with self.run(f"{owner(principal)} forgotten") as saver:
            found = await saver.conn.execute(
                "SELECT DISTINCT thread_id FROM checkpoints WHERE starts_with(thread_id, %s)", (f"{owner(principal)} ",)
            )
            threads = [row["thread_id"] for row in await found.fetchall()]
            await saver.aprune(threads, strategy="delete")
        return len(threads)


async def _set_up(connection: Any, saver: Any) -> None:
    """Makes the tables, or brings them up to date; several processes may come at once."""
    there = await (
        await connection.execute("SELECT to_regclass(%s) AS name", (f"{SCHEMA}.checkpoint_migrations",))
    ).fetchone()
    if there["name"] is not None:
        row = await (await connection.execute(VERSION)).fetchone()
        if row["v"] is not None and row["v"] + 1 >= len(saver.MIGRATIONS):
            return
    await _lock(connection, f"set up {SCHEMA}", 60.0)
    try:
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        await saver.setup()
    finally:
        await connection.execute(RELEASE, (f"set up {SCHEMA}",))


async def _lock(connection: Any, name: str, wait: float) -> None:
    """Takes a lock of the session. Raises `RunBusy`."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    while not (await (await connection.execute(TRY, (name,))).fetchone())["held"]:
        if loop.time() > until:
            raise RunBusy("Somebody works on this run at this moment")
        await asyncio.sleep(_PAUSE)
