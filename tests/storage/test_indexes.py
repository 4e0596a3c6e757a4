"""Every class of queries is answered by an index, in tables large enough that a scan would show."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from storage.cells import around, cell
from storage.postgres import PostgresStore, access, audit, decisions, ledger, memories, places, progress, store
from storage.testing import crowd, landscape

pytestmark = pytest.mark.anyio
PLAYERS = 5_000
INSTANCES = """
INSERT INTO instances (game_id, id, template, kind, location, lat, lng, cell, tags, data)
SELECT md5('game ' || g)::uuid, 'thing-' || n, 'lamp-' || n % 100, 'item', 'place-' || n % 50, NULL, NULL, NULL,
    ARRAY['color=' || n % 997], '{"fields": {}}'
FROM generate_series(1, 100) g, generate_series(1, 300) n"""
GAMES = """
INSERT INTO games (id, scope, world, seed, commit, version, hash, head, updated)
SELECT md5('game ' || n)::uuid, 'scope-' || n, 'cloak', 1, 'c', 0, 'h', '{}', now() FROM generate_series(1, 5000) n"""
SEATS = """
INSERT INTO seats (handle, game_id, player_id, instance)
SELECT md5('handle ' || n)::uuid, md5('game ' || n % 5000 + 1)::uuid, md5('player ' || n)::uuid, 'player-' || n
FROM generate_series(1, 5000) n"""
TURNS = """
INSERT INTO turns (game_id, number, player_id, instance, kind, said, key, commit, inputs, outcome, undo, hash_before,
    hash_after, at)
SELECT md5('game ' || g)::uuid, n, md5('player ' || g)::uuid, 'player', 'say', 'look', 'key-' || n, 'c', '{}', '{}', '{}',
    'a', 'b', now() - n * interval '1 minute' FROM generate_series(1, 1000) g, generate_series(1, 20) n"""
AUDIT = """
INSERT INTO audit (id, at, actor, action, target)
SELECT uuidv7(), now() - n * interval '1 minute', md5('player ' || n % 500), 'export', md5('player ' || n % 500)
FROM generate_series(1, 10000) n"""
DECISIONS = """
INSERT INTO decisions (id, at, route, tier, stage, reason, world, seconds, routing, calls, cost, "full")
SELECT uuidv7(), now() - n * interval '1 minute', 'action', 'rules', 'rules', 'why', 'cloak', 0.01, 0.001, 0, 0, 0.001
FROM generate_series(1, 10000) n"""
MEMORIES = """
INSERT INTO memories (game_id, player_id, npc, version, data)
SELECT md5('game ' || n)::uuid, md5('player ' || n)::uuid, npc, 1, '{}'
FROM generate_series(1, 5000) n, unnest(ARRAY['otto', 'mara']) npc"""
MODELS = (
    """INSERT INTO model_calls (id, at, principal, purpose, provider, model, outcome, input_tokens, output_tokens,
    cached_tokens, cost, seconds)
SELECT uuidv7(), now() - n * interval '1 minute', 'principal ' || n % 500, 'route', 'p', 'm', 'ok', 1, 1, 0, 0, 0.1
FROM generate_series(1, 10000) n""",
    """INSERT INTO model_spending (day, principal, calls, cost)
