"""A run, a comparison and a run that goes on, as a terminal or a file shows them."""

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evals.comparing import compare
from evals.reports import terminal
from evals.reports.files import summary_of
from evals.results import read
from tests.evals.reports.conftest import LINES, a_row, a_run, a_step


def shown(run: Path, **given: Any) -> str:
    out = io.StringIO()
    terminal.show(summary_of(run), read(run), terminal.console(out), **given)
    return out.getvalue()


def test_a_run_is_shown_by_contender_with_strata_and_what_failed_and_why(two_contenders: Path) -> None:
    lines = [" ".join(line.split()) for line in shown(two_contenders).splitlines()]
    assert lines[0] == "play: 5 cases, epochs 2, seed 0"
    assert lines[1] == "Contender Cases Solved (95%) pass@2 pass^2"
    assert lines[3] == "system:small 4 62.5% (22.2-90.7) 75.0% 50.0%"
    assert lines[4] == "Contender Illegal (done) Calls Tokens Cost In all"
    assert lines[6] == "system:small 8 (0) 1 98 $0.002 $0.016"
    assert "phrase 2 100.0% (34.2-100.0) 25.0% (3.7-74.4)" in lines
    at = lines.index("b (2 of 2 epochs): state lamp.location == player.id: it is hall")
    assert lines[at - 1 : at + 3] == ["Not solved by system:small: 2", lines[at], *LINES]


def test_attempts_that_broke_are_counted(tmp_path: Path) -> None:
    rows = [a_row("a"), replace(a_row("b", solved=False), error="the model gave no answer: timeout")]
    text = shown(a_run(tmp_path / "run", rows))
    assert f"{rows[0].contender}: 1 of 2 attempts broke, or had no answer of the model" in text
    assert "b: the model gave no answer: timeout" in text


def test_where_it_is_no_terminal_it_is_plain_text_with_each_row_on_a_line(tmp_path: Path) -> None:
    text = shown(a_run(tmp_path / "run", [a_row("x" * 250, "system:" + "m" * 250, solved=False)]))
    assert text.isascii()
    assert sum("m" * 250 in line for line in text.splitlines()) == 3


def test_a_terminal_of_80_columns_holds_the_figures_of_long_names(tmp_path: Path) -> None:
    from rich.console import Console

    out = io.StringIO()
    rows = [
        a_row(case, f"system:model-{n}-coder-1.5b", epoch, tags={"kind": case})
        for n in range(5)
        for case in "ab"
        for epoch in (1, 2)
    ]
    run = a_run(tmp_path / "run", rows)
    terminal.show(summary_of(run), on=Console(file=out, force_terminal=True, width=80, color_system=None))
    text = out.getvalue()
    assert text.count("system:model-3-coder-1.5b") == 2
    assert "100.0% (34.2-100.0)   100.0%   100.0%" in text
    assert "0 (0)" in text
    assert re.search(r"^ a +1( +100\.0%){5}", text, re.MULTILINE)
    assert "…" not in text


def test_what_players_and_models_say_cannot_steer_the_terminal_or_pretend_to_be_markup(tmp_path: Path) -> None:
    evil = "\x1b[2J\x1b]0;pwned\x07[bold red]:skull:[/] \u202etxt\rover\nnext" + "y" * 5_000
    unmet = {"kind": "state", "what": evil, "met": False, "why": evil, "lines": [evil]}
    row = a_row(evil, f"system:{evil}", solved=False, checks=[unmet], tags={evil: evil, "kind": evil})
    text = shown(a_run(tmp_path / "run", [row, a_row("b", f"system:{evil}", tags={evil: "other"})], [evil], suite=evil))
    assert not set("\x1b\x07\r\u202e") & set(text)
    assert r"\x1b[2J\x1b]0;pwned\x07[bold red]:skull:[/] \u202etxt over next" in text
    assert max(map(len, text.splitlines())) < 2_000


def test_of_many_failures_some_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    text = shown(a_run(tmp_path / "run", [a_row(f"c{n}", solved=False) for n in range(30)]), most=4)
    assert text.count("it is hall") == 4
    assert "… 26 more in report.html" in text


def test_a_comparison_tells_the_difference_its_chance_and_which_cases_turned(tmp_path: Path) -> None:
    before = [a_row(f"c{n}", solved=n > 1) for n in range(40)]
    after = [a_row(f"c{n}", solved=n > 19 or n == 1, steps=(a_step("x"),), figures={"calls": 1}) for n in range(40)]
    out = io.StringIO()
    terminal.show_compared(compare(before, after), terminal.console(out), most=2)
    first, *rest = out.getvalue().splitlines()
    assert first.startswith("rules:none: 95.0% -> 52.5%, -42.5 points (")
    assert "more than chance (p < 0.0001), 40 cases" in first
    assert "  calls: 0 -> 1 a case" in rest
    assert [line.split()[:5] for line in rest if line.lstrip().startswith(("lost", "won"))] == [
        ["lost", "c2", "1/1", "->", "0/1:"],
        ["lost", "c3", "1/1", "->", "0/1:"],
        ["won", "c1", "0/1", "->", "1/1:"],
    ]
    assert "  … 16 more in report.html" in rest


def test_the_python_of_the_page_about_reports_does_what_it_says(
    two_contenders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Path(__file__).parents[3] / "docs/evaluators/reports.md"
    (code,) = re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    two_contenders.rename(tmp_path / "play")
    a_run(tmp_path / "before", [a_row("b", "system:small")])
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert {file.name for file in (tmp_path / "play").iterdir()} >= {"report.html", "junit.xml"}
    told = capsys.readouterr().out
    assert "Not solved by system:small: 2" in told
    assert "system:small: 100.0% -> 0.0%" in told


def test_a_run_that_goes_on_tells_each_tenth_of_the_way_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    with terminal.progress(terminal.console(out)) as tell:
        for done in range(1, 201):
            tell(a_row("a", solved=done % 2 == 0), done, 200)
    lines = out.getvalue().splitlines()
    assert (len(lines), lines[0], lines[-1]) == (10, "20 of 200, 10 not solved", "200 of 200, 100 not solved")


def test_a_run_that_goes_on_moves_a_bar_in_a_terminal() -> None:
    from rich.console import Console

    out = io.StringIO()
    with terminal.progress(Console(file=out, force_terminal=True, width=80)) as tell:
        tell(a_row("a", solved=False), 1, 2)
        tell(a_row("b"), 2, 2)
    assert "Playing, 1 not solved" in out.getvalue()
    assert "2/2" in out.getvalue()
