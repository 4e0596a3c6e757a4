"""`rulebound check` and `rulebound test`: statuses, formats, and failing tests with their lines."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_a_good_world_is_clean(rulebound: Run, world: Path) -> None:
    ran = rulebound("check", str(world))
    assert (ran.status, ran.out, ran.err) == (0, "", "5 pages, no problems.\n")


def test_the_path_is_here_unless_it_is_named(rulebound: Run, world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world)
    assert rulebound("check").err == "5 pages, no problems.\n"
    assert rulebound("test", "-k", "s.md").out == "1 passed, 0 failed\n"


def test_a_bundled_world_is_checked_by_its_name(rulebound: Run) -> None:
    assert rulebound("check", "cloak").status == 0


def test_problems_are_told_with_place_code_and_what_to_do(rulebound: Run, world: Path) -> None:
    (world / "hall.md").write_text("---\nplace: hall\nexits: {north: atic}\n---\n# Hall\n")
    ran = rulebound("check", str(world))
    assert ran.status == 1
    assert "\nhall.md:3:16 RB604 " in ran.out
    assert "Did you mean `attic`?" in ran.out


@pytest.mark.parametrize("form", ["json", "sarif", "github", "text"])
def test_every_format_names_the_line(rulebound: Run, world: Path, form: str) -> None:
    (world / "hall.md").write_text("---\nplace: hall\nexits: {north: atic}\n---\n# Hall\n")
    ran = rulebound("check", str(world), "--format", form)
    assert ran.status == 1
    if form == "json":
        found = json.loads(ran.out)
        keys = {"path", "line", "column", "end_column", "code", "severity", "message", "hint"}
        assert {(each["path"], each["line"]) for each in found} >= {("hall.md", 3)}
        assert all(set(each) == keys for each in found)
    elif form == "sarif":
        assert json.loads(ran.out)["version"] == "2.1.0"
    else:
        assert "hall.md" in ran.out


@pytest.mark.parametrize("form", ["github", "sarif"])
def test_a_code_host_is_told_paths_from_the_working_directory(
    rulebound: Run, world: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    (world / "hall.md").write_text("---\nplace: hall\nexits: {north: atic}\n---\n# Hall\n")
    monkeypatch.chdir(world.parent)
    assert "tiny/hall.md" in rulebound("check", "tiny", "--format", form).out
    monkeypatch.chdir(world)
    assert "tiny/hall.md" not in rulebound("check", "--format", form).out


def test_a_clean_world_is_an_empty_json_list(rulebound: Run, world: Path) -> None:
    assert json.loads(rulebound("check", str(world), "--format", "json").out) == []


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("check", "nowhere"), "There is no 'nowhere'"),
        (("test", "nowhere"), "There is no 'nowhere'"),
        (("play", "nowhere"), "There is no 'nowhere'"),
        (("kb", "search", "x", "--kb", "nowhere"), "There is no 'nowhere'"),
        (("check", "cloak", "--format", "pdf"), "no format 'pdf'"),
        (("check", "cloak", "--at", "-x"), "'-x' is not a branch"),
        (("check", "ext::sh -c id"), "is not a location"),
        (("play", "--script", "nowhere.txt"), "nowhere.txt: No such file"),
        (("play", "cloak", "--experience", "x"), "Which experience"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_status_2(rulebound: Run, arguments: tuple[str, ...], what: str) -> None:
    ran = rulebound(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert what in ran.err
    assert ran.err.startswith("rulebound: ")
    assert ran.err.count("\n") == 1


def test_a_world_that_does_not_check_is_not_played_and_its_lines_are_told(rulebound: Run, world: Path) -> None:
    (world / "hall.md").write_text("---\nplace: hall\nexits: {north: atic}\n---\n# Hall\n")
    ran = rulebound("play", str(world), stdin="look")
    assert ran.status == 2
    assert "hall.md:3:" in ran.err


def test_a_revision_is_checked_as_it_was_committed(rulebound: Run, world: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *identity, *arguments], cwd=world, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "one")
    (world / "hall.md").write_text("---\nplace: hall\nexits: {north: atic}\n---\n# Hall\n")
    assert rulebound("check", str(world)).status == 1
    assert rulebound("check", str(world), "--at", "main").status == 0
    assert "Taken" in rulebound("play", str(world), "--at", "main", stdin="take coin").out
    ran = rulebound("check", str(world), "--at", "no-such-branch")
    assert (ran.status, "no-such-branch" in ran.err) == (2, True)


def test_scenarios_and_examples_are_counted(rulebound: Run) -> None:
    ran = rulebound("test", "cloak")
    assert ran.status == 0
    passed = int(ran.out.split(" ")[0])
    assert passed >= 16
    assert rulebound("test", "cloak", "-k", "step-1").out == "7 passed, 0 failed\n"


def test_a_failing_scenario_is_shown_with_each_line_and_its_value(rulebound: Run, world: Path) -> None:
    page = (world / "s.md").read_text()
    (world / "s.md").write_text(page + "| take coin | Taken | `coin.location == hall.id` |\n")
    ran = rulebound("test", str(world))
    assert ran.status == 1
    assert "FAILED s (s.md:8)" in ran.out
    assert "    yes condition" in ran.out
    assert "(shared/adventure/take.md:" in ran.out
    assert ran.out.endswith(" passed, 1 failed\n")


def test_a_word_that_nothing_has_is_told(rulebound: Run) -> None:
    ran = rulebound("test", "cloak", "-k", "nothing-like-it")
    assert (ran.status, ran.out) == (2, "")
    assert "'nothing-like-it'" in ran.err


def test_nothing_runs_while_the_rules_are_broken(rulebound: Run, world: Path) -> None:
    (world / "hall.md").write_text("---\nplace: hall\nexits: {north: atic}\n---\n# Hall\n")
    ran = rulebound("test", str(world))
    assert ran.status == 1
    assert "hall.md:3:" in ran.out
