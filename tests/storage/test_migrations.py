"""The schema is made, changed and taken back by migrations, whoever starts at once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import JSON

from storage.embedded import Servers
from storage.postgres import PostgresStore
from storage.postgres.migrate import HEAD, WrongSchema, migrate, version
from storage.postgres.schema import metadata
from storage.testing import database as new_database

pytestmark = pytest.mark.anyio
TABLES = "SELECT array_agg(tablename::text ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture
async def empty(servers: Servers) -> AsyncIterator[str]:
    """The URL of a database with nothing in it."""
    with new_database(servers) as url:
        yield url


async def _at(url: str, revision: str) -> asyncpg.Connection:
    """A connection to the database, after it was brought to a revision."""
    connection = await asyncpg.connect(url)
    await migrate(connection, url, revision)
    return connection


def _default(_: object, __: object, declared: Any, there: str | None, ___: object, rendered: str | None) -> bool | None:
    """Whether a default differs; of JSON as text, because values of JSON cannot be compared in the database."""
    return (there or "").split("::")[0] != (rendered or "") if isinstance(declared.type, JSON) else None


@pytest.mark.requirement("1.23")
async def test_the_schema_goes_forward_and_back_revision_by_revision(empty: str) -> None:
    seen: list[list[str]] = []
    way = ["0001", "0002", "0003", "0004", "0005", "0006", "0007"]
    for revision in (*way, *reversed(way[:-1]), "base", way[-1]):
        connection = await _at(empty, revision)
        assert await version(connection) == (None if revision == "base" else revision)
        seen.append([each for each in await connection.fetchval(TABLES) if each != "alembic_version"])
        await connection.close()
    assert seen[0] == ["games", "instances", "players", "saves", "seats", "turns"]
    there = seen[: len(way)]
    assert there[-1] == sorted(metadata.tables)
    assert seen == [*there, *reversed(there[:-1]), [], there[-1]]


@pytest.mark.requirement("0.11", "1.23")
async def test_the_migrations_lead_to_what_the_code_declares(empty: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    await (await _at(empty, HEAD)).close()

    async def connect() -> Any:
        return await asyncpg.connect(empty)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    async with engine.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(
                MigrationContext.configure(sync, opts={"compare_server_default": _default}), metadata
            )
        )
    await engine.dispose()
    assert differences == []


@pytest.mark.requirement("0.11")
async def test_a_migration_keeps_the_rows_that_are_there(empty: str) -> None:
    connection = await _at(empty, "0001")
    await connection.execute("INSERT INTO players (id, principal, name) VALUES (gen_random_uuid(), 'ann', 'Ann')")
    await migrate(connection, empty)
    await connection.execute(
        "INSERT INTO progress (player_id, experience, handle, started, played, last_turn) "
        "SELECT id, 'cloak', id, now(), now(), now() FROM players"
    )
    await migrate(connection, empty, "0002")
    assert await connection.fetchval("SELECT count(*) FROM progress") == 1
    await migrate(connection, empty, "0001")
    assert await connection.fetchval("SELECT name FROM players") == "Ann"
    await connection.close()


async def test_workers_that_start_at_once_on_an_empty_database_make_one_schema(empty: str) -> None:
    stores = await asyncio.gather(*(PostgresStore.open(empty) for _ in range(4)))
    players = await asyncio.gather(*(store.player("ann", "Ann") for store in stores))
    assert len({player.id for player in players}) == 1
    assert await stores[0].connections.fetch("SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert await stores[0].connections.value("SELECT count(*) FROM fence") == 1
    for store in stores:
        await store.close()


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(empty: str) -> None:
    connection = await _at(empty, HEAD)
    await connection.execute("UPDATE alembic_version SET version_num = '0999'")
    with pytest.raises(WrongSchema, match=rf"'0999'.*'{HEAD}'") as refused:
        await PostgresStore.open(empty)
    assert "Install that version" in refused.value.hint
    assert await version(connection) == "0999"
    await connection.close()
