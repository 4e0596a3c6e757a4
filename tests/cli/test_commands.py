"""`init`, `worlds`, `doctor`, `kb`, and how errors end."""

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from rulebound import cli
from rulebound.commands import doctor
from rulebound.errors import MODULES, clash
from rulebound.settings import Settings

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("folder", "name", "id"),
    [
        ("my-world", None, "my-world"),
        ("x", "Ann's “Mill” {1}", "ann-s-mill-1"),
        ("y", "42", "world-42"),
        ("z", "…", "world"),
    ],
)
def test_init_writes_a_world_that_is_clean_tested_and_played(
    rulebound: Run, folder: str, name: str | None, id: str
) -> None:
    assert rulebound("init", folder, *(["--name", name] if name else [])).status == 0
    assert f"experience: {id}\n" in Path(folder, "world.md").read_text()
    assert rulebound("check", folder).status == 0
    assert rulebound("test", folder).out.endswith(" 0 failed\n")
    assert "Garden" in rulebound("play", folder, stdin="look").out


def test_init_makes_a_repository_with_one_commit(rulebound: Run) -> None:
    assert "one commit" in rulebound("init", "w").out
    log = subprocess.run(["git", "log", "--oneline"], cwd="w", capture_output=True, text=True, check=True).stdout
    assert log.endswith("A world to begin with\n")
    assert rulebound("check", "w", "--at", "main").status == 0


def test_init_inside_a_repository_makes_no_second_one(rulebound: Run) -> None:
    subprocess.run(["git", "init", "-q", "."], check=True)
    assert "It lies in the Git repository" in rulebound("init", "w").out
    assert not Path("w/.git").exists()


def test_init_never_writes_into_a_folder_that_holds_something(rulebound: Run) -> None:
    Path("w").mkdir()
    Path("w/mine.txt").write_text("mine")
    ran = rulebound("init", "w")
    assert (ran.status, ran.err) == (2, "rulebound: w is not an empty folder. Name a new one.\n")
    assert [each.name for each in Path("w").iterdir()] == ["mine.txt"]


def test_the_bundled_worlds_are_listed(rulebound: Run) -> None:
    assert "cloak                   Cloak of Darkness" in rulebound("worlds").out


def test_doctor_finds_nothing_missing_here(rulebound: Run) -> None:
    ran = rulebound("doctor")
    assert ran.status == 0, ran.out
    assert "MISSING" not in ran.out
    assert "mcp 2." in ran.out


