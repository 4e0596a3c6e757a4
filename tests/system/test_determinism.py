"""The same rules, state, actions and inputs give the same bytes: twice, elsewhere, and after the rules are loaded again."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.simulated.players import HostilePlayer, RandomPlayer
from kb import library
from kb.check import check
from kb.pages.source import open_source
from kb.referee import Inputs, State
from kb.rulebook import Rulebook
from kb.session import Session
from kb.understand import Dialogue

WORLDS = sorted(library.worlds())


@cache
def rulebook(name: str) -> Rulebook:
    (found,) = check(open_source(library.worlds()[name]), run=False).rulebooks.values()
    return found


def hashes(session: Session, seed: int, turns: int, *, hostile: bool = False) -> list[str]:
    """The state's hash after each line of a random player."""
    player = HostilePlayer(seed) if hostile else RandomPlayer(seed)
    state, dialogue = session.referee.join(session.referee.new(), "player"), Dialogue()
    found: list[str] = []
    for number in range(turns):
        line = player.line(session, state, "player")
        now = session.rulebook.settings.begins + timedelta(minutes=number)
        said = session.say(state, "player", line, dialogue, Inputs(now, seed * 1_000 + number))
        state, dialogue = said.state, said.dialogue
        found.append(state.hash)
        assert_whole(state)
    return found


def assert_whole(state: State) -> None:
    """Every stored value belongs to its declared type, and invariants hold."""
    book = state.rulebook
    for id in state.rows:
        row = state.rows[id]
        for name, field in book.kinds[row["kind"]].fields.items():
            assert field.type.coerce(row[name]) == row[name], (id, name, row[name])


@pytest.mark.parametrize("name", WORLDS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_hashes_twice_and_after_a_reload(name: str, seed: int) -> None:
    book = rulebook(name)
    (again,) = check(open_source(library.worlds()[name]), run=False).rulebooks.values()
    first = hashes(Session(book), seed, 15)
    assert first == hashes(Session(book), seed, 15)
    assert first == hashes(Session(again), seed, 15)


@pytest.mark.parametrize("name", ["cloak", "tavern", "lending-desk"])
def test_another_process_with_another_hash_seed_gives_the_same_hashes(name: str) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from test_determinism import *; "
        "print(chr(10).join(hashes(Session(rulebook(sys.argv[1])), 7, 40)))"
    )
    here = os.path.dirname(__file__)
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code, name, here],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in ("0", "12345")
    }
    assert outputs == {"\n".join(hashes(Session(rulebook(name)), 7, 40)) + "\n"}


@pytest.mark.parametrize("name", WORLDS)
def test_hostile_lines_break_no_type_and_no_invariant(name: str) -> None:
    session = Session(rulebook(name))
    for seed in range(3):
        assert len(hashes(session, seed, 120, hostile=True)) == 120


@pytest.mark.parametrize("name", WORLDS)
def test_a_state_survives_being_saved_and_loaded(name: str) -> None:
    session = Session(rulebook(name))
    player, state, dialogue = RandomPlayer(3), session.referee.join(session.referee.new(), "player"), Dialogue()
    for number in range(25):
        line = player.line(session, state, "player")
        said = session.say(state, "player", line, dialogue, Inputs(session.rulebook.settings.begins, number))
        state, dialogue = said.state, said.dialogue
    loaded, notes = session.referee.load(state.dump())
    assert notes == []
    assert loaded.hash == state.hash
