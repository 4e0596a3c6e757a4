"""`rulebound replay`: what it prints, and its exit statuses."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from git import Actor, Repo

from agents.worlds import Where
from rulebound.app import PRINCIPAL, open_app
from rulebound.commands.replay import moment
from rulebound.settings import Settings

Run = Callable[..., Any]


pytestmark = pytest.mark.usefixtures("kept")


def play(where: str, *lines: str, name: str = "you") -> None:
    """A game that is kept, as the terminal keeps it."""

    async def go() -> None:
        async with open_app(Settings.from_environment()) as app:
            handle, _ = await app.games.start(Where.of(where), PRINCIPAL, name=name)
            for line in lines:
                await app.games.act(handle, PRINCIPAL, line)

    asyncio.run(go())


def test_stored_turns_are_reproduced_and_the_status_is_0(rulebound: Run) -> None:
    play("cloak", "west", "hang cloak on hook")
    ran = rulebound("replay", "--jobs", "1")
    assert (ran.status, ran.out) == (
        0,
        "2 turns of 1 game by 1 player replayed under their own commits: every one as recorded.\n",
    )
    assert ran.err.startswith("2 turns in ")


def test_several_processes_replay_under_the_settings_of_this_one(rulebound: Run) -> None:
    play("cloak", "west", name="ada")
    play("cloak", "west", name="bob")
    assert rulebound("replay", "--jobs", "2").status == 0


@pytest.mark.requirement("3.16")
def test_what_a_draft_would_change_is_shown_in_each_form_and_the_status_is_1(rulebound: Run, world: Path) -> None:
    author = Actor("ann", "ann@example.org")
    with Repo.init(world, initial_branch="main") as repo:
        repo.git.add(".")
        repo.index.commit("one", author=author, committer=author)
        play(str(world), "take coin", "north", name="ada")
        play(str(world), "north", name="bob")
        repo.git.checkout("-q", "-b", "pull-7")
        (world / "attic.md").write_text("---\nplace: attic\nexits: {south: hall}\n---\n# Attic\nA loft.\n")
        repo.git.add(".")
        repo.index.commit("two", author=author, committer=author)
        repo.git.checkout("-q", "main")
    ran = rulebound("replay", "--against", "pull-7", "--jobs", "2")
    assert ran.status == 1
    assert "- An attic.\n        + A loft.\n" in ran.out
    data = json.loads(rulebound("replay", "--against", "pull-7", "--format", "json").out)
    assert (data["changed"]["turns"], data["changed"]["players"]) == (2, 2)
    assert rulebound("replay", "--against", "pull-7", "--format", "markdown").out.startswith("### Replay\n\n3 turns")
    one = json.loads(rulebound("replay", "--against", "pull-7", "--format", "json", "--player", "bob").out)
    assert (one["turns"], one["changed"]["turns"]) == (1, 1)
    assert rulebound("replay", "--against", "main", "--world", str(world), "--since", "1d").status == 0


def test_what_cannot_be_done_is_told_with_status_2(rulebound: Run, world: Path) -> None:
    assert rulebound("replay").status == 0
    play(str(world), "take coin")
    for arguments, message in {
        ("--since", "soon"): "'soon' is not a time",
        ("--format", "pdf"): "there is no format 'pdf'",
        ("--against", "nowhere"): "is not in a Git repository",
    }.items():
        ran = rulebound("replay", *arguments)
        assert (ran.status, ran.out) == (2, "")
        assert message in ran.err
    (world / "hall.md").write_text("---\nplace: hall\n---\n# Hall\nOther.\n")
    ran = rulebound("replay", "--jobs", "1")
    assert ran.status == 2
    assert "1 turn: the pages of commit folder-" in ran.out


def test_the_designers_page_shows_what_is_printed(rulebound: Run, world: Path) -> None:
    author = Actor("ann", "ann@example.org")
    rule = "---\nitem: coin\nin: hall\n---\n# Gold coin\n## Rules\n| On | When | Then |\n|---|---|---|\n"
    with Repo.init(world, initial_branch="main") as repo:
        for branch, award in (("main", 2), ("dear-coins", 3)):
            if branch != "main":
                repo.git.checkout("-q", "-b", branch)
            (world / "coin.md").write_text(f'{rule}| after take [[coin]] | | award {award} for "the coin" |\n')
            repo.git.add(".")
            repo.index.commit(branch, author=author, committer=author)
        repo.git.checkout("-q", "main")
    play(str(world), "take coin", "north", name="ada")
    play(str(world), "look", "take coin", name="bob")
    out = rulebound("replay", "--against", "dear-coins", "--jobs", "1").out
    for pattern, shown in (
        (r"game [0-9a-f]{32}", "game 0198c2…"), (r"@folder-[0-9a-f]{7}", "@8b02d1…"), (r"(@|Under )[0-9a-f]{14}", r"\g<1>1f3a9c…"),
    ):  # fmt: skip
        out = re.sub(pattern, shown, out)
    page = (Path(__file__).parents[2] / "docs/designers/pull-requests.md").read_text(encoding="utf-8")
    assert f"$ rulebound replay --against dear-coins\n{out}```" in page


def test_a_time_is_a_date_or_so_long_ago() -> None:
    now = datetime(2026, 3, 8, tzinfo=UTC)
    assert moment("2026-03-01", now) == datetime(2026, 3, 1, tzinfo=UTC)
    assert moment("2026-03-01T12:00:00+02:00", now) == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert moment("7d", now) == datetime(2026, 3, 1, tzinfo=UTC)
    assert moment("12h", now) == now - timedelta(hours=12)
    assert moment("7 days", now) is None
