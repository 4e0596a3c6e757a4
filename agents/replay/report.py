"""Owns what a replay found: counts, and the turns that differ, grouped by the rule and line that made them differ.

`Report` of each process; `merge` adds them up to the same whole in any order. It must not know how turns are replayed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from agents.replay.compare import Difference, Side
from agents.replay.recorded import Recorded

MAX_EXAMPLES = 3
"""How many turns of a group are kept with what differs in them."""

Key = tuple[str, str, str, str]


class Example(NamedTuple):
    """One turn that differs."""

    game: str
    number: int
    player: str
    text: str
    difference: Difference


@dataclass(slots=True)
class Group:
    """The turns that one rule and line made differ."""

    turns: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    """game → numbers, in order"""
    players: set[str] = field(default_factory=set[str])
    examples: list[Example] = field(default_factory=list[Example])
    """The first ones by game and number."""

    @property
    def count(self) -> int:
        return sum(map(len, self.turns.values()))

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.examples[0].difference.before, self.examples[0].difference.after

    def merge(self, other: Group) -> None:
        for game, numbers in other.turns.items():
            self.turns[game] = sorted([*self.turns.get(game, ()), *numbers])
        self.players |= other.players
        self.examples = sorted([*self.examples, *other.examples], key=lambda each: each[:2])[:MAX_EXAMPLES]


class Groups(dict[Key, Group]):
    """Groups by rule and line on both sides."""

    def add(self, turn: Recorded, found: Difference) -> None:
        """Takes in a turn of a game whose former turns were taken in before."""
        key = (found.before.rule, found.before.place, found.after.rule, found.after.place)
        group = self.setdefault(key, Group())
        group.turns.setdefault(turn.game, []).append(turn.number)
        group.players.add(turn.player)
        if len(group.examples) < MAX_EXAMPLES or (turn.game, turn.number) < group.examples[-1][:2]:
            group.examples.append(Example(turn.game, turn.number, turn.player, turn.text, found))
            group.examples = sorted(group.examples, key=lambda each: each[:2])[:MAX_EXAMPLES]

    def merge(self, other: Groups) -> None:
        for key, group in other.items():
            self.setdefault(key, Group()).merge(group)

    def ranked(self) -> list[Group]:
        """The groups with the most turns first."""
        return [self[key] for key in sorted(self, key=lambda key: (-self[key].count, key))]

    @property
    def count(self) -> int:
        return sum(group.count for group in self.values())

    @property
    def players(self) -> set[str]:
        return set[str]().union(*(group.players for group in self.values()))


@dataclass(slots=True)
class Report:
    """What became of all turns that were asked for. `turns` = `replayed` + those `skipped`."""

    against: str = ""
    """The commit that turns were compared with."""
    games: int = 0
    turns: int = 0
    replayed: int = 0
    players: set[str] = field(default_factory=set[str])
    changed: Groups = field(default_factory=Groups)
    """Turns that end differently under `against`."""
    unreproduced: Groups = field(default_factory=Groups)
    """Turns whose replay under their own commit is not what was recorded."""
    skipped: dict[str, int] = field(default_factory=dict[str, int])
    """Why turns could not be replayed → how many."""

    def skip(self, reason: str, turns: int = 1) -> None:
        self.turns += turns
        self.skipped[reason] = self.skipped.get(reason, 0) + turns

    def merge(self, other: Report) -> None:
        self.against = self.against or other.against
        self.games += other.games
        self.turns += other.turns
        self.replayed += other.replayed
        self.players |= other.players
        self.changed.merge(other.changed)
        self.unreproduced.merge(other.unreproduced)
        for reason, turns in other.skipped.items():
            self.skipped[reason] = self.skipped.get(reason, 0) + turns

    @property
    def status(self) -> int:
        """0 nothing differs, 1 something does, 2 nothing could be replayed though there are turns."""
        if self.changed or self.unreproduced:
            return 1
        return 2 if self.turns and not self.replayed else 0
