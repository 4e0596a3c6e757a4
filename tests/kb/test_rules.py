"""Which rule decides, and what the compiler finds between rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from diag_base import lay_out

from kb.check import Checked, check
from kb.pages.source import open_source
from kb.referee import Inputs
from kb.session import Session
from kb.understand import Dialogue

RULE = '---\nrule: {id}\non: {on}\n{more}---\n# {id}\n{when}## Then\n- say "{id}."\n'


def rule(id: str, on: str = "shake <item>", more: str = "", when: str = "") -> tuple[str, str, str]:
    condition = f"## When\n- it is so: `{when}`\n" if when else ""
    return ("markdown", f"rules/{id}.md", RULE.format(id=id, on=on, more=f"{more}\n" if more else "", when=condition))


def checked(folder: Path, *files: tuple[str, str, str]) -> Checked:
    return check(open_source(lay_out(folder, files)))


def codes(folder: Path, *files: tuple[str, str, str]) -> list[str]:
    return [f"{p.span.path} {p.code}" for p in checked(folder, *files).problems]


def said(found: Checked, line: str) -> str:
    assert found.problems == ()
    session = Session(found.rulebooks["test"])
    state = session.referee.join(session.referee.new(), "player")
    return session.say(state, "player", line, Dialogue(), Inputs(session.rulebook.settings.begins)).text


def test_instead_of_in_a_circle_is_told_once(tmp_path: Path) -> None:
    files = [rule("a", more="instead of: b"), rule("b", more="instead of: c"), rule("c", more="instead of: a")]
    found = [each for each in checked(tmp_path, *files).problems if each.code == "RB306"]
    assert len(found) == 1
    assert "circle" in found[0].message


def test_a_long_chain_of_instead_of_is_ordered(tmp_path: Path) -> None:
    files = [rule("r-0")] + [rule(f"r-{n}", more=f"instead of: r-{n - 1}") for n in range(1, 1_200)]
    found = checked(tmp_path, *files)
    assert "RB306" not in {each.code for each in found.problems}
    assert found.rulebooks["test"].actions["shake <item>"].rules[0] == "r-1199"


def test_the_rule_that_stands_instead_decides_where_its_conditions_hold(tmp_path: Path) -> None:
    found = checked(tmp_path, rule("a"), rule("b", more="instead of: a", when="item.size == 1"))
    assert said(found, "shake lamp") == "b."
    found = checked(tmp_path / "2", rule("a"), rule("b", more="instead of: a", when="item.size == 2"))
    assert said(found, "shake lamp") == "a."


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        ("item.size < 3", "item.size >= 3", False),
        ("item.size <= 3", "item.size >= 3", True),
        ("item.fixed", "!item.fixed", False),
        ("item.fixed && item.size == 1", "item.size == 2", False),
        ("room == hall", "room == cellar", True),
        ('action.verb in ["a", "b"]', 'action.verb == "c"', False),
        ("!(item.fixed || item.size > 3)", "item.fixed", False),
        ("item.size > 1", "item.fixed", True),
    ],
)
def test_two_rules_clash_only_where_some_state_fits_both(tmp_path: Path, first: str, second: str, clash: bool) -> None:
    found = codes(tmp_path, rule("a", when=first), rule("b", when=second))
    assert found == (["rules/b.md RB305"] if clash else [])


def test_rules_for_different_things_do_not_clash(tmp_path: Path) -> None:
    rope = ("markdown", "rope.md", "---\nitem: rope\nin: hall\n---\n# Rope\n")
    files = [rope, rule("a", on="shake [[lamp]]"), rule("b", on="shake [[rope]]")]
    found = checked(tmp_path, *files)
    assert said(found, "shake rope") == "b."


def test_a_rule_table_stands_before_rule_pages_and_its_first_row_that_fits_decides(tmp_path: Path) -> None:
    lamp = (
        "markdown",
        "lamp.md",
        (
            "---\nitem: lamp\nin: hall\n---\n# Lamp\n\n## Rules\n| On | When | Then |\n|---|---|---|\n"
            '| shake [[lamp]] | `lamp.size > 5` | say "Large." |\n| shake [[lamp]] | | say "Small." |\n'
        ),
    )
    assert said(checked(tmp_path, lamp, rule("a")), "shake lamp") == "Small."


@pytest.mark.parametrize("id", ["world", "player", "item", "room", "now", "Old", "a_b", "-x", "1st"])
def test_an_id_that_expressions_use_or_cannot_write_is_refused(tmp_path: Path, id: str) -> None:
    page = ("markdown", "x.md", f"---\nitem: {id}\nin: hall\n---\n# X\n")
    assert codes(tmp_path, page) == ["x.md RB109"]


def test_a_thing_cannot_have_the_name_of_a_kind(tmp_path: Path) -> None:
    kind = ("markdown", "k.md", "---\nkind: loan\n---\n# Loan\n")
    page = ("markdown", "x.md", "---\nitem: loan\nin: hall\nstate: {open: yes/no}\n---\n# X\n")
    assert "x.md RB110" in codes(tmp_path, kind, page)


def test_a_data_row_cannot_be_the_world(tmp_path: Path) -> None:
    kind = ("markdown", "k.md", "---\nkind: loan\nfrom: l.csv\n---\n# Loan\n")
    assert codes(tmp_path, kind, ("text", "l.csv", "id\nworld\n")) == ["l.csv RB802"]


@pytest.mark.parametrize(
    ("effects", "code"),
    [
        ('- tell `item` "Psst."', "RB204"),
        ("- move `item` to `world`", "RB204"),
        ("- roll 1d6 as item", "RB303"),
        ("- roll 1d6 as lamp", "RB303"),
        ('- roll 1d6 as dice\n- say "{dice}"', ""),
        ('- when `item.fixed` → roll 1d6 as dice\n- say "{dice}"', "RB202"),
        ("- when `item.fixed` →", "RB301"),
        ('- when item.fixed say "No."', "RB303"),
        ('- say "a; b, set c"; say "{item.name}"', ""),
    ],
)
def test_effects_that_cannot_be_meant_are_told(tmp_path: Path, effects: str, code: str) -> None:
    name, path, text = rule("shake")
    files = (name, path, text.split("## Then")[0] + f"## Then\n{effects}\n")
    assert {found.split()[1] for found in codes(tmp_path, files)} == ({code} if code else set())


def test_two_steps_of_a_workflow_with_one_heading_are_told(tmp_path: Path) -> None:
    steps = '---\nworkflow: wait\n---\n# Wait\n## 1. Now\n- Then say "a"\n## 2. Now\n- End: "b"\n'
    assert codes(tmp_path, ("markdown", "wait.md", steps)) == ["wait.md RB501"]


@pytest.mark.parametrize("name", ["player", "lamp", "items"])
def test_a_table_cannot_take_a_name_that_means_something_else(tmp_path: Path, name: str) -> None:
    page = f"---\ntable: t\ntakes: {{{name}: item}}\n---\n# T\n| `{name}.size` | say |\n|---|---|\n| - | a |\n"
    assert "t.md RB205" in codes(tmp_path, ("markdown", "t.md", page))
