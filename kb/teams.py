"""Owns what a team's page says once it is compiled: members with their tools, how they work together, where they stop.

`Team` is immutable; `kb.compiler.teams` makes it and `agents.teams` runs it. It must not know models or graphs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from kb.diagnostics import Span

TOOLS: Final = ("search", "read", "look", "act", "propose", "check", "ask")
"""What members may be given: search and read pages, look at and act in a game, propose and check pages, ask the human."""
EFFECTS: Final = ("act", "propose")
"""The tools that change something, before which a human can be asked."""
FACTS: Final = ("pages", "scene", "template")
"""What a team gives with no model: sections that fit the task, what the player sees, the template of a page."""
EACH: Final = ("npc",)
"""Of what a member may work once for each that is in sight."""


@dataclass(frozen=True, slots=True)
class Member:
    """One who works in a team. `answers` are the words of which it gives one, where others go by its answer."""

    id: str
    name: str
    role: str
    tools: tuple[str, ...]
    answers: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Claim:
    """An exact condition: whether the last answer of `member` is `word`; without a member, whether what the team proposed
    checks. `holds` False: whether it is not so."""

    member: str
    word: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Together:
    """One member, or several at the same time. With `each`: the one member, once for each such thing in sight."""

    members: tuple[str, ...]
    each: str = ""


@dataclass(frozen=True, slots=True)
class Choose:
    """A member says which of the others works next, until it says that they are done."""

    chooser: str
    among: tuple[str, ...]
    times: int


@dataclass(frozen=True, slots=True)
class Again:
    """Back to a part of the work (its index) while a claim is so, at most so many times."""

    claim: Claim
    part: int
    times: int


Part: TypeAlias = Together | Choose | Again


@dataclass(frozen=True, slots=True)
class Team:
    """A team's page."""

    id: str
    name: str
    purpose: str
    """What it is for, in prose: also how a router knows when to call it."""
    members: tuple[Member, ...]
    work: tuple[Part, ...]
    stop: tuple[Claim, ...]
    """Any of them ends the work."""
    ask: frozenset[str]
    """Tools that need a human's yes."""
    without: tuple[str, ...]
    """What it gives with no model, of `FACTS`."""
    apology: str
    """What it says with no model."""
    steps: int
    deadline: float
    """Seconds of work, without the time in which a human was asked."""
    calls: int
    cost: float
    """US dollars."""
    span: Span

    def member(self, id: str) -> Member:
        return next(each for each in self.members if each.id == id)

    @property
    def tools(self) -> frozenset[str]:
        """Every tool that some member has."""
        return frozenset(tool for each in self.members for tool in each.tools)
