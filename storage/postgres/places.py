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

_HAVERSINE = f"""{2 * EARTH} * asin(sqrt(least(1, power(sin(radians(lat - $2) / 2), 2)
        + cos(radians($2)) * cos(radians(lat)) * power(sin(radians(lng - $3) / 2), 2))))"""

# What is placed: by the rules alone (of experience $1), and in a game ($7), whose own instances count more.
_RULES = "(SELECT id, name, lat, lng, cell FROM waypoints WHERE experience = $1 AND {where} {order})"
_GAME = """(
        SELECT id, name, lat, lng, cell FROM waypoints WHERE experience = $1 AND {where}
            AND NOT EXISTS (SELECT FROM instances WHERE game_id = $7 AND instances.id = waypoints.id) {order}
    ) UNION ALL (
        SELECT id, '', lat, lng, cell FROM instances WHERE game_id = $7 AND cell IS NOT NULL AND {where} {order})"""

# $1 experience, $2 and $3 the point, $4 limit, $5 and $6 the ranges of cells, then the game, last the metres.
_WITHIN = """
SELECT * FROM (
    SELECT id, name, lat, lng, {distance} AS metres
    FROM unnest($5::bigint[], $6::bigint[]) AS range(low, high) CROSS JOIN LATERAL ({placed}) AS near
) AS found WHERE metres <= ${last} ORDER BY metres, id LIMIT $4"""

# The neighbours along the order of cells: the furthest of as many as are wanted bounds where the nearest are.
# $1 to $4 as above, $5 the cell of the point; $6 is nothing, so that the game is $7 everywhere.
_NEIGHBOURS = """
SELECT {distance} AS metres FROM ({above} UNION ALL {below}) AS near WHERE $6::int IS NULL ORDER BY metres LIMIT $4"""

_BETWEEN = {"where": "cell BETWEEN low AND high", "order": ""}
_ABOVE = {"where": "cell >= $5", "order": "ORDER BY cell LIMIT $4"}
_BELOW = {"where": "cell < $5", "order": "ORDER BY cell DESC LIMIT $4"}

WITHIN, WITHIN_GAME = (
    _WITHIN.format(distance=_HAVERSINE, placed=placed.format(**_BETWEEN), last=last)
    for placed, last in ((_RULES, 7), (_GAME, 8))
)
NEIGHBOURS, NEIGHBOURS_GAME = (
    _NEIGHBOURS.format(distance=_HAVERSINE, above=placed.format(**_ABOVE), below=placed.format(**_BELOW))
    for placed in (_RULES, _GAME)
)

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
        cells = [low for low, _ in ranges], [high for _, high in ranges]
        query, of = (WITHIN, ()) if game is None else (WITHIN_GAME, (game,))
        return [
            _found(row) for row in await self._connections.fetch(query, experience, *point, limit, *cells, *of, metres)
        ]

    async def nearest(
        self, experience: str, point: tuple[float, float], count: int = 10, *, game: str | None = None
    ) -> Sequence[Found]:
        """The nearest few, at most `FURTHEST` away."""
        query, of = (NEIGHBOURS, ()) if game is None else (NEIGHBOURS_GAME, (game,))
        rows = await self._connections.fetch(query, experience, *point, count, cell(*point), None, *of)
        bound = min(rows[-1]["metres"] * (1 + 1e-9), FURTHEST) if len(rows) == count else FURTHEST
        return await self.within(experience, point, bound, game=game, limit=count)


def _found(row: asyncpg.Record) -> Found:
    values: dict[str, Any] = dict(row)
    return Found(values["id"], values["name"], (values["lat"], values["lng"]), values["metres"])
