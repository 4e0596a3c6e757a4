"""`rulebound eval`: what its messages say to somebody who takes a wrong turn, and that nothing is lost by one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evals.cases import CaseError, read
from evals.contenders import contenders
from evals.results import JOURNAL
from evals.solvers import SolverError
from rulebound.commands.evals import Wanted, compared, listed, run
from rulebound.settings import Settings


def wanted(out: Path) -> Wanted:
    return Wanted(["cloak"], None, ["rules", "expert", "random"], 1, out, 0, 8, "", None, None, None, None)


def test_every_solver_of_the_list_stands_apart_from_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    listed(None)
    shown = capsys.readouterr().out
    assert "  path-synthesise  every message is a subject" in shown
    assert "Models: none, knowing, liar, scripted:FILE" in shown


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_misspelt_model_is_guessed_where_none_is_configured(tmp_path: Path) -> None:
    settings = Settings.from_environment({"RULEBOUND_HOME": str(tmp_path)})
    for name, hint in (
        ("knowin", "Did you mean `knowing`?"),
        ("sonnet", "There are none, knowing, liar and scripted:FILE"),
    ):
        with pytest.raises(SolverError, match=name) as raised:
            async with contenders(["system"], [name], settings, home=tmp_path):
                pass
        assert raised.value.hint.startswith(hint)


def test_a_case_in_which_nothing_is_to_be_done_is_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_text(json.dumps({"id": "a", "world": "cloak"}), "utf-8")
    with pytest.raises(CaseError, match=r"cases\.jsonl:1: nothing is said or to be done"):
        read(file)


def test_the_first_contender_of_a_run_is_compared_with_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(wanted(tmp_path))
    capsys.readouterr()
    compared(tmp_path, None)
    heads = [line for line in capsys.readouterr().out.splitlines() if line.startswith("rules:none -> ")]
    assert len(heads) == 2
    assert "expert:none" in heads[0]
    assert "random:none" in heads[1]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of Unix")
def test_who_stops_a_run_is_told_that_it_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    env = {**os.environ, "RULEBOUND_HOME": str(tmp_path / "home")}
    line = [sys.executable, "-m", "rulebound", "eval", "run", "--suite", "play", "--epochs", "50", "--out", str(out)]
    with subprocess.Popen(line, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as playing:
        while playing.poll() is None and (
            not (out / JOURNAL).exists() or (out / JOURNAL).read_bytes().count(b"\n") < 3
        ):
            time.sleep(0.05)
        playing.send_signal(signal.SIGINT)
        told = playing.communicate(timeout=60)[1]
    assert playing.returncode == 130
    assert told.endswith(f"Stopped. What was played is kept in {out}: the same command goes on.\n")
    assert (out / JOURNAL).read_bytes().count(b"\n") >= 3
