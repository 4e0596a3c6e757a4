"""Owns what is where on Earth: the nearest and everything within a radius, exactly, by an index on cells.

`Places(store.connections)`. What the rules place is in `waypoints`, a copy that `publish` renews; where a game moved or
removed it, or made something new, the game's own instances count. It must not know rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from storage.cells import EARTH, around, cell
from storage.postgres.connections import Connections
from storage.standings import Found

FURTHEST = 100_000.0
"""Metres: nothing further away is near."""

_HAVERSINE = f"""{2 * EARTH} * asin(sqrt(least(1, power(sin(radians(lat - $3) / 2), 2)
        + cos(radians($3)) * cos(radians(lat)) * power(sin(radians(lng - $4) / 2), 2))))"""

_SOURCES = """
        SELECT waypoints.id, name, lat, lng, cell FROM waypoints WHERE experience = $1 AND {where}
            AND NOT EXISTS (SELECT FROM instances WHERE game_id = $2 AND instances.id = waypoints.id) {order}
    ) UNION ALL (
        SELECT id, '', lat, lng, cell FROM instances WHERE game_id = $2 AND cell IS NOT NULL AND {where} {order}"""

# $1 experience, $2 game or NULL, $3 and $4 the point, $5 metres, $6 limit, $7 and $8 the ranges of cells.
WITHIN = f"""
SELECT * FROM (
    SELECT id, name, lat, lng, {_HAVERSINE} AS metres
    FROM unnest($7::bigint[], $8::bigint[]) AS range(low, high) CROSS JOIN LATERAL (
        ({_SOURCES.format(where="cell BETWEEN low AND high", order="")})
    ) AS near) AS found
WHERE metres <= $5 ORDER BY metres, id LIMIT $6"""

# The neighbours along the order of cells: the furthest of as many as are wanted bounds where the nearest are.
NEIGHBOURS = f"""
SELECT {_HAVERSINE} AS metres FROM (
    ({_SOURCES.format(where="cell >= $5", order="ORDER BY cell LIMIT $6")}) UNION ALL
    ({_SOURCES.format(where="cell < $5", order="ORDER BY cell DESC LIMIT $6")})
) AS near ORDER BY metres LIMIT $6"""

PUBLISH = """
WITH gone AS (DELETE FROM waypoints WHERE experience = $1 AND id <> ALL($2::text[]))
INSERT INTO waypoints (experience, id, name, lat, lng, cell)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::float8[], $5::float8[], $6::bigint[])
ON CONFLICT (experience, id) DO UPDATE SET name = excluded.name, lat = excluded.lat, lng = excluded.lng, cell = excluded.cell
WHERE (waypoints.name, waypoints.cell) IS DISTINCT FROM (excluded.name, excluded.cell)"""


class Places:
    """Asks as the rules have it, or with `game` as that game has it. Points are latitude and longitude in degrees."""

    def __init__(self, connections: Connections):
        self._connections = connections

    async def publish(self, experience: str, points: Mapping[str, tuple[str, tuple[float, float]]]) -> None:
        """Makes the copy of what the rules place what they say now: by id the name and the point."""
        lat, lng = ([point[axis] for _, point in points.values()] for axis in (0, 1))
        names, cells = [name for name, _ in points.values()], [cell(*point) for _, point in points.values()]
        await self._connections.fetch(PUBLISH, experience, list(points), names, lat, lng, cells)

    async def within(
        self, experience: str, point: tuple[float, float], metres: float, *, game: str | None = None, limit: int = 50
    ) -> Sequence[Found]:
        """Everything within a radius, the nearest first."""
        ranges = around(*point, metres)
        lows, highs = [low for low, _ in ranges], [high for _, high in ranges]
        rows = await self._connections.fetch(WITHIN, experience, game, *point, metres, limit, lows, highs)
        return [_found(row) for row in rows]

    async def nearest(
        self, experience: str, point: tuple[float, float], count: int = 10, *, game: str | None = None
    ) -> Sequence[Found]:
        """The nearest few, at most `FURTHEST` away."""
        rows = await self._connections.fetch(NEIGHBOURS, experience, game, *point, cell(*point), count)
        bound = min(rows[-1]["metres"] * (1 + 1e-9), FURTHEST) if len(rows) == count else FURTHEST
        return await self.within(experience, point, bound, game=game, limit=count)


def _found(row: asyncpg.Record) -> Found:
    values: dict[str, Any] = dict(row)
    return Found(values["id"], values["name"], (values["lat"], values["lng"]), values["metres"])
