"""The labelled data: complete, without doubles, and true of the bundled worlds."""

from collections import Counter
from functools import cache

import pytest

from agents.worlds import Where, World
from evals.data import WORLDS, Phrase, messages, phrases
from kb.referee import Inputs, State
from kb.session import Said, Session
from kb.understand import Dialogue


@cache
def session(world: str) -> Session:
    return World.open(Where.of(world)).session


def set_up(phrase: Phrase) -> tuple[State, Dialogue, Inputs]:
    """The game in which the phrase is said. Fails where the rules do not understand a line of its setup."""
    talk = session(phrase.world)
    inputs = Inputs(talk.rulebook.settings.begins, 1)
    state, dialogue = talk.referee.join(talk.referee.new(), "player", "you"), Dialogue()
    for line in phrase.setup:
        said = talk.say(state, "player", line, dialogue, inputs)
        assert done(said), (line, said.text)
        state, dialogue = said.state, said.dialogue
    return state, dialogue, inputs


def done(said: Said) -> bool:
    return said.understood and bool(said.outcomes) and all(each.status == "done" for each in said.outcomes)


def test_the_messages_are_five_hundred_in_the_stated_shares() -> None:
    labelled = messages()
    shares = {"action": 175, "direct": 75, "knowledge": 125, "team": 65, "help": 60}
    assert Counter(each.route for each in labelled) == shares
    assert len({each.message.casefold() for each in labelled}) == 500
    assert min(Counter(each.source for each in labelled).values()) >= 15
    assert {each.world for each in labelled} == set(WORLDS)


def test_the_phrases_are_five_hundred() -> None:
    assert len({(each.message, each.world, each.setup) for each in phrases()}) == 500
    assert {each.world for each in phrases()} == set(WORLDS)


@pytest.mark.parametrize("world", WORLDS)
def test_what_a_phrase_means_is_understood_and_done(world: str) -> None:
    meant = [each for each in phrases() if each.world == world]
    assert any(each.action for each in meant)
    for phrase in meant:
        state, dialogue, inputs = set_up(phrase)
        if phrase.action:
            said = session(world).say(state, "player", phrase.action, dialogue, inputs)
            assert done(said), (phrase, said.text)


@pytest.mark.parametrize("world", WORLDS)
def test_the_rules_alone_read_no_phrase_otherwise(world: str) -> None:
    for phrase in phrases():
        if phrase.world != world:
            continue
        state, dialogue, inputs = set_up(phrase)
        own = session(world).say(state, "player", phrase.message, dialogue, inputs)
        meant = session(world).say(state, "player", phrase.action, dialogue, inputs) if phrase.action else None
        assert not own.understood or (meant is not None and own.state.hash == meant.state.hash), (phrase, own.text)
