"""Owns what one NPC remembers of talk with one player: lines, facts, promises, summaries, each with the turn it comes from.

`remember(memory, line, told)` and the like give a new `Memory`; everything is capped and overwritten by key. Pure values. It must
not know where they are kept, nor what is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from storage.records import Json

RECENT = 20
"""Lines that are always there."""
MAX_LINES = 100
"""Of older lines the most important ones stay, up to so many in all."""
MAX_FACTS = 24
MAX_PROMISES = 12
MAX_EPISODES = 12
MAX_BEFORE = 3
"""Earlier values of a fact."""
MAX_TEXT = 300
"""Characters of what one side said."""
MAX_VALUE = 80
MAX_SUMMARY = 400
PAUSE = 600.0
"""Seconds of silence after which a talk is over."""


@dataclass(frozen=True, slots=True)
class Line:
    """One exchange. The same key again is the same exchange."""

    key: str
    turn: int
    """The version of the game that it was said at."""
    at: float
    """Seconds since 1970."""
    who: str
    """The name of who said it."""
    said: str
    answer: str = ""
    """What the NPC said to it; "" of something overheard."""
    weight: int = 1
    """How important it is, 1 to 10."""
    by: str = ""
    """Of what was overheard: the player's id."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that the player told of themselves; `before` are earlier values with their turns, the last one first."""

    value: str
    turn: int
    before: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Promise:
    text: str
    turn: int


@dataclass(frozen=True, slots=True)
class Episode:
    """A talk that is over, in a few words: turns `first` to `last`."""

    first: int
    last: int
    text: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Told:
    """Something in a player's words that is worth a place of its own. An empty value takes it back."""

    kind: Literal["fact", "promise"]
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Memory:
    """All that is remembered. `talks` counts exchanges; lines up to turn `closed` belong to episodes."""

    lines: tuple[Line, ...] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict[str, Fact])
    promises: tuple[Promise, ...] = ()
    episodes: tuple[Episode, ...] = ()
    talks: int = 0
    closed: int = -1

    def line(self, key: str) -> Line | None:
        """The exchange with this key."""
        return next((each for each in reversed(self.lines) if each.key == key), None)

    @property
    def recent(self) -> tuple[Line, ...]:
        return self.lines[-RECENT:]

    @property
    def older(self) -> tuple[Line, ...]:
        return self.lines[:-RECENT]

    @property
    def open(self) -> tuple[Line, ...]:
        """The lines of the talk that is going on."""
        return tuple(each for each in self.lines if each.turn > self.closed)

    def fact(self, key: str) -> str:
        """The value, or ""."""
        return self.facts[key].value if key in self.facts else ""

    def dump(self) -> Json:
        """As JSON. Words stand under the names by which an erasure finds them (see `storage.postgres.privacy`)."""
        return {
            "lines": [
                {"key": e.key, "turn": e.turn, "at": e.at, "name": e.who, "what": e.said, "text": e.answer, "weight": e.weight}
                | ({"by": e.by} if e.by else {})
                for e in self.lines
            ],
            "facts": {k: {"text": f.value, "turn": f.turn, "before": [list(b) for b in f.before]} for k, f in self.facts.items()},
            "promises": [asdict(each) for each in self.promises],
            "episodes": [asdict(each) for each in self.episodes],
            "talks": self.talks,
            "closed": self.closed,
        }  # fmt: skip

    @staticmethod
    def load(data: Json) -> Memory:
        """What `dump` wrote."""
        return Memory(
            tuple(
                Line(e["key"], e["turn"], e["at"], e["name"], e["what"], e["text"], e["weight"], e.get("by", ""))
                for e in data.get("lines", ())
            ),
            {
                key: Fact(each["text"], each["turn"], tuple((value, turn) for value, turn in each["before"]))
                for key, each in data.get("facts", {}).items()
            },
            tuple(Promise(**each) for each in data.get("promises", ())),
            tuple(Episode(**each) for each in data.get("episodes", ())),
            data.get("talks", 0),
            data.get("closed", -1),
        )


def remember(memory: Memory, line: Line, told: Iterable[Told] = ()) -> Memory:
    """With an exchange and what was told in it; as it is where the exchange is known."""
    if memory.line(line.key) is not None:
        return memory
    told = tuple(told)
    weight = min(10, line.weight + sum(5 if each.kind == "promise" else 4 for each in told))
    line = replace(line, said=line.said[:MAX_TEXT], answer=line.answer[:MAX_TEXT], weight=weight)
    lines = tuple(sorted((*memory.lines, line), key=lambda each: (each.turn, each.at)))
    memory = replace(memory, lines=_capped(lines), talks=memory.talks + 1)
    for each in told:
        memory = _told(memory, each, line.turn)
    return memory


def close(memory: Memory, text: str, upto: int, told: Iterable[Told] = ()) -> Memory:
    """The open lines up to a turn become an episode. Of too many episodes the least important, oldest one goes."""
    over = [each for each in memory.open if each.turn <= upto]
    if not over:
        return memory
    episodes = memory.episodes
    if text:
        weight = max(each.weight for each in over)
        episodes = (*episodes, Episode(over[0].turn, over[-1].turn, text[:MAX_SUMMARY], weight))
    while len(episodes) > MAX_EPISODES:
        least = min(episodes[:-1], key=lambda each: (each.weight, each.last))
        episodes = tuple(each for each in episodes if each is not least)
    memory = replace(memory, episodes=episodes, closed=over[-1].turn)
    for each in told:
        memory = _told(memory, each, over[-1].turn)
    return memory


def forget(memory: Memory, after: int) -> Memory:
    """As it was at a version of the game: what was undone was not said."""
    facts: dict[str, Fact] = {}
    for key, fact in memory.facts.items():
        history = [each for each in ((fact.value, fact.turn), *fact.before) if each[1] <= after]
        if history:
            facts[key] = Fact(*history[0], tuple(history[1:]))
    lines = tuple(each for each in memory.lines if each.turn <= after)
    return replace(
        memory,
        lines=lines,
        facts=facts,
        promises=tuple(each for each in memory.promises if each.turn <= after),
        episodes=tuple(each for each in memory.episodes if each.last <= after),
        talks=max(0, memory.talks - (len(memory.lines) - len(lines))),
        closed=min(memory.closed, after),
    )


def _told(memory: Memory, told: Told, turn: int) -> Memory:
    value = " ".join(told.value.split())[:MAX_VALUE]
    if told.kind == "promise":
        rest = tuple(each for each in memory.promises if each.text.casefold() != told.key.casefold())
        promises = (*rest, Promise(value, turn))[-MAX_PROMISES:] if value else rest
        return replace(memory, promises=promises)
    known = memory.facts.get(told.key)
    if known is not None and known.value == value:
        return memory
    facts = {key: fact for key, fact in memory.facts.items() if key != told.key}
    if value:
        before = ((known.value, known.turn), *known.before)[:MAX_BEFORE] if known else ()
        facts[told.key] = Fact(value, turn, before)
    while len(facts) > MAX_FACTS:
        # In order of telling; a name and a home outlive likings.
        plain = [key for key in facts if ":" in key]
        del facts[next(iter(plain or facts))]
    return replace(memory, facts=facts)


def _capped(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    if len(lines) <= MAX_LINES:
        return lines
    least = min(lines[:-RECENT], key=lambda each: (each.weight, each.turn))
    return tuple(each for each in lines if each is not least)
