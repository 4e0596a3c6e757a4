"""Cases of others are taken in whole, or it is told what was not, where and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evals.attempts import Attempt
from evals.cases import Case, CaseError
from evals.cases import read as read_cases
from evals.environment import Environment, environments, where_of
from evals.importers import FORMS, Imported, read, save
from evals.scoring import Verdict, verdict
from evals.solvers.rules import played


def said(case: Case, at: Environment) -> Attempt:
    return played(case, at, [turn.says for turn in case.turns], "user")


def verdicts(cases: list[Case], *, gold: bool = False) -> list[Verdict]:
    places = environments(cases)
    return [
        verdict(each, played(each, at, each.gold, "solver") if gold else said(each, at), at)
        for each in cases
        for at in (places[where_of(each)],)
    ]


def problems(imported: Imported) -> list[str]:
    return [str(each) for each in imported.problems]


# --- JSON lines


def test_json_lines_with_names_of_their_own_become_cases(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {
            "task_id": 1,
            "messages": [{"role": "user", "content": "west"}],
            "meta": {"why": "dark", "level": 3},
            "ok": "player.score == 0",
        },
        {"task_id": 2, "messages": "look", "ok": ["player.score == 0", "!room.dark"], "annotator": "eve"},
    ]
    (tmp_path / "theirs.jsonl").write_text("\n".join(json.dumps(each) for each in rows))
    names = {
        "id": "task_id",
        "turns": "messages",
        "expect.check": "ok",
        "expect.reason": "meta.why",
        "tags.level": "meta.level",
    }
    imported = read("jsonl", tmp_path / "theirs.jsonl", world="cloak", names=names)
    one, two = imported.cases
    assert (one.id, one.world, [turn.says for turn in one.turns]) == ("1", "cloak", ["west"])
    assert (one.expect.check, one.expect.reason, one.tags) == (("player.score == 0",), "dark", {"level": "3"})
    assert two.expect.check == ("player.score == 0", "!room.dark")
    assert problems(imported) == [
        "theirs.jsonl:2: 'annotator' is left out of 1 lines. Say what it is: `--name ours=annotator`."
    ]


def test_lines_that_are_no_cases_and_messages_of_others_are_told(tmp_path: Path) -> None:
    lines = [
        '{"id": "a", "turns": [{"role": "user", "content": "look"}, {"role": "assistant", "content": "Yes."}]}',
        "nothing",
        '{"id": "a", "turns": ["look"]}',
        '{"id": "b", "turns": ["look"], "expect": {"refused": "perhaps", "reazon": "x"}}',
        '{"turns": ["look"]}',
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    imported = read("jsonl", tmp_path / "t.jsonl", world="cloak")
    assert [turn.says for case in imported.cases for turn in case.turns] == ["look"]
    told = problems(imported)
    assert [each.split(" ")[0] for each in told] == [
        "t.jsonl:2:",
        "t.jsonl:4:",
        "t.jsonl:5:",
        "t.jsonl:1:",
        "t.jsonl:3:",
    ]
    assert "of other roles than user" in told[3]
    assert "the id 'a' is that of t.jsonl:1 too" in told[4]


def test_a_name_that_no_case_has_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("{}")
    with pytest.raises(CaseError, match=r"A case has no 'expect\.chekc'") as error:
        read("jsonl", tmp_path / "t.jsonl", names={"expect.chekc": "x"})
    assert error.value.hint == "Did you mean `expect.check`?"


# --- tables

TABLE = """\
id,world,turn 1,turn 1 refused,turn 2,check,answer holds,gold,gold 2,tags,refused
hung,cloak,west,no,hang the cloak on the hook,player.score == 1,You put,west,hang the cloak on the hook,level=easy; source=desk,no
,cloak,take the hook,,,"player.score == 0
player.location == \"\"foyer\"\"\",,,,,yes
"""


def test_a_table_becomes_cases_that_are_solved(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    imported = read("csv", tmp_path / "t.csv")
    hung, taken = imported.cases
    assert problems(imported) == []
    assert (hung.gold, hung.tags) == (("west", "hang the cloak on the hook"), {"level": "easy", "source": "desk"})
    assert hung.turns[0].expect.refused is False
    assert (taken.id, taken.expect.check) == ("row-3", ("player.score == 0", 'player.location == "foyer"'))
    assert [each.solved for each in verdicts(list(imported.cases))] == [True, True]
    again = read_cases(save(imported, tmp_path / "out") / "evals/cases.jsonl")
    assert [each.turns for each in again] == [each.turns for each in imported.cases]


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_table_as_a_spreadsheet_saves_it_elsewhere_is_read(mark: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(f"\ufeffId{mark}Says{mark}Refused\r\na{mark}look{mark}NO\r\n\r\n".encode())
    (case,) = read("csv", tmp_path / "t.csv", world="cloak").cases
    assert (case.id, case.turns[0].says, case.expect.refused) == ("a", "look", False)


def test_what_is_wrong_in_a_table_is_told_with_its_row_and_column(tmp_path: Path) -> None:
    table = (
        "id,world,says,refuzed,check,refused,calls,tags,check,turn 2 refused\n"
        "a,cloak,look,,true,maybe,,,,\n"
        "b,cloak,look,,true,,many,,,\n"
        "c,cloak,look,,true,,,hard,,\n"
        "d,cloak,look,,true,,,,,yes\n"
        "e,,look,,true,,,,,\n"
        "f,cloak,look,,true,,,,,,too,much\n"
        "g,cloak,look,,true,yes,,,,\n"
        "g,cloak,look,,true,yes,,,,\n"
    )
    (tmp_path / "t.csv").write_text(table)
    imported = read("csv", tmp_path / "t.csv")
    assert [each.id for each in imported.cases] == ["g"]
    assert problems(imported) == [
        "t.csv: column D (refuzed): there is no such column, and it is left out. Did you mean `refused`?",
        "t.csv: column I (check): the column is there twice, and the second is left out. Number them: gold 1.",
        "t.csv: row 2, column F (refused): 'maybe' is not yes or no. Mend the cell.",
        "t.csv: row 3, column G (calls): 'many' is no whole number. Mend the cell.",
        "t.csv: row 4, column H (tags): 'hard' is not like level=hard; source=desk. Mend the cell.",
        "t.csv: row 5: turn 2 is checked, and nothing is said in it. Fill in the column.",
        "t.csv: row 6: world: Field required. See docs/evaluators/cases.md.",
        "t.csv: row 7: it has 12 cells, and the header 10. Put texts in quotes.",
        "t.csv: row 9: the id 'g' is that of t.csv: row 8 too. Give it another.",
    ]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_is_not_there_is_told(form: str, tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"none\.x"):
        read(form, tmp_path / "none.x", world="cloak")


def test_a_form_that_there_is_not_is_told(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="There is no form 'cvs'") as error:
        read("cvs", tmp_path)
    assert error.value.hint == "Did you mean `csv`?"
