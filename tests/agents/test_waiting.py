"""Turns that wait on disk while the database is away, through the game service."""

from pathlib import Path
from typing import Any

import pytest

from agents.worlds import Where
from rulebound.app import App
from storage import StoreAway

pytestmark = pytest.mark.anyio
ANN = "ann"


@pytest.mark.requirement("2.14")
async def test_a_turn_waits_only_where_that_was_asked_for_and_is_done_once_in_order(
    app: App, pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle, _ = await app.games.start(Where.of(str(pages)), ANN)

    async def away(*_: Any) -> None:
        raise StoreAway("the database does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(app.store, "commit", away)
        with pytest.raises(StoreAway):
            await app.games.act(handle, ANN, "look")
        for line in ("take coin", "north"):
            assert (await app.games.act(handle, ANN, line, wait=True)).status == "waiting"
        assert await app.games.catch_up() == 0
    assert await app.games.transcript(handle, ANN) == []
    assert await app.games.catch_up() == 2
    assert [said for said, _ in await app.games.transcript(handle, ANN)] == ["take coin", "north"]
    assert await app.games.catch_up() == 0


async def test_a_file_that_is_no_turn_is_set_aside_and_holds_nobody_up(
    app: App, pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle, _ = await app.games.start(Where.of(str(pages)), ANN)
    folder = app.settings.waiting
    folder.mkdir(parents=True)
    (folder / "0.json").write_bytes(b"\xff{torn")
    (folder / "1.json").write_bytes(b"[]")
    with monkeypatch.context() as patch:

        async def away(*_: Any) -> None:
            raise StoreAway("the database does not answer")

        patch.setattr(app.store, "commit", away)
        await app.games.act(handle, ANN, "take coin", wait=True)
    assert await app.games.catch_up() == 3
    assert len(await app.games.transcript(handle, ANN)) == 1
    assert (folder / "0.refused").read_bytes().endswith(b"\xff{torn")
