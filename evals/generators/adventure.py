"""Owns what the bundled adventure library's pages promise, in plain Python: which commands can be done in a small world, and their effects.

`Model(plan)` plays a `Plan`; `why_not(command)` says why a command must be refused. It is a second telling of the pages, written from
their prose: it must not use the compiler, the referee or a rulebook.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Verb = Literal["go", "take", "drop", "open", "unlock", "put on", "put in", "switch on"]
YOU = "player"
OPPOSITE = {"north": "south", "south": "north", "east": "west", "west": "east"}


@dataclass(frozen=True, slots=True)
class Command:
    """What is done: a verb, what with (an id or a direction), and a second thing where there is one."""

    verb: Verb
    what: str
    to: str = ""

    def __str__(self) -> str:
        """As a player types it."""
        what, to = f"the {named(self.what)}", f"the {named(self.to)}"
        match self.verb:
            case "go":
                return f"go {self.what}"
            case "unlock":
                return f"unlock {what} with {to}"
            case "put on":
                return f"put {what} on {to}"
            case "put in":
                return f"put {what} in {to}"
            case _:
                return f"{self.verb} {what}"


def named(id: str) -> str:
    """A thing's name in small letters."""
    return id.replace("-", " ")


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing and how it begins. `at` is a place, or a box that it lies in; a door stands between `at` and `beyond`."""

    id: str
    at: str
    sort: Literal["loose", "lamp", "box", "altar", "scenery", "door"] = "loose"
    key: str = ""
    """What locks it; it begins locked then."""
    beyond: str = ""

    @property
    def opens(self) -> bool:
        return self.sort in ("box", "door")


@dataclass(frozen=True)
class Plan:
    """A world: exits by place and direction, doors by the same, things, where one begins, and what is put where in the end."""

    exits: dict[str, dict[str, str]]
    doors: dict[str, dict[str, str]]
    dark: frozenset[str]
    things: dict[str, Thing]
    start: str
    treasure: str
    altar: str


@dataclass
class Model:
    """A world as it stands."""

    plan: Plan
    at: str = ""
    where: dict[str, str] = field(default_factory=dict[str, str])
    open: set[str] = field(default_factory=set[str])
    locked: set[str] = field(default_factory=set[str])
    shines: bool = False

    def __post_init__(self) -> None:
        self.at = self.plan.start
        self.where = {id: each.at for id, each in self.plan.things.items()}
        self.locked = {id for id, each in self.plan.things.items() if each.key}

    def held(self, id: str) -> bool:
        return self.where[id] == YOU

    @property
    def light(self) -> bool:
        """Whether one can see where one is."""
        lamp = next((id for id, each in self.plan.things.items() if each.sort == "lamp"), "")
        return self.at not in self.plan.dark or (bool(lamp) and self.shines and self.where[lamp] in (YOU, self.at))

    def reached(self, id: str) -> bool:
        """Whether it can be named: it is carried, or it is here, in the light, and in nothing that is closed."""
        thing, place = self.plan.things[id], self.where[id]
        if place == YOU:
            return True
        if place in self.plan.things:
            return (place in self.open or self.plan.things[place].sort == "altar") and self.reached(place)
        return self.light and (place == self.at or (thing.sort == "door" and thing.beyond == self.at))

    def why_not(self, command: Command) -> str:
        """Why it must be refused, as a kind of mistake; empty: it can be done."""
        things, what, to = self.plan.things, command.what, command.to
        if command.verb == "go":
            if what not in self.plan.exits[self.at]:
                return "no way there"
            door = self.plan.doors.get(self.at, {}).get(what)
            return "door is closed" if door is not None and door not in self.open else ""
        if not self.reached(what):
            return "out of reach"
        if to and not self.reached(to):
            return "second thing out of reach"
        sort, held = things[what].sort, self.held(what)
        match command.verb:
            case "take":
                return "held already" if held else "fixed" if sort in ("altar", "scenery", "door", "box") else ""
            case "open":
                if not things[what].opens:
                    return "cannot be opened"
                return "open already" if what in self.open else "locked" if what in self.locked else ""
            case "unlock":
                if not things[what].key:
                    return "has no lock"
                if not self.held(to):
                    return "key is not held"
                return "not locked" if what not in self.locked else "wrong key" if things[what].key != to else ""
            case "put on":
                return "not held" if not held else "nothing stands on it" if things[to].sort != "altar" else ""
            case "put in":
                if not held:
                    return "not held"
                return "nothing goes in it" if things[to].sort != "box" else "closed" if to not in self.open else ""
            case "switch on":
                return "no switch" if sort != "lamp" else "on already" if self.shines else ""
            case _:
                return "" if held else "not held"

    def do(self, command: Command) -> None:
        """Does what can be done."""
        assert not self.why_not(command), f"{command}: {self.why_not(command)}"
        what = command.what
        match command.verb:
            case "go":
                self.at = self.plan.exits[self.at][what]
            case "take":
                self.where[what] = YOU
            case "drop":
                self.where[what] = self.at
            case "open":
                self.open.add(what)
            case "unlock":
                self.locked.discard(what)
            case "put on" | "put in":
                self.where[what] = command.to
            case "switch on":
                self.shines = True
