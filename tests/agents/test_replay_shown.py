"""How a replay's report reads: at the terminal, as JSON, as a comment of a pull request."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.replay import Recorded, Report
from agents.replay.compare import Difference, Side
from agents.replay.shown import FORMS, as_json, as_markdown, as_text


def turn(game: str = "g1", number: int = 1, player: str = "ann", text: str = "take it") -> Recorded:
    return Recorded(game, number, "say", player, "player", text, "c1", {}, "", "", {}, datetime(2026, 3, 1, tzinfo=UTC))


def differs(rule: str = "take", line: int = 3, gone: str = "Taken.", new: str = "No.") -> Difference:
    before, after = Side(rule, f"{rule}.md:{line}", "c1", "say 1"), Side(rule, f"{rule}.md:{line}", "c2", "say 2")
    return Difference(before, after, (gone,), (new,))


def report(*found: tuple[Recorded, Difference], replayed: int = 10, **parts: Any) -> Report:
    made = Report(against="c2", games=2, turns=replayed, replayed=replayed, players={"ann", "bob"}, **parts)
    for one, difference in found:
        made.changed.add(one, difference)
    return made


def test_text_tells_counts_rules_lines_and_examples() -> None:
    found = [(turn(number=number), differs()) for number in range(1, 6)]
    assert as_text(report(*found)) == (
        "10 turns of 2 games by 2 players replayed under their own commits: every one as recorded. "
        "Under c2 5 turns (50 %) of 1 player would end differently.\n"
        "\n"
        "Would end differently:\n"
        "\n"
        "  5 turns, 1 player  take\n"
        "    - take.md:3@c1  say 1\n"
        "    + take.md:3@c2  say 2\n"
        "      game g1 turn 1: take it\n"
        "        - Taken.\n"
        "        + No.\n"
        "      game g1 turn 2: take it\n"
        "        - Taken.\n"
        "        + No.\n"
        "      game g1 turn 3: take it\n"
        "        - Taken.\n"
        "        + No.\n"
        "      … and 2 more"
    )


def test_markdown_has_a_table_and_what_differs_behind_it() -> None:
    shown = as_markdown(report((turn(), differs()), (turn(number=2, player="bob"), differs("go <direction>", 8))))
    assert "| 1 | 1 | <code>go &lt;direction&gt;</code> | <code>go &lt;direction&gt;.md:8@c1</code> |" in shown
    assert "<details><summary>take: 1 turn, 1 player</summary>\n\n```diff\n- take.md:3@c1  say 1\n" in shown
    assert "ann" not in shown
    assert "bob" not in shown


def test_json_holds_every_turn() -> None:
    data = json.loads(as_json(report(*[(turn(f"g{n % 2}", n), differs()) for n in range(1, 8)])))
    (group,) = data["changed"]["groups"]
    assert group["games"] == {"g0": [2, 4, 6], "g1": [1, 3, 5, 7]}
    assert (group["turns"], group["players"], data["against"], len(group["examples"])) == (7, 1, "c2", 3)
    assert group["after"] == {"rule": "take", "at": "take.md:3@c2", "line": "say 2"}


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_long_lists_are_cut_and_say_how_much_is_left(form: str) -> None:
    many = [(turn(number=n), differs(f"rule-{n:03}")) for n in range(25)]
    long = Difference(*differs()[:2], tuple(f"line {n}" for n in range(10)), ())
    shown = FORMS[form](report((turn("g0"), long), (turn("g1", 99), long), *many))
    assert "… and 6 more rules and lines" in shown
    assert "… and 4 more" in shown
    assert "line 6" not in shown


def test_what_players_typed_cannot_pretend_to_be_the_report() -> None:
    hostile = "```\n# Approved\x1b[2J\u202e| [x](http://x) </details> ````"
    shown = as_markdown(report((turn(text=hostile), differs("a|b`<i>", gone=hostile)), skipped={hostile: 1}))
    fence = next(line for line in shown.splitlines() if line.endswith("diff"))
    assert fence == "`````diff"
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\n# Approved" not in shown
    assert "<i>" not in shown.split("diff")[0]
    assert "</details>" not in shown.split("#### Not replayed")[1]
    assert "\x1b" not in as_text(report((turn(text=hostile), differs(gone=hostile))))


def test_what_was_not_replayed_is_always_told() -> None:
    made = report(skipped={"the pages of commit x are gone": 7, "other": 1})
    for form in ("text", "markdown"):
        assert "7 turns: the pages of commit x are gone" in FORMS[form](made)
    assert json.loads(as_json(made))["skipped"][1] == {"reason": "the pages of commit x are gone", "turns": 7}


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2), st.sampled_from(["take", "drop", "go"])),
        max_size=12,
    )
)
def test_parts_add_up_to_the_same_report_in_any_order(found: list[tuple[int, int, int, str]]) -> None:
    parts: dict[str, Report] = {}
    for number, (game, player, line, rule) in enumerate(found):
        part = parts.setdefault(f"g{game}", Report(against="c2", games=1))
        part.changed.add(turn(f"g{game}", number, f"p{player}"), differs(rule, line))
        part.turns += 1
        part.replayed += 1
        part.skip("gone")
        part.players.add(f"p{player}")
    shown: set[str] = set()
    for order in itertools.permutations(parts.values()):
        whole = Report(against="c2")
        for part in order:
            whole.merge(part)
        shown.add(as_json(whole))
        assert whole.changed.count == len(found)
    assert len(shown) == 1
