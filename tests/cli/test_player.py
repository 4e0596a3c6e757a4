"""`rulebound player show|export|erase`."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.worlds import Where
from rulebound.app import PRINCIPAL, open_app
from rulebound.settings import Settings

Run = Callable[..., Any]


@pytest.fixture
def played(home: Path, kept: None, world: Path) -> None:
    """Ada took the coin."""

    async def go() -> None:
        async with open_app(Settings.from_environment()) as app:
            handle, _ = await app.games.start(Where.of(str(world)), PRINCIPAL, name="Ada")
            for line in ("take coin", "north"):
                await app.games.act(handle, PRINCIPAL, line)

    asyncio.run(go())


@pytest.mark.requirement("1.01", "1.17")
def test_show_tells_how_far_a_player_is(rulebound: Run, played: None) -> None:
    ran = rulebound("player", "show", "Ada")
    assert ran.status == 0
    assert ran.out.startswith("Ada, level 1, ")
    assert "1 experiences (0 completed), 2 turns" in ran.out
    assert "at attic" in ran.out
    assert "carries coin" in ran.out
    assert "has been to hall, attic" in ran.out


@pytest.mark.requirement("1.21")
def test_export_writes_everything_as_json(rulebound: Run, played: None, tmp_path: Path) -> None:
    found = json.loads(rulebound("player", "export", "Ada").out)
    assert found["profile"][0]["name"] == "Ada"
    assert [turn["said"] for turn in found["turns"]] == ["take coin", "north"]
    ran = rulebound("player", "export", "Ada", str(tmp_path / "ada.json"))
    assert (ran.status, ran.out) == (0, "")
    again = json.loads((tmp_path / "ada.json").read_text())
    assert [entry["action"] for entry in again.pop("audit")] == ["export"]
    assert again == {name: each for name, each in found.items() if name != "audit"}


@pytest.mark.requirement("1.21")
def test_erase_asks_for_the_name_and_leaves_nobody(rulebound: Run, played: None) -> None:
    ran = rulebound("player", "erase", "Ada", stdin="yes\n")
    assert (ran.status, ran.err) == (1, "Nothing was erased.\n")
    assert rulebound("player", "show", "Ada").status == 0
    ran = rulebound("player", "erase", "Ada", stdin="Ada\n")
    assert ran.status == 0
    assert "Erased Ada: 1 games" in ran.out
    ran = rulebound("player", "show", "Ada")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == "rulebound: nobody called 'Ada' has played here. Name one who has played.\n"


def test_erase_with_yes_does_not_ask(rulebound: Run, played: None) -> None:
    assert rulebound("player", "erase", "Ada", "--yes").out.startswith("Erased Ada")
