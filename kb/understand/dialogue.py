"""Owns what understanding remembers between lines, and what it answers.

`Dialogue` is a plain value that can be dumped and loaded. It must not know rulebooks or state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from kb.referee.model import Action


@dataclass(frozen=True, slots=True)
class Dialogue:
    """`it` and `them` are ids that pronouns stand for; `last` the last command; a pending question's command is `asked`
    with a hole at `before`/`after`, and `choices` are the ids it offered."""

    it: str = ""
    them: tuple[str, ...] = ()
    last: str = ""
    before: str = ""
    after: str = ""
    asked: bool = False
    choices: tuple[str, ...] = ()

    def dump(self) -> dict[str, Any]:
        """The dialogue as JSON."""
        return {**asdict(self), "them": [*self.them], "choices": [*self.choices]}

    @staticmethod
    def load(data: Mapping[str, Any]) -> Dialogue:
        """The dialogue that `dump` wrote."""
        return Dialogue(
            it=str(data.get("it", "")),
            them=tuple(data.get("them", ())),
            last=str(data.get("last", "")),
            before=str(data.get("before", "")),
            after=str(data.get("after", "")),
            asked=bool(data.get("asked", False)),
            choices=tuple(data.get("choices", ())),
        )


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
    """The line could mean several things, or lacks something; the next line may answer."""

    text: str
    choices: tuple[str, ...]
    dialogue: Dialogue


@dataclass(frozen=True, slots=True)
class Reply:
    """The line is not understood, and why."""

    text: str
    dialogue: Dialogue


Understanding = Command | Question | Reply
