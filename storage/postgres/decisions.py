"""Owns `storage.decisions.Decisions` over PostgreSQL. It must not know routes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime, timedelta

from storage.decisions import KEPT_DAYS, Decision, Share
from storage.postgres.connections import Connections

# All rows of a batch in one statement, column by column.
ADD = """
INSERT INTO decisions (id, at, route, tier, stage, reason, world, persona, seconds, routing, calls, cost, "full")
SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::float8[], $10::float8[], $11::int[], $12::float8[], $13::float8[])
ON CONFLICT (id) DO NOTHING"""

FORGET = "DELETE FROM decisions WHERE at < $1"

SHARES = """
SELECT route, tier, stage, count(*) AS messages, avg(seconds) AS seconds, avg(routing) AS routing, sum(calls) AS calls,
    sum(cost) AS cost, sum("full") AS "full"
FROM decisions WHERE at >= $1 GROUP BY route, tier, stage ORDER BY messages DESC, route, tier, stage"""


class PostgresDecisions:
    """See `storage.decisions.Decisions`."""

    def __init__(self, connections: Connections):
        self._connections = connections
        self._forgotten: datetime | None = None

    async def add(self, decisions: Sequence[Decision]) -> None:
        if not decisions:
            return
        await self._connections.fetch(ADD, *map(list, zip(*map(astuple, decisions), strict=True)))
        newest = max(each.at for each in decisions)
        # Once an hour in each process is often enough.
        if self._forgotten is None or newest - self._forgotten > timedelta(hours=1):
            await self._connections.fetch(FORGET, newest - timedelta(days=KEPT_DAYS))
            self._forgotten = newest

    async def shares(self, since: datetime) -> Sequence[Share]:
        return [Share(**row) for row in await self._connections.fetch(SHARES, since)]
