"""Owns databases for tests: real ones, each a copy of a template, on servers of the test session's own.

`with running(folder) as servers, database(servers) as url:`. Ships, so that other packages' tests use it too. It must not
know pytest.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

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
