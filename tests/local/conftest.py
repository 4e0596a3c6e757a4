"""The 135M model, fetched once into pytest's cache, and one server of it for all tests here."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.local import Place, install, local_model

MODEL = "smollm2"


@pytest.fixture(scope="session")
def home(pytestconfig: pytest.Config) -> Path:
    """A home in which the model is installed."""
    if sys.platform == "win32":
        pytest.skip("no server of ours runs on Windows")
    home = pytestconfig.cache.mkdir("local")
    install(MODEL, home)
    return home


@pytest.fixture(scope="session")
def place(home: Path) -> Iterator[Place]:
    """Where the model answers."""
    with local_model(MODEL, home) as place:
        yield place


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
