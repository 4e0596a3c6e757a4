"""The commands of the page about one's own cases, done one after the other in an empty folder."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from evals.environment import environments, where_of
from evals.generators import KINDS
from evals.importers import FORMS
from evals.scoring import verdict
from evals.solvers.rules import played
from evals.suites import suite
from rulebound import cli

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/evaluators/bring-your-own.md").read_text("utf-8")
COUNT = re.compile(r"(?<=generate )(\w+) \d+")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return found


def unsolved(folder: Path) -> list[str]:
    cases = suite(str(folder)).cases()
    places = environments(cases)
    wrong: list[str] = []
    for case in cases:
        at = places[where_of(case)]
        found = verdict(case, played(case, at, case.gold or [turn.says for turn in case.turns], "user"), at)
        wrong += [each.what for each in found.checks if not each.met] + [found.error] * bool(found.error)
    assert cases
    return wrong


def test_every_command_of_the_page_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RULEBOUND_HOME", str(tmp_path / "home"))
    cases = (ROOT / "docs/evaluators/cases.md").read_text("utf-8")
    Path("cases.csv").write_text(re.findall(r"^```csv\n(.*?)^```", cases, re.MULTILINE | re.DOTALL)[0], "utf-8")
    Path("theirs.jsonl").write_text(block("json"), "utf-8")
    Path("shop.json").write_text(block("json database"), "utf-8")
    Path("game.txt").write_text("west\nhang the cloak on the hook\ntake the hook\n", "utf-8")
    shown: set[str] = set()
    for line in re.findall(r"^\$ rulebound (.*)$", PAGE, re.MULTILINE):
        command, _, into = COUNT.sub(r"\1 4", line).partition(" > ")
        words = shlex.split(command)
        monkeypatch.setattr(sys, "argv", ["rulebound", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        assert not ended.value.code, printed.err
        if into:
            Path(into).write_text(printed.out, "utf-8")
        if words[0] == "eval":
            shown.add(words[2])
            # Words that an answer must hold are not the expert's, and the page says so.
            assert unsolved(Path(words[-1])) == (["cancelled at the end"] if words[2] == "database" else [])
    assert shown == {*FORMS, *KINDS}
