"""A game service over real pages and each kind of store; its clock, handles and seeds are counted."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from agents.worlds import Where
from rulebound.app import App, build
from rulebound.settings import Settings
from storage import MemoryStore, Store
from storage.fenced import FencedStore

PAGES = {
    "world.md": "---\nexperience: tiny\nuses: [adventure]\nstart: hall\nscore: 5\n---\n# Tiny\nSmall.\n",
    "hall.md": "---\nplace: hall\nexits: {north: attic}\n---\n# Hall\nA hall.\n",
    "attic.md": "---\nplace: attic\nexits: {south: hall}\n---\n# Attic\nAn attic.\n",
    "coin.md": (
        "---\nitem: coin\nin: hall\n---\n# Gold coin\nShiny.\n## Rules\n| On | When | Then |\n|---|---|---|\n"
        '| after take [[coin]] | | award 2 for "the coin" |\n'
    ),
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A folder with a small world."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    for name, text in PAGES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(params=["memory", "servers"])
async def new_store(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[], Awaitable[Store]]]:
    """Opens a store: in memory one that knows nothing of others; in PostgreSQL another worker's on the same database."""
    async with AsyncExitStack() as stack:

        async def new() -> Store:
            if request.param == "memory":
                return MemoryStore()
            urls = request.getfixturevalue("database"), request.getfixturevalue("servers").redis_url
            return await stack.enter_async_context(FencedStore.opened(*urls))

        yield new


@pytest.fixture(params=["memory", "servers"])
def own_database(request: pytest.FixtureRequest) -> str | None:
    """The URL of a database of the test's own; None: in memory."""
    return None if request.param == "memory" else request.getfixturevalue("fresh_database")


@pytest.fixture
async def new_worker(
    request: pytest.FixtureRequest, own_database: str | None, tmp_path: Path
) -> AsyncIterator[Callable[[], Awaitable[App]]]:
    """Builds workers of one installation that nobody else uses, on the test's clock. In memory there can be but one."""
    clock: Callable[[], datetime] = request.getfixturevalue("clock")
    async with AsyncExitStack() as stack:

        async def new() -> App:
            store: Store = MemoryStore()
            if own_database is not None:
                redis = request.getfixturevalue("servers").redis_url
                store = await stack.enter_async_context(FencedStore.opened(own_database, redis))
            return build(Settings(tmp_path / "home"), store=store, now=clock)

        yield new


@dataclass
class Clock:
    """A clock that the test sets."""

    at: datetime = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **passed: float) -> None:
        self.at += timedelta(**passed)


@pytest.fixture
def clock() -> Clock:
    return Clock()


INN = {
    "world.md": (
        "---\nexperience: inn\nuses: [adventure]\nstart: hall\nworld: shared\nclock: real\nbegins: 2026-03-01 00:00\n"
        "---\n# Inn\nAn inn.\n"
    ),
    "hall.md": "---\nplace: hall\nexits: {north: attic}\n---\n# Hall\nA hall.\n",
    "attic.md": "---\nplace: attic\nexits: {south: hall}\n---\n# Attic\nAn attic.\n",
    "coin.md": "---\nitem: coin\nin: hall\n---\n# Gold coin\nShiny.\n",
    "kind.md": "---\nkind: world\n---\n# Inn\n## State\n| Field | Type | Start |\n|---|---|---|\n| rung | int | 0 |\n",
    "bell.md": (
        "---\nrule: bell\nevery: 3 hours\n---\n# Bell\nIt rings.\n## Then\n- set `world.rung` to `world.rung + 1`\n"
        '- tell [[hall]] "The bell rings."\n'
    ),
}


@pytest.fixture
def inn(tmp_path: Path) -> Where:
    """A shared world with a bell that rings every three hours."""
    folder = tmp_path / "inn"
    folder.mkdir()
    for name, text in INN.items():
        (folder / name).write_text(text, encoding="utf-8")
    return Where.of(str(folder))


@pytest.fixture
def make_app(tmp_path: Path, new_store: Callable[[], Awaitable[Store]]) -> Callable[[], Awaitable[App]]:
    """Builds an app whose seams are counted."""

    async def make() -> App:
        ids, minutes = count(1), count()
        begin = datetime(2026, 3, 1, tzinfo=UTC)
        # Handles are counted from a random start: the module's tests share a database.
        base = secrets.randbits(100) << 20
        return build(
            Settings(tmp_path / "home"),
            store=await new_store(),
            now=lambda: begin + timedelta(minutes=next(minutes)),
            new_handle=lambda: f"{base + next(ids):032x}",
            new_seed=lambda: 5,
        )

    return make


@pytest.fixture
async def app(make_app: Callable[[], Awaitable[App]]) -> App:
    return await make_app()
