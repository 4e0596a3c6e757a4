"""The keys of an experience's page that say who plays in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kb.check import Checked, check
from kb.pages.source import open_source


def checked(folder: Path, keys: str) -> Checked:
    (folder / "world.md").write_text(f"---\nexperience: small\nstart: hall\n{keys}\n---\n# A small world\n")
    (folder / "hall.md").write_text("---\nplace: hall\n---\n# Hall\n")
    return check(open_source(folder), run=False)


@pytest.mark.requirement("0.35", "0.45")
@pytest.mark.parametrize(
    ("keys", "shared", "players"),
    [
        ("", False, 1_000),
        ("world: isolated", False, 1_000),
        ("world: shared", True, 1_000),
        ("world: shared\nplayers: 64", True, 64),
    ],
)
def test_an_experience_says_whether_its_players_share_a_world_and_how_many_it_holds(tmp_path, keys, shared, players):
    (rulebook,) = checked(tmp_path, keys).rulebooks.values()
    assert (rulebook.settings.shared, rulebook.settings.players) == (shared, players)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("world: common", "world.md:4:8 RB105 `common` is neither shared nor isolated"),
        ("players: 4", "world.md:4:1 RB105 In an isolated world there is one player"),
        ("world: shared\nplayers: many", "world.md:5:10 RB206 `players` is not a number of players"),
        ("world: shared\nplayers: 0", "world.md:5:10 RB206 `players` is not a number of players"),
        ("world: shared\nplayers: 10001", "world.md:5:10 RB206 `players` is not a number of players"),
        ("world: shared\nplayers: yes", "world.md:5:10 RB206 `players` is not a number of players"),
    ],
)
def test_what_is_no_number_of_players_is_told_in_its_place(tmp_path, keys, told):
    (found,) = checked(tmp_path, keys).errors
    assert f"{found.span} {found.code} {found.message}" == f"{told}."
    assert found.hint
