"""Owns what the router answers with: the text, the way it took, what it cost, and the lines that it stands on.

`Answered.as_data()` is what `rulebound ask --json`, the tool `ask` and WebSocket chat give. It must not know how it is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from agents.citations import Citation
from agents.game import Reply

Route = Literal["action", "direct", "knowledge", "team", "question", "help"]
"""`action`: a turn was played. `direct`: the model's own words (or an NPC's). `knowledge`: from pages. `team`: several agents
worked on it. `question`: it asks back. `help`: nobody knew."""
Tier = Literal["rules", "cache", "batch", "call"]
"""The dearest that was needed: no call; an answer kept from before, no call; a part of one call for many; a call."""


@dataclass(frozen=True, slots=True)
class Told:
    """A part of an answer as it comes. The last one has no text of its own and carries `answered`, whose text is what counts:
    where a model began to speak and then did something else, it differs from what was told meanwhile."""

    text: str = ""
    answered: Answered | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to one message. `model_calls` and `cost` (US dollars) count all that it led to, retries included."""

    text: str
    route: Route
    tier: Tier
    reason: str
    citations: tuple[Citation, ...] = ()
    model_calls: int = 0
    cost: float = 0.0
    turn: int | None = None
    """The turn that was played; None: nothing was done."""
    reply: Reply | None = None
    """That turn."""
    notes: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """For clients."""
        return {
            "text": self.text,
            "route": self.route,
            "tier": self.tier,
            "reason": self.reason,
            "citations": [
                {"path": each.path, "heading": each.heading, "line": each.line, "commit": each.commit}
                for each in self.citations
            ],
            "model_calls": self.model_calls,
            "cost": self.cost,
            "turn": self.turn,
        }
