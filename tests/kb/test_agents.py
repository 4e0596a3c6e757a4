"""Agents' pages: what an agent may do is on its page, and nothing else is done."""

from __future__ import annotations

from pathlib import Path

import pytest
from diag_base import lay_out

from kb.check import check
from kb.pages.source import open_source
from kb.referee import Action, Inputs, Referee

AGENT = "---\nagent: otto\nin: hall\nmay: [{may}]\nstate: {{patience: int 0..5 = 5}}\n---\n# Otto\n{body}\n"


def told(folder: Path, may: str, body: str) -> list[str]:
    files = [("markdown", "otto.md", AGENT.format(may=may, body=body))]
    return [f"{p.span.line} {p.code} {p.message}" for p in check(open_source(lay_out(folder, files))).problems]


@pytest.mark.parametrize(
    ("may", "effect", "problem"),
    [
        ("say", 'say "Hm."', None),
        ("tell", 'say "Hm."', "9 RB505 The agent may not `say`."),
        ("say", "subtract 1 from `otto.patience`", None),
        ("say", "set `lamp.size` to 2", "9 RB505 The agent may not change `lamp.size`."),
        ("lamp.size", "set `lamp.size` to 2", None),
        ("say", "do `take lamp`", "9 RB505 The agent may not do `take <item>`."),
        ("take", "do `take lamp`", None),
        ("say", "remove `lamp`", "9 RB505 The agent may not `remove`."),
        ("say", "roll 1d6 as `n`", None),
        ("say", "move `lamp` to [[cellar]]", "9 RB505 The agent may not move `lamp`."),
    ],
)
def test_an_agent_does_only_what_its_page_lists(tmp_path: Path, may: str, effect: str, problem: str | None) -> None:
    assert told(tmp_path, may, f"## Always\n- {effect}") == ([problem] if problem else [])


def test_without_a_model_a_judgement_takes_its_fallback_and_is_in_the_trace(tmp_path: Path) -> None:
    body = (
        "## Judgement\n> Is the player rude to Otto? **yes / no** → `otto.insulted`. With no model: **yes**.\n\n"
        '## Then\n- when `otto.insulted == "yes"` → subtract 1 from `otto.patience`'
    )
    files = [("markdown", "otto.md", AGENT.format(may="say", body=body))]
    checked = check(open_source(lay_out(tmp_path, files)))
    assert checked.problems == ()
    referee = Referee(checked.rulebooks["test"])
    state = referee.join(referee.new(), "player")
    outcome = referee.resolve(
        state, "player", Action("take <item>", {"item": "lamp"}), Inputs(state.rows["world"]["time"])
    )
    assert outcome.state.rows["otto"]["patience"] == 4
    assert any(line.kind == "judgement" and "insulted" in line.text for line in outcome.trace)


@pytest.mark.parametrize(
    ("budget", "calls"),
    [("1 call per turn", 1), ("3 calls per turn", 3), ("0 calls per turn", 0), (None, 2)],
)
def test_a_budget_is_a_number_of_calls_in_a_turn(tmp_path: Path, budget: str | None, calls: int) -> None:
    text = AGENT.format(may="say", body="").replace(
        "---\n# Otto", f"budget: {budget}\n---\n# Otto" if budget else "---\n# Otto"
    )
    checked = check(open_source(lay_out(tmp_path, [("markdown", "otto.md", text)])))
    assert checked.problems == ()
    assert checked.rulebooks["test"].agents["otto"].budget == calls


@pytest.mark.parametrize(
    "budget", ["one call", "1", "1 call per hour", "100 calls per turn", "-1 calls per turn", "0.01 $", "[1]"]
)
def test_a_budget_that_cannot_be_read_is_a_problem_on_its_line(tmp_path: Path, budget: str) -> None:
    text = AGENT.format(may="say", body="").replace("---\n# Otto", f"budget: {budget}\n---\n# Otto")
    (found,) = check(open_source(lay_out(tmp_path, [("markdown", "otto.md", text)]))).problems
    assert (found.code, found.span.line, found.span.column) == ("RB511", 6, 9)


def test_a_judgement_about_others_in_the_same_turn_has_an_answer_for_each(tmp_path: Path) -> None:
    """Otto sees to every player once a minute; who acts then has the plain name."""
    page = (
        "---\nagent: otto\nin: hall\nevery: 1 minute\nmay: [player.score]\n---\n# Otto\n## Judgement\n"
        "> Does the player wait well? **yes / no** → `otto.pleased`. With no model: **no**.\n\n"
        '## Then\n- when `otto.pleased == "yes"` → add 1 to `player.score`\n'
    )
    checked = check(open_source(lay_out(tmp_path, [("markdown", "otto.md", page)])))
    assert checked.problems == ()
    referee = Referee(checked.rulebooks["test"])
    state = referee.new()
    for player in ("ann", "ben", "cid"):
        state = referee.join(state, player)
    now = state.rows["world"]["time"]
    for judged, scores in (
        ({}, [0, 0, 0]),
        ({"otto.pleased": "yes"}, [1, 0, 0]),
        ({"otto.pleased ben": "yes", "otto.pleased cid": "no", "otto.pleased zoe": "yes"}, [0, 1, 0]),
    ):
        outcome = referee.resolve(state, "ann", Action("take <item>", {"item": "lamp"}), Inputs(now, judged=judged))
        assert [each.key for each in outcome.asked] == ["otto.pleased", "otto.pleased ben", "otto.pleased cid"]
        assert [outcome.state.rows[each]["score"] for each in ("ann", "ben", "cid")] == scores
