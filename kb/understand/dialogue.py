"""Owns what understanding remembers between lines, and what it answers.

`Dialogue` is a plain value that can be dumped and loaded. It must not know rulebooks or state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from kb.referee.model import Action


@dataclass(frozen=True, slots=True)
class Dialogue:
    """`it`, `whom` (him, her) and `them` are ids that pronouns stand for; `last` the last command; a pending question's
    command is `asked` with a hole between `before` and `after`, and `choices` are the ids it offered; `settled` are
    the ids for holes that earlier answers filled (see `hole`)."""

    it: str = ""
    whom: str = ""
    them: tuple[str, ...] = ()
    last: str = ""
    before: str = ""
    after: str = ""
    asked: bool = False
    choices: tuple[str, ...] = ()
    settled: tuple[tuple[str, ...], ...] = ()

    def cleared(self) -> Dialogue:
        """Without the pending question."""
        if not self.asked and not self.settled:
            return self
        return replace(self, asked=False, before="", after="", choices=(), settled=())

    def dump(self) -> dict[str, Any]:
        """The dialogue as JSON."""
        lists = {"them": [*self.them], "choices": [*self.choices], "settled": [[*ids] for ids in self.settled]}
        return {**asdict(self), **lists}

    @staticmethod
    def load(data: Mapping[str, Any]) -> Dialogue:
        """The dialogue that `dump` wrote."""
        return Dialogue(
            it=str(data.get("it", "")),
            whom=str(data.get("whom", "")),
            them=tuple(data.get("them", ())),
            last=str(data.get("last", "")),
            before=str(data.get("before", "")),
            after=str(data.get("after", "")),
            asked=bool(data.get("asked", False)),
            choices=tuple(data.get("choices", ())),
            settled=tuple(tuple(ids) for ids in data.get("settled", ())),
        )


def hole(number: int) -> str:
    """The word that stands in a line for the things that the n-th answer settled: no player can type it."""
    return chr(0xE000 + number)


def hole_number(word: str) -> int | None:
    """Which hole a word is."""
    return ord(word) - 0xE000 if len(word) == 1 and 0xE000 <= ord(word) <= 0xF8FF else None


@dataclass(frozen=True, slots=True)
class Command:
    """The line is understood: one action, or several alike ("take all"), each with what to call it by."""

    actions: tuple[Action, ...]
    labels: tuple[str, ...]
    echo: str
    """What was read into the words, where that is worth saying: `(the brass lamp)`."""
    dialogue: Dialogue


@dataclass(frozen=True, slots=True)
class Question:
    """The line could mean several things, or lacks something; the next line may answer. `choices` are names."""

    text: str
    choices: tuple[str, ...]
    dialogue: Dialogue


@dataclass(frozen=True, slots=True)
class Reply:
    """The line is not understood, and why."""

    text: str
    dialogue: Dialogue


Understanding = Command | Question | Reply
