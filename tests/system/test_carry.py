"""A state that is carried to another rulebook is the one that its parts are read as there, whatever was edited between."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.simulated.players import RandomPlayer
from kb import library
from kb.check import check
from kb.pages.source import open_source
from kb.referee import Inputs, parts
from kb.referee.carry import alike, carry
from kb.session import Session
from kb.understand import Dialogue

EDITS = {
    "as it was": ("", "", ""),
    "a rule": ("rules/prices.md", "coins.", "pieces."),
    "a start value": ("kinds/player.md", "| 40 |", "| 41 |"),
    "a field more": ("kinds/world.md", "| mood |", "| rum | int | 3 | |\n| mood |"),
    "a field less": ("kinds/world.md", "| secret_told | yes/no | no |", "| secret_gone | yes/no | no |"),
    "another name": ("people/bodo.md", "\n# ", "\n# Big "),
    "another place": ("things/cat.md", "\nin: ", "\nin: snug # "),
    "a page less": ("things/cat.md", None, None),
    "a page more": ("things/mug.md", "", "---\nitem: mug\nin: snug\n---\n# Mug\n"),
    "something carried": ("things/mug.md", "", "---\nitem: mug\nin: player\n---\n# Mug\n"),
    "a timed rule more": (
        "rules/tick.md",
        "",
        '---\nrule: tick\nevery: 10 minutes\n---\n# Tick\n## Then\n- say "Tick."\n',
    ),
}
ALIKE = {"as it was", "a rule"}


@cache
def session(name: str) -> Session:
    """The tavern with one edit; what that breaks in rules is left out with them."""
    folder = Path(mkdtemp()) / "tavern"
    shutil.copytree(library.worlds()["tavern"], folder)
    path, old, new = EDITS[name]
    if new is None:
        (folder / path).unlink()
    elif path:
        text = (folder / path).read_text() if old else ""
        assert (old or "") in text
        (folder / path).write_text(text.replace(old, new, 1) if old else new)
    checked = check(open_source(folder), run=False)
    (compiled,) = checked.compiled.values()
    shutil.rmtree(folder.parent)
    assert compiled.partial is not None
    return Session(compiled.rulebook or compiled.partial)


@pytest.mark.requirement("3.16")
@pytest.mark.parametrize("name", EDITS)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32), turns=st.integers(0, 40))
def test_carrying_is_storing_and_reading(name: str, seed: int, turns: int) -> None:
    own, other, player = session("as it was"), session(name), RandomPlayer(seed)
    state, dialogue = own.referee.join(own.referee.new(), "player"), Dialogue()
    for number in range(turns):
        line = player.line(own, state, "player")
        said = own.say(state, "player", line, dialogue, Inputs(own.rulebook.settings.begins, number))
        state, dialogue = said.state, said.dialogue
    loaded, _ = other.referee.load_parts(parts.head(state), parts.parts(state))
    carried = carry(state, other.referee.shape)
    assert carried.hash == loaded.hash
    assert (carried.rows, carried.index, dict(carried.book)) == (loaded.rows, loaded.index, dict(loaded.book))
    assert (carried.numbers, carried.own) == (loaded.numbers, loaded.own)
    assert carried.rulebook is other.rulebook
    again, _ = own.referee.load_parts(parts.head(loaded), parts.parts(loaded))
    assert carry(carried, own.referee.shape).hash == again.hash


@pytest.mark.parametrize("name", EDITS)
def test_only_rulebooks_that_shape_states_alike_share_them(name: str) -> None:
    assert alike(session("as it was").referee.shape, session(name).referee.shape) == (name in ALIKE)
