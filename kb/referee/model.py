"""Owns what goes into a turn and what comes out: actions, recorded inputs, messages, changes, trace, outcome.

Plain values. It must not know how a turn is resolved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from kb.diagnostics import Span
from kb.rulebook import Judgement

if TYPE_CHECKING:
    from kb.referee.state import State


@dataclass(frozen=True, slots=True)
class Action:
    """What someone does: the action type's id (`take <item>`) and a value for each role and argument."""

    type: str
    roles: Mapping[str, Any] = field(default_factory=dict[str, Any])
    text: str = ""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a turn depends on besides rules, state and action; recorded with it. `now` is UTC."""

    now: datetime
    seed: int = 0
    judged: Mapping[str, str] = field(default_factory=dict[str, str])
    """A model's answer to each judgement by its key (`otto.insulted`; see `Asked`); where there is none, its fallback holds."""


class Message(NamedTuple):
    """Text for one player, and the line that spoke it."""

    to: str
    text: str
    span: Span


class Change(NamedTuple):
    """A field that the turn changed. An instance that was made or removed has the field "" and its template's id."""

    id: str
    field: str
    before: Any
    after: Any


class Event(NamedTuple):
    """Something that was emitted, with its values; `player` is who acted then."""

    name: str
    values: Mapping[str, Any]
    player: str


class Asked(NamedTuple):
    """A judgement that the turn came to: what is asked, and what the agent knows then, by expression."""

    agent: str
    judgement: Judgement
    knows: Mapping[str, Any]
    budget: int
    """In how many calls a turn the agent may take part."""
    key: str
    """What `Inputs.judged` has the answer under: the judgement's name, with a player's id where it is about one who does not
    act in this turn (`otto.insulted player-2`)."""


class TraceLine(NamedTuple):
    """A line that took part: a condition and its value, a rule that was chosen, a row, an effect, an invariant, what a model
    judged or proposed."""

    kind: Literal["rule", "condition", "unless", "row", "effect", "invariant", "step", "judgement", "proposal"]
    span: Span
    text: str
    value: bool | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a turn did. Refused turns leave `state` as it was."""

    status: Literal["done", "refused"]
    state: State
    player: str
    messages: tuple[Message, ...]
    changes: tuple[Change, ...]
    events: tuple[Event, ...]
    trace: tuple[TraceLine, ...]
    rule: str | None
    """The rule that decided."""
    reason: str | None
    """Why it was refused: the condition's words, or the effect's line and what is wrong with it."""
    touched: frozenset[str] = frozenset()
    """Ids of all whose stored part may differ: instances, holders whose contents lie otherwise, players."""
    asked: tuple[Asked, ...] = ()
    """The judgements that it came to, answered or not; also where it was refused."""

    @property
    def text(self) -> str:
        """What the acting player reads."""
        return "\n".join(message.text for message in self.messages if message.to == self.player)

    @property
    def hash(self) -> str:
        """The state's hash after the turn."""
        return self.state.hash


class Refused(Exception):
    """The turn is refused: `args[0]` is what the player reads, `reason` what the trace says."""

    def __init__(self, text: str, reason: str | None = None, messages: tuple[Message, ...] = ()):
        super().__init__(text)
        self.text = text
        self.reason = reason or text
        self.messages = messages
