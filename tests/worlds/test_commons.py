"""The bundled world that players share: what the guide to shared worlds promises."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.background import Background
from agents.worlds import Where
from rulebound.app import build
from rulebound.settings import Settings


@pytest.mark.requirement("0.29", "0.35")
def test_bread_is_baked_by_the_clock_up_to_three_loaves_and_the_bell_is_heard_by_all(tmp_path: Path) -> None:
    at = datetime(2026, 1, 1, 6, tzinfo=UTC)

    async def play() -> tuple[str, str, list[str]]:
        nonlocal at
        app = build(Settings(tmp_path), now=lambda: at)
        work = Background(app.games, app.store.work, app.store.channels, now=lambda: at)
        ann, _ = await app.games.start(Where.of("commons"), "ann", name="Ann")
        ben, _ = await app.games.start(Where.of("commons"), "ben", name="Ben")
        await app.games.act(ben, "ben", "north")
        for _ in range(12):
            await work.clocks()
            at += timedelta(minutes=30)
        shelf = (await app.games.act(ben, "ben", "look")).text
        rung = (await app.games.act(ann, "ann", "ring bell")).text
        return shelf, rung, [each["text"] for each in (await app.games.observe(ben, "ben", 0))["since"]]

    shelf, rung, heard = asyncio.run(play())
    assert "three loaves" in shelf or shelf.count("loaf") == 3, shelf
    assert rung == "You ring the bell."
    assert heard.count("The baker sets a loaf on the shelf.") == 2
    assert heard[-1] == "The bell rings on the green."
