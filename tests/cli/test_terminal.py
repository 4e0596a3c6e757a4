"""The terminal: keys in through a pipe, text out through rich."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from agents.worlds import Where
from rulebound.app import PRINCIPAL, build, open_app
from rulebound.commands import play as module
from rulebound.commands.table import Table
from rulebound.settings import Settings
from storage import Commit

Play = Callable[..., str]
pytestmark = pytest.mark.usefixtures("kept")


@pytest.fixture
def play(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Play:
    """`play("look\\n")`: what the terminal shows for these keys; the input ends with them."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")

    def run(keys: str, world: str = "cloak", seed: int | None = None) -> str:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            pipe.send_text(keys)
            assert module.play(Where.of(world), None, seed, as_json=False, state=False, player="you") == 0
        return capsys.readouterr().out

    return run


def test_lines_are_played_and_quit_keeps_the_game(play: Play) -> None:
    shown = play("west\nquit\n")
    assert "Hurrying through the rainswept night" in shown
    assert "Cloakroom" in shown
    assert shown.rstrip().endswith("Your game is kept.")


@pytest.mark.requirement("1.17")
def test_a_game_goes_on_where_it_was_left_and_restart_begins_anew(play: Play) -> None:
    play("west\nhang cloak on hook\nquit\n")
    shown = play("inventory\nrestart\ninventory\nquit\n")
    assert "Going on where you left" in shown
    assert shown.index("Cloakroom") < shown.index("empty-handed" if "empty-handed" in shown else "nothing")
    assert "velvet cloak" in shown.rsplit("Hurrying", 1)[1]


def test_undo_reaches_back_before_the_terminal_was_opened(play: Play) -> None:
    play("west\nquit\n")
    assert "Undone: west." in play("undo\nundo\nquit\n")


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_control_c_and_control_d_leave_cleanly(play: Play, key: str) -> None:
    assert play(f"west\n{key}").rstrip().endswith("Your game is kept.")


def test_why_is_told_afterwards_at_the_command_line(play: Play, rulebound: Callable[..., Any]) -> None:
    play("north\nquit\n")
    ran = rulebound("why")
    assert "Turn 1: north" in ran.out
    assert "cloak.md:12@" in ran.out
    ran = rulebound("why", "8")
    assert (ran.status, ran.err) == (2, "rulebound: You took no turn 8. Say something first.\n")


def test_what_was_typed_is_kept_as_history(play: Play, home: Path) -> None:
    play("west\nquit\n")
    assert "+west" in (home / "history").read_text()


def test_the_end_of_the_game_says_what_can_be_done(play: Play) -> None:
    assert "The game is over. Say undo" in play("west\nhang cloak on hook\neast\nsouth\nread message\nquit\n")


def test_a_turn_that_cannot_be_kept_is_told_and_play_goes_on(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    from storage import Full
    from storage.postgres import PostgresStore

    commit = PostgresStore.commit

    async def full(store: PostgresStore, change: Commit) -> Any:
        if change.turns:
            raise Full("the disk is full")
        return await commit(store, change)

    monkeypatch.setattr(PostgresStore, "commit", full)
    shown = play("west\nlook at me\nquit\n")
    assert shown.count("the disk is full. Make room") == 2


def test_completion_offers_what_is_allowed_now(home: Path) -> None:
    async def offered(typed: str) -> list[str]:
        table = Table(build(Settings(home)), Where.of("cloak"), "you")
        await table.begin(1)
        return await table.complete(typed)

    assert "go west" in asyncio.run(offered("go "))
    assert "restore" in asyncio.run(offered("rest"))
    assert "take off velvet cloak" in asyncio.run(offered("take"))


@pytest.mark.requirement("2.05")
def test_what_another_player_does_is_shown_while_one_sits_at_the_prompt(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "inn"
    folder.mkdir()
    (folder / "world.md").write_text(
        "---\nexperience: inn\nuses: [adventure]\nstart: hall\nworld: shared\n---\n# Inn\nAn inn.\n", encoding="utf-8"
    )
    (folder / "hall.md").write_text("---\nplace: hall\n---\n# Hall\nA hall.\n", encoding="utf-8")
    where, settings = Where.of(str(folder)), Settings.from_environment()
    shown = ""

    async def until(text: str) -> None:
        nonlocal shown
        while text not in shown:
            await asyncio.sleep(0.02)
            shown += capsys.readouterr().out

    async def meet() -> int:
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            sitting = asyncio.create_task(module.sit_down(settings, where, "Ann", None))
            await asyncio.wait_for(until("Tab shows"), 60)
            async with open_app(settings) as other:
                ben, _ = await other.games.start(where, PRINCIPAL, name="Ben")
                await other.games.act(ben, PRINCIPAL, "say good evening")
            await asyncio.wait_for(until("Ben says “good evening”."), 60)
            pipe.send_text("quit\n")
            return await sitting

    assert asyncio.run(meet()) == 0
    assert shown.index("Ben comes.") < shown.index("Ben says")
