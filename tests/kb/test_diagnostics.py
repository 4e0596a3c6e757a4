"""Every diagnostic code: a page of its own, whose wrong example shows it in its place and whose right one is clean."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from diag_base import files_of, lay_out

from kb import report
from kb.check import check
from kb.diagnostics import CODES
from kb.pages.source import open_source

PAGES = Path(__file__).parents[2] / "docs" / "diagnostics"
_AT = re.compile(r"^`([^`\s]+) (RB\d{3})`$", re.MULTILINE)


def page(code: str) -> str:
    return (PAGES / f"{code}.md").read_text(encoding="utf-8")


def problems(folder: Path) -> list[str]:
    found = check(open_source(folder), scenarios=True).problems
    return [f"{each.span} {each.code}" for each in found]


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert {path.stem for path in PAGES.glob("RB*.md")} == set(CODES)
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    assert all(f"| [{code}]({code}.md) | {title} |" in index for code, title in CODES.items())


@pytest.mark.parametrize("code", sorted(CODES))
def test_the_wrong_example_is_told_in_its_place_and_the_right_one_is_clean(code: str, tmp_path: Path) -> None:
    text = page(code)
    assert text.startswith(f"# {code}: {CODES[code]}\n")
    wrong, right = text.split("## Wrong")[1].split("## Right")
    told = _AT.findall(wrong)
    assert len(told) == 1
    assert f"{told[0][0]} {told[0][1]}" in problems(lay_out(tmp_path / "wrong", files_of(wrong)))
    assert problems(lay_out(tmp_path / "right", files_of(right))) == []


def test_the_base_world_itself_is_clean(tmp_path: Path) -> None:
    found = check(open_source(lay_out(tmp_path, [])), scenarios=True)
    assert report.text(found.problems) == ""


def test_many_mistakes_are_all_told_in_one_run(tmp_path: Path) -> None:
    """The wrong examples of all codes that can stand side by side, in one knowledge base."""
    alone = {"RB101", "RB102", "RB601", "RB602", "RB606", "RB507", "RB801", "RB604", "RB103"}
    files = []
    wanted: set[tuple[str, int, str]] = set()
    for code in sorted(set(CODES) - alone):
        section = page(code).split("## Wrong")[1].split("## Right")[0]
        shown = files_of(section)
        if any(path in {"world.md", "hall.md", "loan.md"} for _, path, _ in shown):
            continue
        for kind, path, content in shown:
            # Each example gets files and ids of its own.
            stem = f"{code.lower()}-{Path(path).stem}"
            renamed = re.sub(
                r"^(rule|table|workflow|agent|scenario): ([a-z-]+)$",
                lambda m, c=code: f"{m[1]}: {m[2]}-{c.lower()}",
                content,
                flags=re.MULTILINE,
            )
            renamed = renamed.replace("on: shake <", f"on: shake{code.lower()} <").replace(
                "`otto.", f"`otto_{code.lower()}."
            )
            files.append((kind, str(Path(path).with_name(f"{stem}.md")), renamed))
        at = _AT.search(section)
        assert at is not None
        path, line, _ = at[1].split(":")
        wanted.add((str(Path(path).with_name(f"{code.lower()}-{Path(path).stem}{Path(path).suffix}")), int(line), code))
    problems = check(open_source(lay_out(tmp_path, files)), scenarios=True).problems
    found = {(each.span.path, each.span.line, each.code) for each in problems}
    assert len(wanted) >= 40
    # A scenario is played only when the rules are whole.
    assert {each for each in wanted if each[2] != "RB702"} <= found
