"""Owns what the router asks of others: judgements before a turn, words after it, answers from pages, work of several agents.

Each is optional: without it the router goes on with rules, pages and its own one call. It must not know who implements them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from agents.access import Principal
from agents.filled import Filled
from agents.game import Game, Reply
from agents.models import Tool
from agents.worlds import World
from kb.referee import Asked
from kb.session import Said
from router.answer import Citation, Tier

Tell = Callable[[str], None]
"""Hears an answer as it comes."""


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody else answered, with the lines that it stands on and what it took, failed calls included."""

    text: str
    citations: tuple[Citation, ...] = ()
    model_calls: int = 0
    cost: float = 0.0
    """US dollars."""
    tier: Tier = "rules"
    reason: str = ""


class Judge(Protocol):
    """Asks a model the judgements that a turn comes to; raises nothing (`agents.judging.Judging`)."""

    async def judged(
        self, comes_to: Callable[[Filled], Awaitable[Sequence[Asked]]], filled: Filled, words: str, principal: str
    ) -> Filled: ...


class Freeform(Protocol):
    """Proposes what comes of words that no rule understands, where an experience allows that (`agents.freeform.Freeform`)."""

    async def propose(
        self, game: Game, message: str, principal: str, *, before: Sequence[tuple[str, str]] = ()
    ) -> Filled | None: ...


class Voice(Protocol):
    """Speaks for the people of a world; raises nothing. What is said is also told to `tell`, as it comes."""

    async def after(
        self, game: Game, said: Said, reply: Reply, line: str, asker: Principal, tell: Tell | None
    ) -> Words | None:
        """Words in place of a turn's own text; None: that text is right."""
        ...

    async def to(self, game: Game, line: str, asker: Principal, key: str, tell: Tell | None) -> Words | None:
        """What somebody says whom a line is said to by name, and no rule understands it; None: it is said to nobody."""
        ...


class Scholar(Protocol):
    """Answers from pages; raises nothing."""

    async def answers(self, question: str, world: World, asker: Principal) -> Words | None:
        """None: the pages do not tell."""
        ...


class Teams(Protocol):
    """Runs flows in which several agents work."""

    def flows(self, world: World, asker: Principal, handle: str) -> Sequence[Tool]:
        """Those that the asker may start; the name of each is one of its own, and `task` is its argument."""
        ...

    async def run(self, flow: str, task: str, world: World, asker: Principal, handle: str, key: str) -> Words:
        """What came of it. The same key does nothing twice. Raises nothing."""
        ...
