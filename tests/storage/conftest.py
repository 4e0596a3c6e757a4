"""The stores that the contract suite runs against; PostgreSQL joins here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage import GameRecord, MemoryStore, Store, TurnRecord, diff


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["memory", "journal"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store with nothing in it."""
    return MemoryStore() if request.param == "memory" else MemoryStore(tmp_path / "games")


@pytest.fixture
def game() -> Callable[..., GameRecord]:
    """A new game's record, with what is given."""

    def make(id: str = "g1", **given: Any) -> GameRecord:
        fields: dict[str, Any] = {
            "principal": "ann", "world": "cloak", "player": "player", "name": "you", "commit": "c1", "seed": 7,
            "version": 0, "state": {"score": 0, "rows": {"a": 1}},
        }  # fmt: skip
        return GameRecord(id=id, **{**fields, **given})

    return make


@pytest.fixture
def turn() -> Callable[..., tuple[GameRecord, TurnRecord]]:
    """The next record of a game, and the turn that led to it."""

    def make(before: GameRecord, text: str = "look", key: str = "") -> tuple[GameRecord, TurnRecord]:
        number = before.version + 1
        after = before.with_(version=number, state={**before.state, "score": number}, updated=f"2026-01-{number:02}")
        record = TurnRecord(
            number=number, text=text, commit="c1", inputs={"seed": number}, outcome={"text": f"{text}!"},
            hash_before=f"h{number - 1}", hash_after=f"h{number}", key=key, undo=diff(after.state, before.state),
        )  # fmt: skip
        return after, record

    return make
