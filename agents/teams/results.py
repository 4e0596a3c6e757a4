"""Owns what a team's run tells: its result, its steps, what it stands on, and its progress while it works.

`TeamResult.as_data()` is what clients get. It must not know graphs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from agents.citations import Citation
from storage.records import Json

Status = Literal["done", "waiting-approval", "stopped", "failed"]
"""`stopped`: a limit, or what came out is not right yet. `failed`: no model answered, and `text` says what can be said without."""


class TeamError(Exception):
    """A run cannot begin or go on: `args[0]` says why, `hint` what to do. Nothing was done."""

    def __init__(self, message: str, hint: str):
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Progress:
    """Something that a member of a run does: `begins`, `calls` (a model), `refused`, `waits`, or the name of a tool it used."""

    member: str
    step: str
    did: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TeamResult:
    """What a run came to, so far. `cost` is in US dollars; `trace` has a record for each finished step, oldest first:
    `part`, `round`, `member`, `about`, `text`, `answer`, `did` (tool, arguments, outcome, text), `calls`, `cost`, `note`."""

    run_id: str
    team: str
    status: Status
    text: str
    reason: str = ""
    steps: int = 0
    citations: tuple[Citation, ...] = ()
    branch: str = ""
    """The draft with what was proposed."""
    commit: str = ""
    model_calls: int = 0
    cost: float = 0.0
    waiting: Mapping[str, Any] | None = None
    """What a human is asked: `kind` (`approve` or `ask`), `member`, `tool`, `arguments`, `question`."""
    trace: Sequence[Json] = ()

    def as_data(self) -> dict[str, Any]:
        """For clients."""
        return {**asdict(self), "citations": [asdict(each) for each in self.citations]}


@dataclass(frozen=True, slots=True)
class Listed:
    """A team that can be asked in a world."""

    id: str
    name: str
    purpose: str
    members: tuple[str, ...]
    needs_game: bool
    """Whether it only works for somebody who is in a game."""
    needs_draft: bool
    """Whether it only works for somebody who may write a draft there."""
