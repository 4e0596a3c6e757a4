"""Shared by all tests: the `requirement` marker; real servers, started once a session; a database for each module."""

from collections.abc import Iterator

import pytest

from storage.embedded import Servers
from storage.testing import database as new_database
from storage.testing import running


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(*ids): rows of docs/requirements.md that the test shows")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """PostgreSQL and Valkey, the addresses of which are `servers.database_url` and `servers.redis_url`."""
    with running(tmp_path_factory.mktemp("servers")) as found:
        yield found


@pytest.fixture(scope="module")
def database(servers: Servers) -> Iterator[str]:
    """The URL of a database with nothing in it, the module's own."""
    with new_database(servers) as url:
        yield url
