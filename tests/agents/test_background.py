"""What runs between turns: clocks that are due, and telling others, each done by whichever worker comes first."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.background import Background, PublisherAway
from agents.worlds import Where
from rulebound.app import App, build
from rulebound.settings import Settings
from storage import Store, Told

pytestmark = pytest.mark.anyio

SHARED = {
    "world.md": (
        "---\nexperience: {id}\nuses: [adventure]\nstart: hall\nworld: shared\nclock: real\nbegins: 2026-03-01 00:00\n"
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


@dataclass
class Clock:
    """A clock that the test sets."""

    at: datetime = field(default_factory=lambda: datetime(2026, 3, 1, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **passed: float) -> None:
        self.at += timedelta(**passed)


@pytest.fixture
def inn(tmp_path: Path) -> Where:
    """A shared world with a bell that rings every three hours; a folder, and so a world, of its own for each test."""
    folder = tmp_path / "inn"
    folder.mkdir()
    for name, text in SHARED.items():
        (folder / name).write_text(text.replace("{id}", "inn"), encoding="utf-8")
    return Where.of(str(folder))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def worker(tmp_path: Path, new_store: Callable[[], Awaitable[Store]], clock: Clock) -> Callable[[], Awaitable[App]]:
    """Builds a worker on the test's clock."""

    async def make() -> App:
        return build(Settings(tmp_path / "home"), store=await new_store(), now=clock)

    return make


def background(app: App, clock: Clock, publish: Callable[[Told], Awaitable[object]] | None = None) -> Background:
    return Background(app.games, app.store.work, publish, now=clock)


async def rung(app: App, handle: str, principal: str = "ann") -> int:
    return (await app.games.game(handle, principal)).state.rows["world"]["rung"]


@pytest.mark.requirement("0.28")
async def test_a_clock_that_is_due_runs_without_anybody_saying_anything(
    worker: Callable[[], Awaitable[App]], inn: Where, clock: Clock
) -> None:
    app = await worker()
    handle, _ = await app.games.start(inn, "ann", name="Ann")
    bells = background(app, clock)
    await bells.clocks()
    assert await rung(app, handle) == 0
    for hours in (3, 6):
        clock.pass_(hours=3)
        assert await bells.clocks() == 1
        assert await bells.clocks() == 0
        assert await rung(app, handle) == hours // 3
    (heard,) = (await app.games.observe(handle, "ann", (await app.games.game(handle, "ann")).record.version - 1))["since"]
    assert heard["text"] == "The bell rings."


async def test_a_world_that_slept_for_days_catches_up_once(
    worker: Callable[[], Awaitable[App]], inn: Where, clock: Clock
) -> None:
    app = await worker()
    handle, _ = await app.games.start(inn, "ann")
    await background(app, clock).clocks()
    clock.pass_(days=3)
    assert await background(app, clock).clocks() == 1
    assert await background(app, clock).clocks() == 0
    assert await rung(app, handle) == 24
