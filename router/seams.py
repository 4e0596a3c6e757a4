"""Owns what the router asks of others: what comes of words where a world is free, words after a turn, answers from pages, work of several agents.

Each is optional: without it the router goes on with rules, pages and its own one call. It must not know who implements them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from agents.access import Principal
from agents.citations import Citation
from agents.filled import Filled
from agents.game import Game, Reply
from agents.models import Tool
from agents.worlds import World
from kb.session import Said

Tell = Callable[[str], None]
"""Hears an answer as it comes."""


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody else answered, with the lines that it stands on and what it took, failed calls included."""

    text: str
    citations: tuple[Citation, ...] = ()
    calls: int = 0
    cost: float = 0.0
    reason: str = ""


class Freeform(Protocol):
    """Proposes what comes of words that no rule understands, where an experience is free there (`agents.freeform.Freeform`)."""

    async def propose(
        self, game: Game, message: str, principal: str, *, before: Sequence[tuple[str, str]] = ()
    ) -> Filled | None:
        """None: the experience is not free. Nothing in it but calls: the model failed."""
        ...


class Voice(Protocol):
    """Speaks for the people of a world (`agents.npcs`); raises nothing, and says something in character without a model too.
    What it says is also told to `tell`, as it comes."""

    async def after(
        self, game: Game, said: Said, reply: Reply, message: str, asker: Principal, tell: Tell | None
    ) -> Words | None:
        """Words in place of a turn's own text; None: that text is right."""
        ...

    async def again(self, game: Game, reply: Reply) -> Words | None:
        """What stood in place of the text of a turn that was told before; None: that text was right, or it is forgotten."""
        ...

    def addressed(self, game: Game, message: str) -> str | None:
        """The id of whoever is there and is spoken to by name; None: nobody."""
        ...

    async def talk(self, game: Game, message: str, asker: Principal, key: str, tell: Tell | None) -> Words | None:
        """What is answered to words that no rule understands; None: they are said to nobody who is there."""
        ...


class Scholar(Protocol):
    """Answers from pages; raises nothing."""

    async def answers(self, question: str, world: World, asker: Principal) -> Words | None:
        """None: the pages do not tell."""
        ...

    async def quotes(self, question: str, world: World, asker: Principal) -> Words | None:
        """What pages say, word for word; no model is asked."""
        ...


class Teams(Protocol):
    """Runs flows in which several agents work."""

    async def flows(self, world: World, asker: Principal, handle: str) -> Sequence[Tool]:
        """Those that the asker may start; the name of each is one of its own, and `task` is its argument."""
        ...

    async def run(self, flow: str, task: str, world: World, asker: Principal, handle: str, key: str) -> Words:
        """What came of it. The same key does nothing twice. Raises nothing."""
        ...

    async def decided(self, message: str, asker: Principal) -> Words | None:
        """What comes of a human's word to a run that waits for it (`approve RUN`); None: the message is none. Raises nothing."""
        ...
