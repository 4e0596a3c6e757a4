"""Shared by all tests: the `requirement` marker; real servers, started once a session; a database for each module."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from storage.embedded import Servers
from storage.testing import database as new_database
from storage.testing import migrated, running


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(*ids): rows of docs/requirements.md that the test shows")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """PostgreSQL and Valkey, the addresses of which are `servers.database_url` and `servers.redis_url`."""
    with running(tmp_path_factory.mktemp("servers")) as found:
        yield found


@pytest.fixture(scope="session")
def template(servers: Servers) -> Iterator[str]:
    """The name of a database with the schema and nothing in it, of which others are copies."""
    with new_database(servers) as url:
        # In a thread, because an asynchronous fixture may be what asks for it.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(migrated(url))).result()
        yield urlsplit(url).path.lstrip("/")


@pytest.fixture(scope="module")
def database(servers: Servers, template: str) -> Iterator[str]:
    """The URL of a database, the module's own."""
    with new_database(servers, template) as url:
        yield url


@pytest.fixture
def fresh_database(servers: Servers, template: str) -> Iterator[str]:
    """The URL of a database, the test's own."""
    with new_database(servers, template) as url:
        yield url


@pytest.fixture
def empty_database(servers: Servers) -> Iterator[str]:
    """The URL of a database without tables, the test's own."""
    with new_database(servers) as url:
        yield url
