"""Owns the route of one message: which tier settles it, and why.

Only the first tier exists: the rules understand the message, or search answers a question, or help is given; no model is
called. It must not know transports or storage.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from agents.game import Game
from kb.referee import Inputs
from kb.search import Hit, SearchIndex

_ASKS = re.compile(
    r"(who|what|where|when|why|how|which|whose|can|could|may|should|is|are|do|does|did|will|tell me)\b.*|.*\?",
    re.IGNORECASE | re.DOTALL,
)
# Words that every page and every question has say nothing about whether a page answers the question.
_EMPTY = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "about",
        "be",
        "can",
        "could",
        "did",
        "do",
        "does",
        "for",
        "from",
        "have",
        "how",
        "i",
        "in",
        "is",
        "it",
        "me",
        "may",
        "my",
        "of",
        "on",
        "or",
        "please",
        "should",
        "tell",
        "that",
        "the",
        "there",
        "this",
        "to",
        "was",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "whose",
        "why",
        "will",
        "with",
        "you",
    ]
)
MAX_CITATIONS = 3
MAX_FOUND = 30


@dataclass(frozen=True, slots=True)
class Decision:
    """What settles a message. `citations` are the sections that answer a question."""

    tier: Literal["rules"]
    route: Literal["action", "knowledge", "help"]
    reason: str
    citations: tuple[Hit, ...] = ()


def route(message: str, game: Game) -> Decision:
    """Where a message goes in a game; nothing is changed by asking."""
    session = game.world.session
    said = session.say(game.state, game.player, message, game.dialogue, Inputs(session.rulebook.settings.begins))
    if said.understood or said.question or said.outcomes:
        return Decision("rules", "action", "the rules understand it")
    if _ASKS.fullmatch(message.strip()):
        return knowledge(message, game.world.index)
    return _NOBODY


def knowledge(question: str, index: SearchIndex) -> Decision:
    """Where a question goes that is about no game in particular: to the pages, where these answer it."""
    words = [word for word in re.findall(r"[\w'’-]+", question.casefold()) if word not in _EMPTY]
    found = index.search(" ".join(words), MAX_FOUND) if words else []
    hits = tuple(hit for hit in found if hit.kind != "scenario")[
        :MAX_CITATIONS
    ]  # tests of a world give its solution away
    return Decision("rules", "knowledge", "it is a question, and pages answer it", hits) if hits else _NOBODY


_NOBODY = Decision("rules", "help", "neither the rules nor the pages know it")
