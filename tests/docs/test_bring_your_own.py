"""The commands of the page about one's own cases, done one after the other in an empty folder."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from evals.environment import environments, where_of
from evals.generators import KINDS, generate
from evals.importers import FORMS, read, save
from evals.scoring import verdict
from evals.solvers.rules import played
from evals.suites import suite

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/evaluators/bring-your-own.md").read_text("utf-8")
GAME = (
    '{"turn": 1, "input": "west", "status": "done", "score": 0, "ended": null}\n'
    '{"turn": 2, "input": "hang the cloak on the hook", "status": "done", "score": 1, "ended": null}\n'
)


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return found


def options(words: list[str], name: str) -> list[str]:
    return [words[at + 1] for at, word in enumerate(words) if word == name]


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


def test_every_form_and_kind_is_shown_and_does_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cases = (ROOT / "docs/evaluators/cases.md").read_text("utf-8")
    Path("cases.csv").write_text(re.findall(r"^```csv\n(.*?)^```", cases, re.MULTILINE | re.DOTALL)[0], "utf-8")
    Path("theirs.jsonl").write_text(block("json"), "utf-8")
    Path("shop.json").write_text(block("json database"), "utf-8")
    Path("game.jsonl").write_text(GAME, "utf-8")
    shown: set[str] = set()
    for line in re.findall(r"^\$ rulebound eval (import|generate) (.*)$", PAGE, re.MULTILINE):
        what, words = line[0], shlex.split(line[1])
        shown.add(words[0])
        (out,) = options(words, "--out")
        if what == "generate":
            (seed,) = options(words, "--seed")
            generate(words[0], min(int(words[1]), 4), int(seed), Path(out))
            assert unsolved(Path(out)) == []
            continue
        names = dict(each.split("=", 1) for each in options(words, "--name"))
        imported = read(words[0], Path(words[1]), world="".join(options(words, "--world")), names=names)
        save(imported, Path(out))
        # Words that an answer must hold are not the expert's, and the page says so.
        assert unsolved(Path(out)) == (["cancelled at the end"] if words[0] == "database" else [])
    assert shown == {*FORMS, *KINDS}
