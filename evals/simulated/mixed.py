"""Owns players of mixed temper, for simulations: explorers, talkers, rule lawyers, speedrunners, chatters, bad typists.

`MixedPlayer(seed, "talker", world).says(session, state, player, dialogue)` gives a message and the command that is meant by it.
The same seed says the same. It must not know who answers.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from evals.data import messages, phrases
from kb.referee import Inputs, State
from kb.session import Session
from kb.understand import Dialogue
from kb.view import legal, templates

Temper = Literal["explorer", "talker", "lawyer", "speedrunner", "chatter", "typist"]
Kind = Literal["command", "speech", "typo", "question", "chat", "nonsense"]

TEMPERS: dict[Temper, dict[Kind, int]] = {
    "explorer": {"command": 92, "question": 3, "speech": 2, "typo": 3},
    "talker": {"command": 64, "speech": 16, "chat": 12, "question": 8},
    "lawyer": {"command": 50, "question": 45, "chat": 5},
    "speedrunner": {"command": 97, "typo": 3},
    "chatter": {"command": 50, "chat": 30, "question": 10, "nonsense": 5, "speech": 5},
    "typist": {"command": 45, "typo": 50, "nonsense": 5},
}
"""How many of a hundred messages are of each kind."""
CROWD: dict[Temper, int] = {
    "explorer": 35, "talker": 15, "lawyer": 10, "speedrunner": 20, "chatter": 10, "typist": 10,
}  # fmt: skip
"""How many of a hundred players have each temper."""
WORDINGS = (
    "my hands itch to {}", "why don't I just {}", "hm, it might be wise to {} about now", "what if we were to {}?",
    "nothing would please me more than to {}", "so be it: time to {}", "somebody has to {}, and that is me",
    "I've half a mind to {}", "you know what, I'm going to {}", "my plan? {}, quickly", "I feel like I ought to {}",
)  # fmt: skip
TALK = ("talk to ", "ask ", "say ", "compliment ", "tell ")
WORDS = ("good evening", "the weather", "rumours", "a long day", "the road", "bottles", "work")


@dataclass(frozen=True, slots=True)
class Spoken:
    """A message, what kind it is, and the command that it means; empty: nothing is to be done."""

    message: str
    kind: Kind
    meant: str = ""


class MixedPlayer:
    """One player of a bundled world."""

    def __init__(self, seed: int, temper: Temper, world: str):
        self.temper: Temper = temper
        self.world = world
        self._random = random.Random(seed)
        self._run: list[str] = []

    def says(self, session: Session, state: State, player: str, dialogue: Dialogue) -> Spoken:
        """The next message of a player whose game stands so. What the rules understand by themselves means just that."""
        shares = TEMPERS[self.temper]
        kind = self._random.choices(list(shares), list(shares.values()))[0]
        spoken = self._of(kind, session, state, player)
        inputs = Inputs(session.rulebook.settings.begins)
        own = session.say(state, player, spoken.message, dialogue, inputs)
        if own.understood or own.outcomes:
            return Spoken(spoken.message, spoken.kind, spoken.message)
        meant = session.say(state, player, spoken.meant, dialogue, inputs) if spoken.meant else None
        if meant is not None and not meant.understood:
            return Spoken(spoken.message, spoken.kind)
        return spoken

    def _of(self, kind: Kind, session: Session, state: State, player: str) -> Spoken:
        pick = self._random
        if kind in ("chat", "question", "nonsense"):
            said = _labelled({"chat": "direct", "question": "knowledge", "nonsense": "help"}[kind], self.world)
            # What is asked often is asked by many: the first ones make up half of all.
            return Spoken(said[int(len(said) * pick.random() ** 2)], kind)
        command = self._command(session, state, player)
        if kind == "typo":
            return Spoken(mistyped(command, pick), kind, command)
        if kind == "speech":
            first = [each for each in phrases() if each.world == self.world and not each.setup and each.action]
            if state.rows[player]["turns"] == 0 and first:
                phrase = pick.choice(first)
                return Spoken(phrase.message, kind, phrase.action)
            return Spoken(pick.choice(WORDINGS).format(command), kind, command)
        return Spoken(command, kind, command)

    def _command(self, session: Session, state: State, player: str) -> str:
        pick = self._random
        if self.temper == "speedrunner":
            if not self._run:
                self._run = list(pick.choice(_runs(session)))
            return self._run.pop(0)
        allowed = legal(session, state, player, 60) or ["look"]
        if self.temper == "talker" and pick.random() < 0.6:
            talked = [*allowed, *(filled(each, pick) for each in templates(session, state, player, 60))]
            allowed = [each for each in talked if each.startswith(TALK)] or allowed
        return pick.choice(allowed)


def filled(template: str, pick: random.Random) -> str:
    """A template with words, a number or a point in each hole."""

    def value(hole: re.Match[str]) -> str:
        of = hole[1].rpartition(": ")[2]
        if of.startswith("int"):
            return str(pick.randrange(1, 10))
        if of == "point":
            return f"51.20{pick.randrange(0, 13, 2):02}, -1.00{pick.randrange(0, 10, 3):02}"
        return pick.choice(WORDS)

    return re.sub(r"<([^<>]+)>", value, template)


def mistyped(command: str, pick: random.Random) -> str:
    """The command with one slip in one of its longer words: two letters swapped, one lost, one doubled."""
    words = command.split(" ")
    long = [at for at, word in enumerate(words) if len(word) > 3 and word.isalpha()]
    if not long:
        return command
    at = pick.choice(long)
    word, cut = words[at], pick.randrange(1, len(words[at]) - 1)
    slips = (
        word[:cut] + word[cut + 1] + word[cut] + word[cut + 2 :],
        word[:cut] + word[cut + 1 :],
        word[:cut] + word[cut] + word[cut:],
    )
    words[at] = pick.choice(slips)
    return " ".join(words)


@cache
def _labelled(route: str, world: str) -> tuple[str, ...]:
    own = [each.message for each in messages() if each.route == route and each.world == world]
    return tuple(own or [each.message for each in messages() if each.route == route])


def _runs(session: Session) -> list[list[str]]:
    """What the world's scenarios say, session by session."""
    runs = [[turn.says for turn in each.turns if "{" not in turn.says] for each in session.rulebook.scenarios]
    return [run for run in runs if run] or [["look"]]
