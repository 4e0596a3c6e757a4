"""A game service over real pages and a forgetful store; its clock, ids and seeds are counted."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from rulebound.app import App, build
from rulebound.settings import Settings
from storage import MemoryStore

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


@pytest.fixture
def make_app(tmp_path: Path) -> Callable[[], App]:
    """Builds an app whose seams are counted; each knows nothing of the others."""

    def make() -> App:
        ids, minutes = count(1), count()
        begin = datetime(2026, 3, 1, tzinfo=UTC)
        return build(
            Settings(tmp_path / "home"),
            store=MemoryStore(),
            now=lambda: begin + timedelta(minutes=next(minutes)),
            new_handle=lambda: f"game-{next(ids)}",
            new_seed=lambda: 5,
        )

    return make


@pytest.fixture
def app(make_app: Callable[[], App]) -> App:
    return make_app()
