"""Files of cases that others wrote: what is wrong is told with its line, and nothing hostile gets further."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evals.cases import Case, CaseError, Expect, Turn, read, write
from evals.environment import environments
from evals.results import Row
from evals.results import read as read_rows
from evals.results import write as write_rows
from evals.suites import suite

GOOD: dict[str, Any] = {"id": "a", "world": "cloak", "turns": ["look"]}


def told(tmp_path: Path, *lines: str | bytes) -> CaseError:
    file = tmp_path / "mine.jsonl"
    file.write_bytes(b"\n".join(each.encode() if isinstance(each, str) else each for each in lines))
    with pytest.raises(CaseError) as error:
        read(file)
    assert len(str(error.value)) < 700
    assert str(error.value).isprintable()
    return error.value


def line(**more: Any) -> str:
    return json.dumps({**GOOD, **more})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "mine.jsonl:1: this is no JSON"),
        ("[]", "mine.jsonl:1: this is no object"),
        ('"\x00"', "mine.jsonl:1: this is no JSON"),
        ('{"id": "a", "id": "b", "world": "cloak"}', "mine.jsonl:1: the key 'id' is there twice"),
        ('{"id": "a", "world": "cloak", "seed": NaN}', "mine.jsonl:1: NaN is no number of JSON"),
        ('{"id": "a", "world": "cloak", "seed": ' + "9" * 400 + "}", "mine.jsonl:1: the number is too large"),
        ('{"id": "a", "world": "cloak", "seed": ' + "9" * 5000 + "}", "mine.jsonl:1: "),
        ('{"a":' * 100_000, "mine.jsonl:1: it is nested too deep"),
        ('{"a":' * 900 + "1" + "}" * 900, "mine.jsonl:1: "),
        ('{"id": "' + "x" * 2_000_000 + '"}', "mine.jsonl:1: it is longer than 1,048,576 characters"),
        (line(id=""), "mine.jsonl:1: id is empty"),
        (line(id="a\x1b[2J"), "mine.jsonl:1: id: 'a\\x1b[2J' is no name"),
        (line(id="x" * 300), "mine.jsonl:1: id: "),
        (line(world="\u202ecloak"), "mine.jsonl:1: world: "),
        (line(id=7), "mine.jsonl:1: id: Input should be a valid string"),
        (line(turns="look"), "mine.jsonl:1: turns: Input should be a valid tuple"),
        (line(turns=[{"say": "look"}]), "mine.jsonl:1: "),
        (line(steps=0), "mine.jsonl:1: steps is out of range"),
        (line(seed=2**60), "mine.jsonl:1: seed is out of range"),
        (line(expect={"refused": "perhaps"}), "mine.jsonl:1: expect.refused: "),
        (line(expect={"state": "golden"}), "mine.jsonl:1: expect.state: "),
        (line(tags=["a"]), "mine.jsonl:1: tags: "),
    ],
)
def test_a_line_that_is_no_case_is_told_with_its_number(text: str, says: str, tmp_path: Path) -> None:
    error = told(tmp_path, text)
    assert str(error).startswith(says)
    assert error.hint


@pytest.mark.parametrize(
    ("more", "hint"),
    [
        ({"wrold": "cloak"}, "Did you mean `world`?"),
        ({"expect": {"refuzed": True}}, "Did you mean `refused`?"),
        ({"turns": [{"says": "look", "expects": {}}]}, "Did you mean `expect`?"),
        ({"turns": [{"says": "look", "expect": {"chekc": []}}]}, "Did you mean `check`?"),
        ({"expect": {"check": "true"}}, 'Write a list: `["…"]`.'),
    ],
)
def test_a_key_that_is_misspelt_is_told_with_the_one_that_is_meant(
    more: dict[str, Any], hint: str, tmp_path: Path
) -> None:
    assert told(tmp_path, line(**more)).hint == hint


def test_the_first_mistake_is_told_and_how_many_more_there_are(tmp_path: Path) -> None:
    error = told(tmp_path, line(), "", line(), "nothing", line(id="b"))
    assert str(error) == "mine.jsonl:3: the id 'a' is that of mine.jsonl:1 too (1 more lines are wrong.)"


def test_a_file_that_is_no_text_or_not_there_is_told(tmp_path: Path) -> None:
    assert "not UTF-8" in str(told(tmp_path, b"\xff\xfe"))
    for name in ("none.jsonl", ""):
        with pytest.raises(CaseError, match=r"No such file|directory"):
            read(tmp_path / name)


def test_separators_of_lines_inside_a_text_do_not_part_it(tmp_path: Path) -> None:
    odd = "look\u2028at\x85this\x0b\x0c\r\x1c"
    case = Case("a", "cloak", (Turn(odd), Turn("look", Expect(says=("a\u2028b",)))), tags={"k": "\u2029"})
    write(tmp_path / "c.jsonl", [case])
    assert [(each.turns, each.tags) for each in read(tmp_path / "c.jsonl")] == [(case.turns, case.tags)]
    row = Row("a", 1, "rules:none", solved=True, steps=({"says": odd, "answer": odd},))
    write_rows(tmp_path, [row])
    assert read_rows(tmp_path) == [row]


def test_what_cannot_be_stored_as_text_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"id": "a", "world": "cloak", "turns": ["\\ud800 \\u0000"]}')
    assert read(tmp_path / "c.jsonl")[0].turns[0].says == "\ufffd \ufffd"


def test_a_file_as_windows_writes_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_bytes(
        b"\xef\xbb\xbf" + line().encode() + b"\r\n\r\n" + line(id="b").encode() + b"\r\n"
    )
    assert [each.id for each in read(tmp_path / "c.jsonl")] == ["a", "b"]


def test_ten_thousand_cases_are_read_and_written_as_they_were(tmp_path: Path) -> None:
    cases = [Case(f"c-{n}", "cloak", (Turn("look", Expect(refused=False)),), tags={"n": str(n)}) for n in range(10_000)]
    write(tmp_path / "c.jsonl", cases)
    found = read(tmp_path / "c.jsonl")
    assert [(each.id, each.turns, each.tags) for each in found] == [(each.id, each.turns, each.tags) for each in cases]


def test_what_is_written_is_read_back_the_same(tmp_path: Path) -> None:
    told = Expect(calls=0, refused=False, question=False, declines=False, check=("a == 1",))
    case = Case("a", "cloak", (Turn("x", told), Turn("y")), told, never=("b",), tags={"kind": "k"}, seed=3)
    write(tmp_path / "cases.jsonl", [case])
    assert [replace(each, at="") for each in read(tmp_path / "cases.jsonl")] == [case]


def test_two_cases_with_one_id_are_told_with_both_places_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "evals").mkdir()
    for name in ("a", "b"):
        line = '{"id": "hang", "world": "cloak", "turns": ["west"]}\n'
        (tmp_path / "evals" / f"{name}.jsonl").write_text(line, "utf-8")
    with pytest.raises(CaseError, match=r"called 'hang': a\.jsonl:1 and b\.jsonl:1"):
        environments(suite(str(tmp_path)).cases())