SELECT current_date - n % 30, 'principal ' || n, 1, 0 FROM generate_series(1, 10000) n""",
)
ACCESS = (
    (
        "INSERT INTO api_keys (id, prefix, hash, principal, scopes, created_by) "
        "SELECT md5('player ' || n)::uuid, 'prefix ' || n, '', 'principal ' || n, '{}', 'local' FROM generate_series(1, 5000) n"
    ),
    (
        "INSERT INTO roles (principal, role, granted_by) "
        "SELECT 'principal ' || n, role, 'local' FROM generate_series(1, 5000) n, unnest(ARRAY['gm', 'player']) role"
    ),
    (
        "INSERT INTO teams (principal, team, added_by) "
        "SELECT 'principal ' || n, 'team ' || n % 100, 'local' FROM generate_series(1, 5000) n"
    ),
    (
        "INSERT INTO namespaces (name, location, visibility, owner) "
        "SELECT 'namespace ' || n, '/', 'private', 'local' FROM generate_series(1, 5000) n"
    ),
    (
        "INSERT INTO shares (namespace, kind, holder, may, granted_by) "
        "SELECT 'namespace ' || n, kind, kind || ' ' || n, 'read', 'local' "
        "FROM generate_series(1, 5000) n, unnest(ARRAY['principal', 'team']) kind"
    ),
)


@pytest.fixture(scope="module")
def full(database: str) -> str:
    """A database with tens of thousands of rows a table."""

    async def fill() -> None:
        opened = await PostgresStore.open(database)
        await opened.close()
        connection = await asyncpg.connect(database)
        for query in (GAMES, INSTANCES, TURNS, AUDIT, DECISIONS, *MODELS, *ACCESS):
            await connection.execute(query)
        await landscape(connection, "woods", 20_000)
        await crowd(connection, PLAYERS, 20)
        await connection.execute(SEATS)
        await connection.execute(MEMORIES)
        await connection.execute("VACUUM ANALYZE")
        await connection.close()

    asyncio.run(fill())
    return database


@pytest.fixture
async def connection(full: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(full)
    yield opened
    await opened.close()


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for each in plan.get("Plans", ()) for node in _nodes(each))]


async def _plan(connection: asyncpg.Connection, query: str, *values: Any) -> tuple[set[str], set[str]]:
    """The indexes that a query uses, and the tables that it scans, as planned for these values and for any."""
    nothing = ", ".join(["NULL"] * len(values))
    await connection.execute(f"DEALLOCATE ALL; SET plan_cache_mode = force_generic_plan; PREPARE any_values AS {query}")
    plans = (
        await connection.fetchval(f"EXPLAIN (FORMAT JSON) {query}", *values),
        await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE any_values ({nothing})"),
    )
    nodes = [_nodes(json.loads(each)[0]["Plan"]) for each in plans]
    indexes = [{node["Index Name"] for node in each if "Index Name" in node} for each in nodes]
    scanned = {node["Relation Name"] for each in nodes for node in each if node["Node Type"] == "Seq Scan"}
    return indexes[0] & indexes[1], scanned


POINT = (51.0, 0.0)
LOW, HIGH = (list(each) for each in zip(*around(*POINT, 100.0), strict=True))
QUERIES: list[Any] = [
    pytest.param("progress_inventory", progress.CARRIERS, ("crown", "world-0", 100), id="who carries something"),
    pytest.param("progress_visited", progress.VISITORS, ("crypt", "world-0", 100), id="who was somewhere"),
    pytest.param("players_principal", progress.PLAYER, ("principal 7", "Player 7"), id="a player by name"),
    pytest.param("players_pkey", progress.PROFILE, ("{player}",), id="a profile"),
    pytest.param("players_level", "SELECT id FROM players WHERE level > $1 AND level < 31", (28,), id="by level"),
    pytest.param("progress_pkey", progress.STANDING, ("{player}", "world-2"), id="a session"),
    pytest.param("progress_pkey", progress.INVENTORY, ("{player}", "world-2"), id="an inventory"),
    pytest.param("progress_pkey", progress.HAS_VISITED, ("{player}", "world-2", "crypt"), id="visited"),
    pytest.param("progress_pkey", progress.STANDINGS, ("{player}", 20), id="what can be resumed"),
    pytest.param("progress_pkey", progress.ACHIEVEMENTS, ("{player}",), id="achievements"),
    pytest.param("events_progress", progress.ACHIEVEMENTS, ("{player}",), id="when they were earned"),
    pytest.param("progress_experience", progress.ACTIVE, ("world-1", "{hour}", 1000), id="active players"),
    pytest.param("progress_experience", progress.ACTIVE_COUNT, ("{hour}",), id="active players everywhere"),
    pytest.param("progress_events_pkey", progress.HISTORY, ("{player}", None, None, None, 100), id="history"),
    pytest.param(
        "progress_events_pkey", progress.HISTORY, ("{player}", "{player}", None, None, 100),
        id="a later page of history",
    ),
    pytest.param("events_content", progress.PLACES, ("world-1", "{hour}", 1800.0), id="visits of places"),
    pytest.param("events_content", progress.ANALYTICS, ("world-1", "{hour}", 1800.0), id="visits of an experience"),
    pytest.param("waypoints_cell", places.WITHIN, ("woods", *POINT, 50, LOW, HIGH, 100.0), id="within a radius"),
    pytest.param("waypoints_cell", places.NEIGHBOURS, ("woods", *POINT, 10, cell(*POINT), None), id="nearest"),
    pytest.param(
        "instances_cell", places.WITHIN_GAME, ("woods", *POINT, 50, LOW, HIGH, "{game}", 100.0), id="in a game"
    ),
    pytest.param(
        "instances_cell", places.NEIGHBOURS_GAME, ("woods", *POINT, 10, cell(*POINT), None, "{game}"),
        id="nearest in a game",
    ),
    pytest.param("instances_pkey", store.LOAD, ("{game}", None), id="the instances of a game"),
    pytest.param(
        "instances_pkey", "SELECT data FROM instances WHERE game_id = $1 AND id = ANY($2::text[])",
        ("{game}", ["thing-1", "thing-9"]), id="instances by their ids",
    ),
    pytest.param(
        "instances_template", "SELECT game_id FROM instances WHERE template = $1", ("lamp-7",), id="of a template"
    ),
    pytest.param(
        "instances_tags", "SELECT game_id FROM instances WHERE tags @> $1", (["color=44"],), id="by a field's value"
    ),
    pytest.param("games_pkey", store.GAME, ("{game}",), id="a game"),
    pytest.param("games_scope", "SELECT id FROM games WHERE scope = $1", ("scope-9",), id="a shared world"),
    pytest.param("seats_pkey", store.SEAT, ("{player}", "principal 7"), id="a seat"),
    pytest.param("seats_player", store.SEATS, ("principal 7", None, None, 20), id="the seats of somebody"),
    pytest.param("seats_game", store.MEMBERS, ("{game}",), id="who is in a game"),
    pytest.param("turns_pkey", store.TURNS, ("{game}", 3, None, None, None), id="turns"),
    pytest.param("turns_key", store.BY_KEYS, ("{game}", ["key-3"]), id="turns by their keys"),
    pytest.param("turns_player", "SELECT number FROM turns WHERE player_id = $1", ("{player}",), id="turns of somebody"),
    pytest.param("api_keys_prefix", access.KEY, ("prefix 7",), id="a key"),
    pytest.param("roles_pkey", access.KEY, ("prefix 7",), id="the roles of a key's principal"),
    pytest.param("teams_pkey", access.HELD, ("principal 7",), id="the teams of somebody"),
    pytest.param("api_keys_pkey", access.BY_ID, ("{player}",), id="a key by its id"),
    pytest.param("api_keys_principal", access.KEYS_OF, (1000, "principal 7"), id="the keys of somebody"),
    pytest.param("roles_pkey", access.ROLES_OF, (1000, "principal 7"), id="the roles of somebody"),
    pytest.param("teams_pkey", access.MEMBERS_OF, (1000, "principal 7"), id="the memberships of somebody"),
    pytest.param("namespaces_pkey", access.DROP, ("namespace 7",), id="a namespace"),
    pytest.param("shares_pkey", access.SHARES, ("namespace 7",), id="the shares of a namespace"),
    pytest.param("shares_holder", access.SHARED, ("principal 7", ["team 1"], "{hour}"), id="the shares of somebody"),
    pytest.param("audit_actor", audit.OF, ("{actor}", "{month}", 100), id="what somebody did"),
    pytest.param("audit_target", audit.OF, ("{actor}", "{month}", 100), id="what was done to somebody"),
    pytest.param("audit_at", audit.ALL, ("{hour}", 100), id="what was done"),
    pytest.param("memories_pkey", memories.LOAD, ("{game}", "{player}", None), id="what is remembered of somebody"),
    pytest.param(
        "memories_player", "SELECT npc FROM memories WHERE player_id = $1", ("{player}",), id="memories of somebody"
    ),
    pytest.param("model_spending_pkey", ledger.SPENT, ("{today}",), id="what was spent in a day"),
    pytest.param(
        "model_calls_at", "SELECT sum(cost) FROM model_calls WHERE at > $1", ("{hour}",), id="calls of models lately"
    ),
    pytest.param(
        "model_calls_principal", "UPDATE model_calls SET principal = '' WHERE principal = $1", ("principal 7",),
        id="calls of models for somebody",
    ),
    pytest.param("decisions_at", decisions.SHARES, ("{hour}",), id="how messages were answered"),
]  # fmt: skip


@pytest.mark.requirement("0.03", "0.04", "0.05", "0.06", "1.04", "1.11", "1.12", "1.13", "1.14", "2.08")
@pytest.mark.parametrize(("index", "query", "values"), QUERIES)
async def test_a_query_is_answered_by_its_index(
    connection: asyncpg.Connection, index: str, query: str, values: tuple[Any, ...]
) -> None:
    row = await connection.fetchrow(
        "SELECT current_date AS today, md5('player 77')::uuid AS player, md5('game 7')::uuid AS game, now() - interval '1 hour' AS hour, "
        "now() - interval '1 month' AS month, "
        "md5('player 7') AS actor"
    )
    assert row is not None
    given = [row[each[1:-1]] if isinstance(each, str) and each[:1] == "{" else each for each in values]
    indexes, scanned = await _plan(connection, query, *given)
    assert index in indexes
    assert not scanned


async def test_every_index_is_proved(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch(
        "SELECT indexrelid::regclass::text AS name FROM pg_index JOIN pg_class ON pg_class.oid = indrelid "
        "WHERE relnamespace = 'public'::regnamespace"
    )
    elsewhere = {"alembic_version_pkc", "audit_pkey", "decisions_pkey", "fence_pkey", "jobs_due", "jobs_pkey",
                 "model_calls_pkey", "outbox_game", "outbox_pkey", "saves_pkey", "waypoints_pkey"}  # fmt: skip
    assert {row["name"] for row in rows} == elsewhere | {each.values[0] for each in QUERIES}
