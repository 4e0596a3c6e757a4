"""Owns the ledger of models' calls in PostgreSQL. `PostgresLedger(connections)`; see `storage.ledger`. It must not know providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from storage.ledger import EVERYBODY, CallRecord, Limits, Reserved, Spent
from storage.postgres.connections import Connections

# Both rows are locked in one order, so that of two who want the last call one gets it; without a row nothing is reserved.
RESERVE = """
WITH held AS MATERIALIZED (
    SELECT principal, calls, cost FROM model_spending WHERE day = $1 AND principal IN ('', $2)
    ORDER BY principal FOR UPDATE),
verdict AS (
    SELECT count(*) AS rows, bool_and(
        calls + $3 <= coalesce(CASE principal WHEN '' THEN $5::bigint ELSE $7::bigint END, 9223372036854775807)
        AND cost + $4 <= coalesce(CASE principal WHEN '' THEN $6::float8 ELSE $8::float8 END, 'infinity') + 1e-9) AS fits
    FROM held),
added AS (
    INSERT INTO model_spending AS s (day, principal, calls, cost)
    SELECT $1, principal, $3, $4 FROM held, verdict WHERE rows = 2 AND fits ORDER BY principal
    ON CONFLICT (day, principal) DO UPDATE SET calls = s.calls + $3, cost = s.cost + $4)
SELECT rows, fits, principal, calls, cost FROM verdict LEFT JOIN held ON true"""

BEGIN = """
INSERT INTO model_spending (day, principal) SELECT $1, who FROM unnest(ARRAY['', $2]) AS who ORDER BY who
ON CONFLICT DO NOTHING"""

# A call that is kept already was settled with it. Sums are by day and principal, everybody's beside each one's.
RECORD = """
WITH calls AS (
    INSERT INTO model_calls (id, at, principal, purpose, provider, model, outcome, input_tokens, output_tokens,
        cached_tokens, cost, seconds)
    SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::int[], $9::int[], $10::int[], $11::float8[], $12::float8[])
    ON CONFLICT (id) DO NOTHING RETURNING id, principal),
taken AS (
    SELECT day, principal, more, money FROM calls
    JOIN unnest($1::uuid[], $13::date[], $14::int[], $15::float8[]) AS given (id, day, more, money) USING (id)),
sums AS (
    SELECT day, who, sum(more) AS more, sum(money) AS money
    FROM taken, unnest(ARRAY['', principal]) AS who GROUP BY day, who)
INSERT INTO model_spending AS s (day, principal, calls, cost) SELECT day, who, more, money FROM sums ORDER BY day, who
ON CONFLICT (day, principal) DO UPDATE SET calls = s.calls + excluded.calls, cost = s.cost + excluded.cost"""

SPENT = "SELECT principal, calls, cost FROM model_spending WHERE day = $1"


class PostgresLedger:
    """See `storage.ledger.Ledger`."""

    def __init__(self, connections: Connections):
        self._connections = connections

    async def reserve(self, day: date, principal: str, wanted: Spent, everybody: Limits, each: Limits) -> Reserved:
        limits = (everybody.calls, everybody.cost, each.calls, each.cost)
        values = (day, principal, wanted.calls, wanted.cost, *limits)
        rows = await self._connections.fetch(RESERVE, *values)
        if rows[0]["rows"] < 2:
            # The first of the day.
            await self._connections.fetch(BEGIN, day, principal)
            rows = await self._connections.fetch(RESERVE, *values)
        spent = {row["principal"]: Spent(row["calls"], row["cost"]) for row in rows}
        return Reserved(rows[0]["fits"], spent[EVERYBODY], spent[principal])

    async def record(self, calls: Sequence[CallRecord]) -> None:
        columns = zip(
            *(
                (
                    c.id, c.at, c.principal, c.purpose, c.provider, c.model, c.outcome, c.input_tokens, c.output_tokens,
                    c.cached_tokens, c.cost, c.seconds, c.day, 1 - c.reserved.calls, c.cost - c.reserved.cost,
                )
                for c in calls
            ),
            strict=True,
        )  # fmt: skip
        if calls:
            await self._connections.fetch(RECORD, *map(list, columns))

    async def spent(self, day: date) -> Mapping[str, Spent]:
        rows = await self._connections.fetch(SPENT, day)
        return {row["principal"]: Spent(row["calls"], row["cost"]) for row in rows}
