"""The fixtures that other tests build on, through the drivers that the product uses."""

import asyncpg
import pytest
import redis.asyncio

from storage.embedded import Servers


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_a_module_has_a_database_of_its_own_where_an_ordinary_role_may_do_everything(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("CREATE TABLE t (id int); CREATE ROLE reader NOLOGIN; DROP ROLE reader")
        found = await connection.fetchrow(
            "SELECT current_user::text AS user, rolsuper, rolcreaterole, current_database()::text AS name"
            " FROM pg_roles WHERE rolname = current_user"
        )
    finally:
        await connection.close()
    assert found is not None
    assert (found["user"], found["rolsuper"], found["rolcreaterole"]) == ("rulebound", False, True)
    assert found["name"].startswith("test_")


@pytest.mark.anyio
async def test_valkey_answers_the_driver(servers: Servers) -> None:
    client = redis.asyncio.Redis.from_url(servers.redis_url)
    try:
        assert await client.ping()
        assert (await client.config_get("maxmemory-policy"))["maxmemory-policy"] == "allkeys-lru"
    finally:
        await client.aclose()
