"""Owns a line of play: what a player says, command by command, as outcomes and the words to read.

`Session(rulebook).say(state, player, line, dialogue, inputs)`. Pure, like the referee. It must not store anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from kb.proposals import Proposals
from kb.referee import Action, Inputs, Outcome, Referee, State
from kb.rulebook import Rulebook
from kb.types import storable
from kb.understand import Command, Dialogue, Question, Understander, split_line

MAX_COMMANDS = 20


@dataclass(frozen=True, slots=True)
class Said:
    """What a line led to: each action with its outcome (an action without a type answers a workflow's question).

    `understood` is False for a question or a reply that asks for other words."""

    state: State
    actions: tuple[Action, ...]
    outcomes: tuple[Outcome, ...]
    text: str
    dialogue: Dialogue
    understood: bool
    question: bool


class Session:
    """A rulebook made ready to be talked to. Make one for each rulebook and keep it."""

    def __init__(self, rulebook: Rulebook):
        self.rulebook = rulebook
        self.referee = Referee(rulebook)
        self.understander = Understander(self.referee)

    def say(self, state: State, player: str, line: str, dialogue: Dialogue, inputs: Inputs) -> Said:
        """Everything that one line says, in order, until something is refused, unclear or not understood."""
        line = storable(line)
        actions: list[Action] = []
        outcomes: list[Outcome] = []
        texts: list[str] = []
        commands = self._commands(line)
        for number, command in enumerate(commands):
            answered = self._answer(state, player, command, inputs, len(outcomes))
            if answered is not None:
                actions.append(Action("", {}, command))
                outcomes.append(answered)
                state = answered.state
                texts.append(answered.text)
                continue
            understanding = self.understander.understand(state, player, command, dialogue)
            dialogue = understanding.dialogue
            if not isinstance(understanding, Command):
                texts.append(understanding.text)
                left = commands[number + 1 :]
                if left:
                    texts.append(f"(Not done: {'; '.join(left)}.)")
                question = isinstance(understanding, Question)
                return Said(state, tuple(actions), tuple(outcomes), "\n".join(texts), dialogue, False, question)
            if understanding.echo:
                texts.append(understanding.echo)
            refused = False
            for action, label in zip(understanding.actions, understanding.labels, strict=True):
                outcome = self.referee.resolve(state, player, action, _numbered(inputs, len(outcomes)))
                actions.append(action)
                outcomes.append(outcome)
                state = outcome.state
                texts.append(f"{label}: {outcome.text}" if label else outcome.text)
                refused = refused or outcome.status == "refused"
            if refused and number + 1 < len(commands) and len(understanding.actions) == 1:
                texts.append(f"(Not done: {'; '.join(commands[number + 1 :])}.)")
                break
        text = "\n".join(text for text in texts if text)
        return Said(state, tuple(actions), tuple(outcomes), text, dialogue, True, False)

    def propose(
        self,
        state: State,
        player: str,
        line: str,
        dialogue: Dialogue,
        inputs: Inputs,
        proposed: Sequence[str],
        words: str,
    ) -> Said:
        """A line for which a model proposes effects, and words to tell. The rules come first: what they understand, they
        decide. What is not allowed is refused as a whole."""
        said = self.say(state, player, line, dialogue, inputs)
        if said.understood or said.question:
            return said
        compiled = partial(self._proposals.compile, proposed, words)
        outcome = self.referee.propose(state, player, proposed, compiled, words, inputs)
        return Said(outcome.state, (Action("", {}, line),), (outcome,), outcome.text, dialogue, True, False)

    @cached_property
    def _proposals(self) -> Proposals:
        return Proposals(self.rulebook)

    def _commands(self, line: str) -> list[str]:
        """The line's commands; "and" and a comma part commands only where a known verb follows."""
        if "{" in line:
            return [line]
        commands: list[str] = []
        for part in split_line(line[:4_000]):
            commands += self._parted(part)
        return commands[:MAX_COMMANDS] or [line]

    def _parted(self, part: str) -> list[str]:
        """`take the lamp and go north` as two commands; `say hello and go` and `take lamp and rope` as one."""
        words = part.split(" ")
        lexicon = self.understander.lexicon
        if '"' in part or lexicon.takes_text(words[0].casefold()):
            return [part]
        for at in range(1, len(words)):
            joins = words[at].casefold() == "and"
            start = at + 1 if joins else at
            if start == len(words):
                break
            following = words[start].casefold().rstrip(",")
            moves = lexicon.is_move(following) and (
                words[start].endswith(",") or words[start + 1 :][:1] in ([], ["and"])
            )
            if (joins or words[at - 1].endswith(",")) and (lexicon.is_verb(following) or moves):
                return [" ".join(words[:at]).rstrip(", "), *self._parted(" ".join(words[start:]))]
        return [part]

    def _answer(self, state: State, player: str, command: str, inputs: Inputs, number: int) -> Outcome | None:
        """The command as the answer to a workflow's question, where one is pending and it fits."""
        if self.referee.pending(state, player) is None:
            return None
        return self.referee.answer(state, player, command, _numbered(inputs, number))


def _numbered(inputs: Inputs, number: int) -> Inputs:
    """The recorded inputs of the n-th action of a line."""
    return inputs if number == 0 else replace(inputs, seed=inputs.seed * 31 + number)
