"""Rules that change while a game is played."""

import subprocess
from pathlib import Path

import pytest

from agents.worlds import Where, World, WorldError
from rulebound.app import App

pytestmark = pytest.mark.anyio
ANN = "ann"


def write(pages: Path, name: str, text: str) -> None:
    (pages / name).write_text(text, encoding="utf-8")


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.mark.requirement("0.01", "0.23")
async def test_a_page_that_is_edited_holds_from_the_next_turn_and_the_state_stays(app: App, pages: Path) -> None:
    handle, _ = await app.games.start(Where.of(str(pages)), ANN)
    await app.games.act(handle, ANN, "take coin")
    write(pages, "hall.md", "---\nplace: hall\nexits: {north: attic}\n---\n# Great hall\nIt echoes here.\n")
    reply = await app.games.act(handle, ANN, "look")
    assert "It echoes here." in reply.text
    assert reply.score == 2
    assert reply.notes[0].startswith("The rules changed (commit folder-")
    assert (await app.games.act(handle, ANN, "look")).notes == ()


async def test_a_broken_page_stays_out_is_told_once_with_its_line_and_mended_without_a_restart(
    app: App, pages: Path
) -> None:
    handle, _ = await app.games.start(Where.of(str(pages)), ANN)
    good = (pages / "coin.md").read_text()
    write(pages, "coin.md", good.replace("award 2 for", "awrd 2 for"))
    reply = await app.games.act(handle, ANN, "look")
    assert "stay out" in reply.notes[0]
    assert reply.notes[1].startswith("coin.md:10:")
    assert (await app.games.act(handle, ANN, "look")).notes == ()
    assert (await app.games.observe(handle, ANN))["notes"] == list(reply.notes)
    write(pages, "coin.md", good.replace("award 2 for", "award 3 for"))
    reply = await app.games.act(handle, ANN, "take coin")
    assert reply.score == 3
    assert reply.notes[0].startswith("The rules changed")


async def test_each_game_is_told_that_the_rules_changed(app: App, pages: Path) -> None:
    games = [(await app.games.start(Where.of(str(pages)), ANN))[0] for _ in range(2)]
    write(pages, "lore.md", "# Lore\nWords.\n")
    for handle in games:
        assert len((await app.games.act(handle, ANN, "look")).notes) == 1


async def test_what_a_change_takes_away_is_told(app: App, pages: Path) -> None:
    handle, _ = await app.games.start(Where.of(str(pages)), ANN)
    await app.games.act(handle, ANN, "take coin")
    (pages / "coin.md").unlink()
    reply = await app.games.act(handle, ANN, "inventory")
    assert any("coin" in note for note in reply.notes[1:])


async def test_undo_and_restore_reach_back_over_a_change_of_rules(app: App, pages: Path) -> None:
    handle, _ = await app.games.start(Where.of(str(pages)), ANN)
    await app.games.save(handle, ANN, "before")
    await app.games.act(handle, ANN, "take coin")
    write(pages, "lore.md", "# Lore\nWords.\n")
    await app.games.act(handle, ANN, "north")
    await app.games.undo(handle, ANN)
    assert (await app.games.undo(handle, ANN)).score == 0
    await app.games.act(handle, ANN, "take coin")
    assert (await app.games.restore(handle, ANN, "before")).score == 0
    assert (await app.games.act(handle, ANN, "take coin")).score == 2


async def test_a_folder_that_vanishes_leaves_the_last_good_rules(app: App, pages: Path) -> None:
    handle, _ = await app.games.start(Where.of(str(pages)), ANN)
    pages.rename(pages.with_name("moved"))
    reply = await app.games.act(handle, ANN, "take coin")
    assert reply.score == 2
    assert "goes on" in reply.notes[0]


@pytest.mark.requirement("0.23")
async def test_a_branch_is_followed_commit_by_commit_and_never_its_working_tree(app: App, pages: Path) -> None:
    git(pages, "init", "-q", "-b", "main")
    git(pages, "add", ".")
    git(pages, "commit", "-qm", "one")
    handle, _ = await app.games.start(Where.of(str(pages), "main"), ANN)
    write(pages, "hall.md", "---\nplace: hall\n---\n# Hall\nHalf saved\n")
    assert "A hall." in (await app.games.act(handle, ANN, "look")).text
    git(pages, "commit", "-qam", "two")
    assert "Half saved" in (await app.games.act(handle, ANN, "look")).text


async def test_a_remote_repository_is_played_by_its_url(app: App, pages: Path) -> None:
    git(pages, "init", "-q", "-b", "main")
    git(pages, "add", ".")
    git(pages, "commit", "-qm", "one")
    handle, text = await app.games.start(Where.of(pages.as_uri()), ANN)
    assert "A hall." in text
    assert (await app.games.act(handle, ANN, "take coin")).score == 2
    write(pages, "hall.md", "---\nplace: hall\n---\n# Hall\nPushed.\n")
    git(pages, "commit", "-qam", "two")
    # The clock of the test goes a minute at every look: the repository is asked again.
    assert "Pushed." in (await app.games.act(handle, ANN, "look")).text


def test_a_world_that_does_not_check_cannot_be_opened_and_says_where(pages: Path) -> None:
    write(pages, "coin.md", "---\nitem: coin\nin: nowhere-known\n---\n# Coin\n")
    with pytest.raises(WorldError, match="1 problem") as error:
        World.open(Where.of(str(pages)))
    assert [each.span.path for each in error.value.problems] == ["coin.md"]


def test_of_several_experiences_one_must_be_named(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, "w.md", f"---\nexperience: {name}\nstart: {name}-room\n---\n# {name.title()}\nHere.\n")
        write(tmp_path / name, "r.md", f"---\nplace: {name}-room\n---\n# Room\nA room.\n")
    with pytest.raises(WorldError, match="one, two"):
        World.open(Where.of(str(tmp_path)))
    assert World.open(Where.of(str(tmp_path), experience="two")).rulebook.settings.id == "two"
    with pytest.raises(WorldError, match="one, two"):
        World.open(Where.of(str(tmp_path), experience="three"))


def test_a_misspelt_bundled_world_is_guessed() -> None:
    with pytest.raises(WorldError) as error:
        World.open(Where.of("claok"))
    assert "Did you mean `cloak`?" in error.value.hint


def test_a_folder_is_known_by_its_absolute_path_and_a_bundled_world_by_its_name(
    pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pages)
    assert Where.of(".") == Where(str(pages))
    assert Where.of("cloak") == Where("cloak")
    (pages / "cloak").mkdir()
    assert Where.of("cloak") == Where(str(pages / "cloak"))
