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
