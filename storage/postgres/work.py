"""Owns `storage.work.Work` over PostgreSQL: jobs and the outbox, shared by all workers. It must not know who publishes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from storage.postgres.connections import Connections
from storage.records import Told
from storage.work import MAX_ATTEMPTS, Due, Trouble, Untold

# The lease is the new time at which the clock is due: it runs out by itself.
DUE = """
UPDATE jobs SET due = $3, attempts = attempts + 1 FROM (
    SELECT kind, key, due AS since FROM jobs WHERE kind = 'tick' AND NOT dead AND due <= $1
    ORDER BY due LIMIT $2 FOR UPDATE SKIP LOCKED) AS late
WHERE jobs.kind = late.kind AND jobs.key = late.key RETURNING jobs.key, since, attempts"""

# A commit that has set the clock meanwhile stands.
DONE = "UPDATE jobs SET due = $3, attempts = 0, error = NULL WHERE kind = 'tick' AND key = $1 AND due = $2"

OVER = "DELETE FROM jobs WHERE kind = 'tick' AND key = $1 AND due = $2"

FAILED = f"""
UPDATE jobs SET due = $3, error = $4, dead = attempts >= {MAX_ATTEMPTS} WHERE kind = 'tick' AND key = $1 AND due = $2"""

# Whoever leases a game's oldest message has the game: what is written later waits behind it. A message that another worker
# leased between the two looks is looked at again by the lock, and is not due any more.
UNTOLD = """
WITH oldest AS MATERIALIZED (
    SELECT DISTINCT ON (game_id) id, due FROM outbox WHERE NOT dead ORDER BY game_id, number, id
), mine AS MATERIALIZED (
    SELECT game_id FROM outbox WHERE id IN (SELECT id FROM oldest WHERE due <= $1 LIMIT $2) AND due <= $1 AND NOT dead
    FOR UPDATE SKIP LOCKED
), first AS MATERIALIZED (
    SELECT id FROM outbox WHERE game_id IN (SELECT game_id FROM mine) AND NOT dead ORDER BY game_id, number, id LIMIT $2
), leased AS (
    UPDATE outbox SET due = $3 FROM first WHERE outbox.id = first.id
    RETURNING outbox.id, game_id, number, channel, payload, attempts
)
SELECT * FROM leased ORDER BY game_id, number, id"""

TOLD = "DELETE FROM outbox WHERE id = ANY($1::uuid[])"

UNHEARD = f"""
UPDATE outbox SET attempts = attempts + 1, due = $2, error = $3, dead = attempts + 1 >= {MAX_ATTEMPTS} WHERE id = $1"""

WAIT = "UPDATE outbox SET due = $2 WHERE game_id = ANY($1::uuid[]) AND NOT dead"

TROUBLES = """
SELECT 'tick' AS kind, key, coalesce(world, '') AS what, attempts, error, dead
FROM jobs LEFT JOIN games ON games.id::text = key WHERE kind = 'tick' AND error IS NOT NULL
UNION ALL SELECT 'told', id::text, channel, attempts, error, dead FROM outbox WHERE error IS NOT NULL
ORDER BY dead DESC, kind, key LIMIT $1"""

RETRY = """
WITH clocks AS (UPDATE jobs SET dead = false, attempts = 0, due = $1 WHERE dead RETURNING 1),
messages AS (UPDATE outbox SET dead = false, attempts = 0, due = $1 WHERE dead RETURNING 1)
SELECT (SELECT count(*) FROM clocks) + (SELECT count(*) FROM messages)"""


class PostgresWork:
    """See `storage.work.Work`."""

    def __init__(self, connections: Connections):
        self._connections = connections

    async def due(self, now: datetime, limit: int, lease: float) -> Sequence[Due]:
        until = now + timedelta(seconds=lease)
        rows = await self._connections.fetch(DUE, now, limit, until)
        return [Due(row["key"].replace("-", ""), row["since"], until, row["attempts"]) for row in rows]

    async def done(self, due: Due, next: datetime | None) -> None:
        if next is None:
            await self._connections.fetch(OVER, _key(due), due.until)
        else:
            await self._connections.fetch(DONE, _key(due), due.until, next)

    async def failed(self, due: Due, error: str, again: datetime) -> None:
        await self._connections.fetch(FAILED, _key(due), due.until, again, error)

    async def untold(self, now: datetime, limit: int, lease: float) -> Sequence[Untold]:
        rows = await self._connections.fetch(UNTOLD, now, limit, now + timedelta(seconds=lease))
        return [
            Untold(
                row["game_id"].hex, Told(row["id"].hex, row["channel"], row["payload"], row["number"]), row["attempts"]
            )
            for row in rows
        ]

    async def told(self, ids: Iterable[str]) -> None:
        await self._connections.fetch(TOLD, list(ids))

    async def unheard(self, untold: Untold, error: str, again: datetime) -> None:
        await self._connections.fetch(UNHEARD, untold.told.id, again, error)

    async def wait(self, games: Iterable[str], until: datetime) -> None:
        await self._connections.fetch(WAIT, list(games), until)

    async def troubles(self, limit: int = 100) -> Sequence[Trouble]:
        rows = await self._connections.fetch(TROUBLES, limit)
        return [
            Trouble(row["kind"], row["key"].replace("-", ""), row["what"], row["attempts"], row["error"], row["dead"])
            for row in rows
        ]

    async def retry(self, now: datetime) -> int:
        return await self._connections.value(RETRY, now)


def _key(due: Due) -> str:
    """A game's id as PostgreSQL writes a UUID."""
    id = due.game
    return f"{id[:8]}-{id[8:12]}-{id[12:16]}-{id[16:20]}-{id[20:]}"
