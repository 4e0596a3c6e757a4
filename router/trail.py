"""Owns one message on its way: what is asked, and what its answer took so far. It must not know what decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from agents.access import Principal
from agents.models import Answer, ModelError, Purpose, ToolCall, Usage
from agents.worlds import World
from router.seams import Tell, Words
from storage.records import Json

Stage = Literal["rules", "kept", "cache", "label", "call", "fallback"]
"""What settled a message: the rules; an answer to the same key; one to the same question; a label; a model; rules after a model
failed."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A message. With a `handle` it is a player's in that game, else a question about `world`."""

    asker: Principal
    message: str
    handle: str
    world: World | None
    persona: str
    key: str
    options: dict[str, Any]
    """For `GameService.act`."""
    tell: Tell | None = None


@dataclass(slots=True)
class Trail:
    """What happened on the way."""

    stage: Stage = "rules"
    world: str = ""
    """The experience that it is about."""
    by: list[Json] = field(default_factory=list[Json])
    """Each call, as a turn records it, and what was refused of it."""
    calls: int = 0
    cost: float = 0.0
    routed: float | None = None
    """When the route was known, by the router's clock."""
    notes: list[str] = field(default_factory=list[str])

    def took(self, usages: Sequence[Usage], purpose: Purpose, failed: str = "") -> None:
        """Calls that were made."""
        for each in usages:
            self.calls += each.calls
            self.cost += each.cost
            told = {**each.recorded(purpose), "calls": each.calls}
            self.by.append(told | ({"failed": failed} if failed else {}))

    def recorded(self, by: Sequence[Json]) -> None:
        """Calls as a turn records them (`agents.filled.Filled.by`)."""
        for each in by:
            self.calls += int(each.get("calls", 1))
            self.cost += float(each.get("cost", 0.0))

    def heard(self, words: Words, purpose: Purpose) -> None:
        """What somebody else asked for an answer."""
        self.calls += words.model_calls
        self.cost += words.cost
        if words.model_calls:
            self.by.append({"purpose": purpose, "calls": words.model_calls, "cost": words.cost})

    def failed(self, error: ModelError, purpose: Purpose) -> None:
        self.took(error.usage, purpose, error.kind)
        if not error.usage:
            self.by.append({"purpose": purpose, "failed": error.kind})

    def answered(self, answer: Answer, purpose: Purpose) -> None:
        """A call that was answered; what it wanted beyond what was offered is refused."""
        self.took((answer.usage,), purpose)
        for call in answer.dropped:
            self.refused(call, "no such tool was offered")

    def refused(self, call: ToolCall, why: str) -> None:
        """For the trace: a model's wish that nobody granted. Its words are kept as data, and cut."""
        wish = {"tool": call.name[:80], "arguments": repr(call.arguments)[:500], "why": why}
        self.by.append({"purpose": "route", "refused": wish})
        self.notes.append(why)
