"""`rulebound kb` where it writes: to a folder without any server, and to a knowledge base that it made."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def world(rulebound: Run) -> Path:
    folder = Path("cottage")
    assert rulebound("init", str(folder)).status == 0
    return folder


def test_a_page_is_drafted_shown_published_and_taken_back_in_a_folder(rulebound: Run, world: Path) -> None:
    here = ("--kb", str(world))
    assert rulebound("kb", "write", "well.md", *here, "--template", "place", "--branch", "well").status == 0
    assert "draft/local/well" in rulebound("kb", "drafts", *here).out
    assert "+# Well" in rulebound("kb", "diff", "well", *here).out
    assert not (world / "well.md").exists()
    assert rulebound("kb", "publish", "well", *here, "-m", "A well").status == 0
    assert (world / "well.md").read_text().startswith("---\nplace: well\n")
    status = subprocess.run(["git", "-C", str(world), "status", "--porcelain"], capture_output=True, check=True)
    assert status.stdout == b""
    commit = re.match(r"[0-9a-f]{12}", rulebound("kb", "history", "well", *here).out)
    assert commit is not None
    assert rulebound("kb", "revert", commit[0], *here).status == 0
    assert not (world / "well.md").exists()


def test_a_page_that_would_break_the_live_branch_is_refused_with_its_lines(rulebound: Run, world: Path) -> None:
    text = "---\nitem: bell\nin: tower\n---\n# Bell\n"
    ran = rulebound("kb", "write", "bell.md", "--kb", str(world), "--file", "-", stdin=text)
    assert ran.status == 2
    assert "bell.md:3:5 RB207" in ran.err
    dry = rulebound("kb", "write", "bell.md", "--kb", str(world), "--file", "-", "--dry-run", stdin=text)
    assert (dry.status, "bell.md:3:5 RB207" in dry.out) == (1, True)


def test_a_page_is_replaced_only_when_that_is_said(rulebound: Run, world: Path) -> None:
    text = (world / "cellar.md").read_text() + "\nIt smells of apples.\n"
    arguments = ("kb", "write", "cellar.md", "--kb", str(world), "--file", "-")
    assert "exists" in rulebound(*arguments, stdin=text).err
    assert rulebound(*arguments, "--replace", stdin=text).status == 0
    assert (world / "cellar.md").read_text() == text


def test_a_knowledge_base_is_made_listed_and_written(kept: None, rulebound: Run) -> None:
    made = rulebound("kb", "create", "inn", "--like", "tavern", "--visibility", "shared")
    assert made.status == 0, made.err
    assert rulebound("kb", "write", "pump.md", "--kb", "inn", "--template", "lore").status == 0
    listed = rulebound("kb", "list").out
    assert re.search(r"^inn +shared +publish$", listed, re.MULTILINE)
    assert re.search(r"^cloak +shared +read$", listed, re.MULTILINE)
    assert "pump" in rulebound("kb", "history", "--kb", "inn").out
    assert rulebound("kb", "create", "inn").status == 2
    assert "no knowledge base 'outn'" in rulebound("kb", "drafts", "--kb", "outn").err
    assert "# Pump" in rulebound("kb", "read", "pump", "--kb", "inn").out
    assert rulebound("kb", "search", "pump", "--kb", "inn").out.startswith("pump.md#Pump:1@")
    assert rulebound("check", "inn").status in (0, 1)
    assert "The Crooked Kettle" in rulebound("play", "inn", "--script", "-", stdin="look\n").out


def test_the_secret_of_a_webhook_is_of_one_knowledge_base(rulebound: Run) -> None:
    one, again, other = (rulebound("kb", "webhook", name).out.split()[-1] for name in ("inn", "inn", "cellar"))
    assert one == again != other
