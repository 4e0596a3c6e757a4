"""What could be done now: commands, templates with holes, and completions of what is typed."""

from __future__ import annotations

from functools import cache

import pytest

from kb import library
from kb.check import check
from kb.pages.source import open_source
from kb.referee import Inputs, State
from kb.session import Session
from kb.understand import Dialogue
from kb.view import completions, legal, templates


@cache
def world(name: str) -> tuple[Session, State]:
    (rulebook,) = check(open_source(library.worlds()[name]), run=False).rulebooks.values()
    session = Session(rulebook)
    return session, session.referee.join(session.referee.new(), "player")


def after(name: str, *lines: str) -> State:
    session, state = world(name)
    for line in lines:
        state = session.say(state, "player", line, Dialogue(), Inputs(session.rulebook.settings.begins)).state
    return state


def test_each_thing_to_do_is_listed_once_and_one_of_every_action_before_the_second_of_any() -> None:
    session, state = world("tavern")
    listed = legal(session, state, "player", 500)
    assert len(listed) == len(set(listed))
    assert {"go north", "talk to bodo", "buy ale", "work at tables", "accept inn's cat", "work"} <= set(listed)
    assert not {"north", "walk north", "order ale"} & set(listed)
    assert listed.index("talk to bodo") < listed.index("go north") < listed.index("talk to liese")
    assert legal(session, state, "player", 7) == listed[:7]


def test_what_takes_a_value_is_a_template_as_long_as_nothing_else_forbids_it() -> None:
    session, state = world("tavern")
    found = templates(session, state, "player")
    assert {"dice for <stake: int 1..10>", "ask bodo about <text>", "say <text> to liese", "say <text>"} <= set(found)
    outside = after("tavern", "south")
    assert "dice for <stake: int 1..10>" not in templates(session, outside, "player")
    assert "ask tobin about <text>" in templates(session, outside, "player")


def test_an_action_that_words_cannot_say_is_a_template_of_its_arguments() -> None:
    session, state = world("lending-desk")
    (pay,) = (each for each in templates(session, state, "player") if each.startswith("pay"))
    assert pay == 'pay {"member": "<member>", "payments": "<list of record (method text, amount number)>"}'


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("pick", ["pick up lantern"]),
        ("get", ["get lantern"]),
        ("Take L", ["take lantern"]),
        ("u", ["up", "use lantern"]),
        ("bet", ["bet "]),
        ("say", ["say "]),
        ("no such", []),
    ],
)
def test_whatever_wording_is_typed_is_completed(typed: str, found: list[str]) -> None:
    session, _ = world("tavern")
    state = after("tavern", "down") if typed != "bet" else world("tavern")[1]
    assert [each for each in completions(session, state, "player", typed) if "cat" not in each] == found


def test_nothing_can_be_done_when_the_game_is_over() -> None:
    session, _ = world("cloak")
    state = after("cloak", "west", "hang cloak on hook", "east", "south", "read message")
    assert state.rows["player"]["ended"]
    assert (legal(session, state, "player"), templates(session, state, "player")) == ([], [])
