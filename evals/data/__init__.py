"""Owns data that judges: labelled messages and phrases of free speech for the router, sentences with their lines for scorers.

`messages()`, `phrases()`, `supported()`, `judged()`; what they are is in README.md beside them. It must not know what is judged by them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WORLDS = ("cloak", "commons", "lending-desk", "rock-paper-scissors", "tavern", "west-of-house", "wylding-woods")
"""The bundled worlds in which the data plays."""
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Labelled:
    """A message and the route that is right for it: action, direct, knowledge, team or help."""

    message: str
    route: str
    source: str
    """Who says such things."""
    world: str
    """The bundled world in which it is said, first thing."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Free speech in a game, after the lines of `setup`. Right is `action`, or asking back where `question`, or another `route`."""

    message: str
    world: str
    setup: tuple[str, ...]
    route: str
    action: str = ""
    """A line that the rules understand and allow there; empty: nothing must be done."""

    @property
    def question(self) -> bool:
        """Whether asking back is right."""
        return self.route == "question"


@dataclass(frozen=True, slots=True)
class Supported:
    """A sentence, the lines of a bundled world that it cites, and whether they say it."""

    world: str
    cites: tuple[str, ...]
    says: str
    supported: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer to what was said, a question about it, and whether yes is right."""

    question: str
    said: str
    answer: str
    yes: bool


def messages() -> tuple[Labelled, ...]:
    """The 500 labelled messages."""
    return tuple(Labelled(**row) for row in _rows("router_messages.jsonl"))


def phrases() -> tuple[Phrase, ...]:
    """The 500 phrases."""
    return tuple(_phrase(row) for row in _rows("phrases.jsonl"))


def supported() -> tuple[Supported, ...]:
    """The 90 sentences by which the check of citations is measured."""
    rows = _rows("support.jsonl")
    return tuple(Supported(row["world"], tuple(row["cites"]), row["says"], row["supported"]) for row in rows)


def judged() -> tuple[Judged, ...]:
    """The 74 answers by which judges are measured."""
    return tuple(Judged(**row) for row in _rows("judged.jsonl"))


def _phrase(row: dict[str, Any]) -> Phrase:
    action = row.get("action", "")
    route = "action" if action else "question" if row.get("question") else row["route"]
    return Phrase(row["message"], row["world"], tuple(row["setup"]), route, action)


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / name).read_text("utf-8").splitlines()]
