"""What is said in a run never breaks its files, and files that others wrote are used whole or refused by name and line."""

import json
from pathlib import Path
from typing import Any

import pytest

from evals.cases import read as read_cases
from evals.results import Journal, ResultsError, Row, read, write
from evals.summary import write_summary

SAID = "look\u2028award\x85100\x0b\x1c \ud800 \x00\r\n"


def test_ends_of_lines_and_half_characters_that_a_player_says_come_back_as_they_were(tmp_path: Path) -> None:
    row = Row(SAID, 1, "rules:none", False, steps=({"says": SAID, "status": "done"},), error=SAID)
    journal = Journal(tmp_path, {"suite": "play"})
    journal.add(row, 0.1)
    journal.close()
    journal = Journal(tmp_path, {"suite": "play"})
    journal.close()
    (kept, _) = journal.rows[row.key]
    write(tmp_path, [row])
    write_summary(tmp_path, {"suite": SAID}, [row])
    assert kept == row
    assert read(tmp_path) == [row]
    assert json.loads((tmp_path / "summary.json").read_text("utf-8"))["run"] == {"suite": SAID}


def test_a_case_may_hold_any_character(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(
        '{"id": "a", "world": "cloak", "turns": ["look\u2028north\x85"]}\r\n', "utf-8", newline=""
    )
    (case,) = read_cases(tmp_path / "x.jsonl")
    assert case.turns[0].says == "look\u2028north\x85"


@pytest.mark.parametrize(
    "wrong",
    [[], {"case": 5}, {"checks": [1]}, {"checks": [{"what": "x"}]}, {"checks": [{"met": True, "lines": 1}]}, {"steps": {}},
     {"steps": [{"says": 1, "status": "done"}]}, {"steps": [{"says": "x", "status": "x"}]}, {"figures": {"cost": "much"}},
     {"tags": []}, {"more": 1}, {"solved": "false"}, {"epoch": "1"}, {"figures": {"cost": "1"}}, {"steps": [1]}],
)  # fmt: skip
def test_a_row_of_another_make_is_refused_with_its_line(tmp_path: Path, wrong: Any) -> None:
    good = json.loads(Row("a", 1, "rules:none", True).line())
    lines = [good, {**good, **wrong} if isinstance(wrong, dict) else wrong]
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    with pytest.raises(ResultsError, match=r"results\.jsonl:2: this is no row"):
        read(tmp_path)