def test_doctor_says_what_is_missing_and_how_to_get_it(
    rulebound: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RULEBOUND_HOME", str(tmp_path / "file" / "home"))
    monkeypatch.setattr(doctor.shutil, "which", dict[str, str]().get)
    ran = rulebound("doctor")
    assert ran.status == 1
    assert "MISSING git: not found\n        Install git" in ran.out
    assert "Set RULEBOUND_HOME to a folder that can be written." in ran.out


@pytest.mark.parametrize("module", MODULES)
def test_another_package_with_one_of_our_names_is_told_at_the_start(
    rulebound: Run, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    def owners() -> Mapping[str, list[str]]:
        return {module: ["openai-agents", "rulebound"]}

    monkeypatch.setattr(importlib.metadata, "packages_distributions", owners)
    ran = rulebound("worlds")
    assert (ran.status, ran.out) == (2, "")
    assert "'openai-agents'" in ran.err
    assert "uv tool install rulebound" in ran.err


def test_no_other_package_has_our_names_here() -> None:
    assert clash() is None


def test_pages_are_searched_read_and_their_links_shown(rulebound: Run, world: Path) -> None:
    at = ("--kb", str(world))
    assert rulebound("kb", "search", "shiny", *at).out.startswith("coin.md#Gold coin:5@folder-")
    assert rulebound("kb", "search", "shiny", "--kind", "place", *at).status == 1
    assert rulebound("kb", "search", "shiny", "--where", "item=coin", "--kind", "item", *at).out.startswith("coin.md#")
    assert "looked for 'Shiny'" in rulebound("kb", "search", "shyny", *at).err
    assert "Shiny." in rulebound("kb", "read", "coin", *at).out
    assert rulebound("kb", "links", "coin", *at).out == "linked from world.md\n"
    assert rulebound("kb", "links", "world.md", *at).out == "links to    coin.md\n"


def test_a_long_page_is_read_to_its_end(rulebound: Run, world: Path) -> None:
    text = "# Long\n" + "".join(f"line {number}\n" for number in range(4_000))
    (world / "long.md").write_text(text)
    assert rulebound("kb", "read", "long.md", "--kb", str(world)).out.rstrip("\n") == text.rstrip("\n")


@pytest.mark.parametrize(
    "arguments", [("search", "zzqqx"), ("read", "zzqqx"), ("links", "zzqqx"), ("read", "coin", "--section", "zzqqx")]
)
def test_what_is_not_found_is_told_with_status_1(rulebound: Run, world: Path, arguments: tuple[str, ...]) -> None:
    ran = rulebound("kb", *arguments, "--kb", str(world))
    assert (ran.status, ran.out) == (1, "")
    assert "zzqqx" in ran.err


def broken() -> int:
    raise RuntimeError("a bug\nof ours")


def test_an_error_of_ours_is_one_line_and_its_traceback_a_file(
    rulebound: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rulebound.commands.setup.worlds", broken)
    ran = rulebound("worlds")
    assert ran.status == 2
    assert (
        ran.err == f"rulebound: an unexpected error, RuntimeError: a bug. Please report it with {home / 'crash.txt'}.\n"
    )
    assert "in broken" in (home / "crash.txt").read_text()


def test_debug_shows_the_traceback_of_an_error_of_ours(rulebound: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rulebound.commands.setup.worlds", broken)
    monkeypatch.setenv("RULEBOUND_DEBUG", "1")
    with pytest.raises(RuntimeError):
        rulebound("worlds")


def test_control_c_ends_quietly_with_130(rulebound: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("rulebound.commands.setup.worlds", stop)
    ran = rulebound("worlds")
    assert (ran.status, ran.err) == (130, "")


def test_a_reader_that_leaves_is_no_error(home: Path) -> None:
    ran = subprocess.run(
        f"{sys.executable} -m rulebound kb read take.md --kb {cli.__file__}/../../kb/worlds | head -1",
        shell=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in ran.stderr


def test_help_is_fast_because_it_imports_nothing_heavy(process: Run) -> None:
    import os

    ran = subprocess.run(
        [sys.executable, "-c", "import sys, rulebound.cli; print(' '.join(sys.modules))"],
        capture_output=True, text=True, check=True, env=dict(os.environ),
    )  # fmt: skip
    heavy = {"kb", "mcp", "git", "rich", "prompt_toolkit", "markdown_it", "yaml", "pydantic", "agents", "asyncio"}
    assert not heavy & set(ran.stdout.split())


def test_settings_come_from_the_environment_alone(tmp_path: Path) -> None:
    settings = Settings.from_environment({"RULEBOUND_HOME": str(tmp_path), "RULEBOUND_DEBUG": "1"})
    assert settings == Settings(tmp_path, True)
    assert all(path.is_relative_to(tmp_path) for path in (settings.cache, settings.history, settings.crash))
    assert Settings.from_environment({"RULEBOUND_DEBUG": "0"}).debug is False
    assert Settings.from_environment({}).home.name == "rulebound"


def test_the_library_that_a_world_uses_is_read_with_it(rulebound: Run, world: Path) -> None:
    assert "take <item>" in rulebound("kb", "read", "shared/adventure/take.md", "--kb", str(world)).out
    assert "shared/adventure/" in rulebound("kb", "search", "taking an item", "--kb", str(world)).out
