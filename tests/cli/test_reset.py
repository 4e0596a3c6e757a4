"""`rulebound reset` and `rulebound jobs`: what an operator does to worlds that are kept."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agents.worlds import Where
from rulebound.app import PRINCIPAL, App, open_app
from rulebound.settings import Settings
from storage.postgres import PostgresStore
from storage.work import MAX_ATTEMPTS

pytestmark = pytest.mark.usefixtures("kept")
Run = Callable[..., Any]


def playing(work: Callable[[App], Any]) -> Any:
    """What `work` gives, with the app that the commands use."""

    async def run() -> Any:
        async with open_app(Settings.from_environment()) as app:
            return await work(app)

    return asyncio.run(run())


async def walk(app: App) -> None:
    handle, _ = await app.games.start(Where.of("cloak"), PRINCIPAL)
    await app.games.act(handle, PRINCIPAL, "west")


async def room(app: App) -> str:
    handle = await app.games.resume(Where.of("cloak"), PRINCIPAL, "you")
    assert handle is not None
    return (await app.games.observe(handle, PRINCIPAL))["perceived"]["room"]


@pytest.mark.requirement("0.41")
def test_a_game_is_reset_and_put_back_from_its_backup(rulebound: Run) -> None:
    playing(walk)
    ran = rulebound("reset", "cloak", "--yes")
    assert ran.out.startswith("Begun anew. As it was before, it is kept as backup-")
    assert playing(room) == "Foyer of the Opera House"
    backup = ran.out.split()[-1].rstrip(".")
    assert rulebound("reset", "cloak", "--restore", backup, "--yes").out == f"Restored: {backup}.\n"
    assert playing(room) == "Cloakroom"


def test_a_reset_asks_before_it_does_anything(rulebound: Run) -> None:
    playing(walk)
    ran = rulebound("reset", "cloak", stdin="n\n")
    assert (ran.status, ran.out) == (
        1,
        "Everything that was played in cloak begins anew; a backup is kept. Go on? [y/N] ",
    )
    assert playing(room) == "Cloakroom"
    assert rulebound("reset", "cloak", stdin="y\n").status == 0
    assert playing(room) == "Foyer of the Opera House"


def test_a_reset_of_a_game_that_is_not_there_says_so(rulebound: Run) -> None:
    ran = rulebound("reset", "cloak", "--player", "zoe", "--yes")
    assert (ran.status, ran.err) == (2, "rulebound: zoe has no game in cloak. Name another player with `--player`.\n")


@pytest.mark.requirement("0.41")
def test_a_shared_world_is_reset_for_everyone(rulebound: Run, tmp_path: Path) -> None:
    folder = tmp_path / "inn"
    folder.mkdir()
    (folder / "world.md").write_text(
        "---\nexperience: inn\nuses: [adventure]\nstart: hall\nworld: shared\n---\n# Inn\nAn inn.\n", encoding="utf-8"
    )
    (folder / "hall.md").write_text("---\nplace: hall\nexits: {north: attic}\n---\n# Hall\nA hall.\n", encoding="utf-8")
    (folder / "attic.md").write_text("---\nplace: attic\nexits: {south: hall}\n---\n# Attic\nHigh.\n", encoding="utf-8")
    ran = rulebound("reset", str(folder), "--yes")
    assert (ran.status, ran.err) == (2, "rulebound: Nobody has played in this world yet. Play there first.\n")

    async def rooms(app: App) -> list[str]:
        found: list[str] = []
        for name in ("Ann", "Ben"):
            handle, _ = await app.games.start(Where.of(str(folder)), PRINCIPAL, name=name)
            found.append((await app.games.observe(handle, PRINCIPAL))["perceived"]["room"])
            await app.games.act(handle, PRINCIPAL, "north")
        return found

    playing(rooms)
    assert playing(rooms) == ["Attic", "Attic"]
    assert rulebound("reset", str(folder), "--yes").out.startswith("The world begins anew for everyone in it.")
    assert playing(rooms) == ["Hall", "Hall"]


@pytest.mark.requirement("4.40")
def test_what_was_given_up_is_listed_and_tried_again(rulebound: Run) -> None:
    assert rulebound("jobs", "list").out == "0 failed, 0 given up.\n"

    async def fail(app: App) -> None:
        work, now = app.store.work, datetime.now(UTC)
        await walk(app)
        game = (await app.store.seats(PRINCIPAL))[0][0].game
        assert isinstance(app.store, PostgresStore)
        await app.store.connections.fetch(
            "INSERT INTO jobs (kind, key, due) VALUES ('tick', $1::uuid::text, $2)", game, now
        )
        for _ in range(MAX_ATTEMPTS):
            (due,) = await work.due(now, 1, 0)
            await work.failed(due, "WorldError: It is gone", now)

    playing(fail)
    ran = rulebound("jobs", "list")
    assert ran.status == 1
    assert "clock of cloak (" in ran.out
    assert "): given up after 10: WorldError: It is gone\n1 failed, 1 given up.\n" in ran.out
    assert rulebound("jobs", "retry").out == "1 will be tried again, as soon as a game or a server runs.\n"
    assert rulebound("jobs", "list").status == 0
