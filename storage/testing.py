"""Owns databases for tests: real ones, each a copy of a template, on servers of the test session's own.

`with running(folder) as servers, database(servers) as url:`. Ships, so that other packages' tests use it too. It must not
know pytest.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg

from storage.cells import cell
from storage.embedded import Servers, Supervisor
from storage.embedded.wire import ask_postgres
from storage.postgres.migrate import migrate


@contextmanager
def running(home: Path) -> Generator[Servers]:
    """Embedded servers in a folder; they stop at the end when nobody else uses them."""
    supervisor = Supervisor(home)
    try:
        yield supervisor.acquire()
    finally:
        supervisor.release()


@contextmanager
def database(servers: Servers, template: str = "rulebound") -> Generator[str]:
    """The URL of a new database of the role `rulebound`, a copy of the template (to which nobody may be connected);
    dropped at the end, whoever is still connected."""
    place = urlsplit(servers.database_url)
    socket = Path(parse_qs(place.query)["host"][0]) / ".s.PGSQL.5432"
    name = f"test_{secrets.token_hex(6)}"
    ask_postgres(socket, f"CREATE DATABASE {name} TEMPLATE {template} OWNER rulebound", timeout=60)
    try:
        yield place._replace(path=f"/{name}").geturl()
    finally:
        ask_postgres(socket, f"DROP DATABASE {name} WITH (FORCE)", timeout=60)


async def migrated(url: str) -> None:
    """Brings a database up to date, so that it can be a template."""
    connection = await asyncpg.connect(url)
    try:
        await migrate(connection, url)
    finally:
        await connection.close()


# One player in a thousand carries the crown or was in the crypt.
CROWD = (
    (
        "INSERT INTO players (id, principal, name, level) "
        "SELECT md5('player ' || n)::uuid, 'principal ' || n, 'Player ' || n, n % 30 FROM generate_series(1, $1::int) n"
    ),
    """
    INSERT INTO progress (player_id, experience, handle, started, played, last_turn, playtime, turns, completion, score,
        location, lat, lng, distance, inventory, visited, state)
    SELECT md5('player ' || n)::uuid, 'world-' || n % 5, md5('handle ' || n)::uuid, now() - interval '30 days',
        date_trunc('minute', at), at, n % 9000, n % 500, (n % 100) / 100.0, n % 1000, 'place-' || n % 50,
        51 + (n % 100) / 1000.0, n % 7 / 1000.0, n % 77777,
        ARRAY['item-' || n % 200, 'item-' || n % 311] || CASE WHEN n % 1000 = 0 THEN ARRAY['crown'] ELSE '{}' END,
        ARRAY['place-' || n % 50, 'place-' || n % 37] || CASE WHEN n % 1000 = 0 THEN ARRAY['crypt'] ELSE '{}' END,
        '{"quests": {"errand": "active"}, "achievements": ["the coin"], "ended": ""}'
    FROM generate_series(1, $1::int) n, LATERAL (SELECT now() - n % 14400 * interval '1 minute' AS at) AS last""",
    """
    INSERT INTO progress_events (player_id, id, experience, type, content, lat, lng, at)
    SELECT md5('player ' || n)::uuid, uuidv7(at - now()), 'world-' || n % 5,
        (ARRAY['session_started', 'location_entered', 'location_entered', 'achievement_earned', 'score_changed'])[1 + k % 5],
        CASE k % 5 WHEN 3 THEN 'the coin' ELSE 'place-' || (n + k) % 50 END, 51, 0, at
    FROM generate_series(1, $1::int) n, generate_series(1, $2::int) k,
        LATERAL (SELECT now() - n % 28 * interval '1 day' - ($2 - k) * interval '1 minute' AS at) AS moment""",
)


async def crowd(connection: Any, players: int, events: int) -> None:
    """Fills progress for so many players in the experiences `world-0` to `world-4`, each with so many events."""
    await connection.execute(CROWD[0], players)
    await connection.execute(CROWD[1], players)
    await connection.execute(CROWD[2], players, events)
    await connection.execute("VACUUM ANALYZE")


async def landscape(connection: Any, experience: str, count: int, seed: int = 1) -> list[tuple[str, float, float]]:
    """Fills in so many waypoints, within some 50 km of 51, 0, at random; gives their ids and points."""
    rng = random.Random(seed)
    points = [(f"waypoint-{n}", rng.uniform(50.7, 51.3), rng.uniform(-0.5, 0.5)) for n in range(count)]
    rows = ((experience, id, id, lat, lng, cell(lat, lng)) for id, lat, lng in points)
    await connection.copy_records_to_table("waypoints", records=rows)
    await connection.execute("VACUUM ANALYZE waypoints")
    return points
