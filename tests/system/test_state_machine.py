"""A state machine plays random commands in two sessions at once: they never part, whatever is said, saved, loaded or reloaded."""

from __future__ import annotations

from functools import cache

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kb import library
from kb.check import check
from kb.pages.source import open_source
from kb.referee import Inputs, State
from kb.session import Session
from kb.understand import Dialogue
from kb.view import legal

WORDS = [
    *[
        "take",
        "drop",
        "go",
        "north",
        "s",
        "lamp",
        "all",
        "but",
        "the",
        "it",
        "and",
        "then",
        ".",
        "open",
        "examine",
        "cloak",
        "hook",
        "mailbox",
        "rug",
        "wait",
        "again",
        "x",
        "i",
        "{}",
        "9",
        "é",
    ]
]


@cache
def session(name: str, number: int) -> Session:
    """The world compiled for the first, or for the second time."""
    (rulebook,) = check(open_source(library.worlds()[name]), run=False).rulebooks.values()
    return Session(rulebook)


class Twins(RuleBasedStateMachine):
    """One game, played by two compilations of the same pages."""

    @initialize(name=st.sampled_from(["cloak", "west-of-house", "tavern"]))
    def begin(self, name: str) -> None:
        self.name, self.turn = name, 0
        self.sessions = [session(name, number) for number in (0, 1)]
        self.states: list[State] = [each.referee.join(each.referee.new(), "player") for each in self.sessions]
        self.dialogues = [Dialogue(), Dialogue()]

    def say(self, line: str, seed: int) -> None:
        self.turn += 1
        for number, each in enumerate(self.sessions):
            inputs = Inputs(each.rulebook.settings.begins, seed)
            said = each.say(self.states[number], "player", line, self.dialogues[number], inputs)
            self.states[number], self.dialogues[number] = said.state, said.dialogue

    @rule(choice=st.integers(0, 1_000), seed=st.integers(0, 2**63))
    def a_legal_command(self, choice: int, seed: int) -> None:
        commands = legal(self.sessions[0], self.states[0], "player", 30)
        assert commands == legal(self.sessions[1], self.states[1], "player", 30)
        if commands:
            self.say(commands[choice % len(commands)], seed)

    @rule(words=st.lists(st.sampled_from(WORDS), max_size=6), seed=st.integers(0, 9))
    def any_words(self, words: list[str], seed: int) -> None:
        self.say(" ".join(words), seed)

    @rule()
    def one_of_them_is_saved_and_loaded(self) -> None:
        self.states[1], notes = self.sessions[1].referee.load(self.states[1].dump())
        self.dialogues[1] = Dialogue.load(self.dialogues[1].dump())
        assert notes == []

    @rule()
    def they_change_places(self) -> None:
        self.sessions.reverse()
        self.states = [s.referee.load(t.dump())[0] for s, t in zip(self.sessions, self.states, strict=True)]

    @invariant()
    def they_are_alike_and_whole(self) -> None:
        if not hasattr(self, "states"):
            return
        assert self.states[0].hash == self.states[1].hash
        assert self.states[0].dump() == self.states[1].dump()
        for row in self.states[0].rows.values():
            for field, declared in self.states[0].rulebook.kinds[row["kind"]].fields.items():
                assert declared.type.coerce(row[field]) == row[field]


TestTwins = Twins.TestCase
TestTwins.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
