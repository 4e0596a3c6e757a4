"""Homes with servers of a test's own, and other processes that use them."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from storage.embedded import ServiceError, Supervisor
from storage.embedded.wire import ask_postgres

MEMBER = """
import sys
from pathlib import Path
from storage.embedded import ServiceError, Supervisor
supervisor = Supervisor(Path(sys.argv[1]))
try:
    servers = supervisor.acquire()
except ServiceError as error:
    print(type(error).__name__, error, flush=True)
    sys.exit(3)
print("ready", servers.database_url, flush=True)
sys.stdin.read()
supervisor.release()
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def empty() -> Iterator[Path]:
    """A home where nothing ever ran, its path short enough for sockets; whatever still runs in it at the end is stopped."""
    with TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        yield home
        with suppress(ServiceError, OSError):
            Supervisor(home).stop(force=True)


@pytest.fixture(scope="session")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose servers ran once and were stopped; only to be copied."""
    folder = tmp_path_factory.mktemp("used")
    supervisor = Supervisor(folder)
    supervisor.acquire()
    supervisor.release()
    return folder


@pytest.fixture
def home(empty: Path, used: Path) -> Path:
    """A home where servers ran before."""
    shutil.copytree(used / "services/postgres", empty / "services/postgres")
    return empty


@pytest.fixture
def member() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """`member(home)` is another process that uses the servers until its standard input ends; options are those of Popen."""
    started: list[subprocess.Popen[str]] = []

    def start(home: Path, **options: object) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", MEMBER, str(home)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options,  # pyright: ignore
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def rows(supervisor: Supervisor, *statements: str, database: str = "rulebound") -> list[list[str | None]]:
    """What the last statement gives in a home's database."""
    socket = next(server.address for server in supervisor.status().servers if server.name == "postgres")
    return ask_postgres(Path(socket), *statements, user="rulebound", database=database)


@pytest.fixture
def ask() -> Callable[..., list[list[str | None]]]:
    """`ask(supervisor, "SELECT …")`."""
    return rows
