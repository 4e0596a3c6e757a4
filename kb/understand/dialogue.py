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
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @staticmethod
    def load(data: Mapping[str, Any]) -> Dialogue:
        """The dialogue that `dump` wrote."""
        known = {name: value for name, value in data.items() if name in Dialogue.__dataclass_fields__}
        return Dialogue(**{name: tuple(value) if isinstance(value, list) else value for name, value in known.items()})  # pyright: ignore


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
