"""`rulebound mcp install` and `uninstall`, as a user types them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home folder, a folder of the test's own."""
    folder = tmp_path / "user"
    folder.mkdir()
    monkeypatch.setattr(Path, "home", lambda: folder)
    return folder


def entry(user: Path) -> dict[str, Any]:
    return json.loads((user / ".cursor/mcp.json").read_text())["mcpServers"]["rulebound"]


def test_installing_names_this_command_and_the_folders_of_worlds_by_whole_paths(
    rulebound: Run, user: Path, tmp_path: Path
) -> None:
    assert rulebound("init", "mine").status == 0
    ran = rulebound("mcp", "install", "cursor", "cloak", "mine")
    assert (ran.status, ran.err) == (0, "")
    assert str(user / ".cursor/mcp.json") in ran.out
    found = entry(user)
    assert Path(found["command"]).is_absolute()
    assert found["args"][-3:] == ["mcp", "cloak", str(tmp_path / "cwd/mine")]
    again = rulebound("mcp", "install", "cursor", "cloak", "mine")
    assert "already" in again.out


def test_printing_changes_no_file(rulebound: Run, user: Path) -> None:
    ran = rulebound("mcp", "install", "cursor", "--print")
    assert str(user / ".cursor/mcp.json") in ran.out
    assert json.loads(ran.out[ran.out.index("{") :])["mcpServers"]["rulebound"]["args"][-1] == "mcp"
    assert list(user.iterdir()) == []


def test_uninstalling_says_whether_there_was_anything(rulebound: Run, user: Path) -> None:
    rulebound("mcp", "install", "cursor")
    assert rulebound("mcp", "uninstall", "cursor").status == 0
    assert rulebound("mcp", "uninstall", "cursor").status == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("cursr",), "`cursor`"),
        (("cursor", "no-such-world"), "no-such-world"),
    ],
)
def test_what_cannot_be_installed_is_one_line_with_what_to_do(
    arguments: tuple[str, ...], says: str, rulebound: Run, user: Path
) -> None:
    ran = rulebound("mcp", "install", *arguments)
    assert ran.status == 2
    assert says in ran.err
    assert ran.err.count("\n") == 1
    assert list(user.iterdir()) == []


def test_the_command_still_serves_with_and_without_the_name_of_what_it_does(rulebound: Run) -> None:
    serve = rulebound("mcp", "serve", "--help").out
    assert rulebound("mcp", "--standalone", "--help").out == serve
    assert "--standalone" in serve
