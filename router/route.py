"""Owns the route of one message: which tier settles it, and why.

Only the first tier exists: the rules understand the message, or search answers a question, or help is given; no model is
called. It must not know transports or storage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kb.search import Hit, SearchIndex

_QUESTION = (
    "who",
    "what",
    "where",
    "when",
    "why",
    "how",
    "which",
    "can i",
    "may i",
    "is there",
    "are there",
    "tell me about",
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What settles a message. `citations` are the sections that answer a question."""

    tier: Literal["rules"]
    route: Literal["action", "knowledge", "help"]
    reason: str
    citations: tuple[Hit, ...] = ()


def route(message: str, *, understood: bool, index: SearchIndex) -> Decision:
    """The route of a message that the rules did or did not understand."""
    if understood:
        return Decision("rules", "action", "the rules understand it")
    text = message.strip().casefold()
    if text.endswith("?") or text.startswith(_QUESTION):
        hits = tuple(index.search(message, 3))
        if hits:
            return Decision("rules", "knowledge", "it is a question, and pages answer it", hits)
    return Decision("rules", "help", "neither the rules nor the pages know it")
