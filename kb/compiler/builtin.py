"""Owns what every world has before a page is read: the built-in kinds, their fields and the page keys.

The declarations start from these tables. It must not know pages.
"""

from __future__ import annotations

from typing import Final

from kb.rulebook import DIRECTIONS, Field
from kb.types import BOOL, INT, POINT, TEXT, TIME, Choice, ListOf, MapOf, Number, Ref, Type

THING: Final = Ref(("thing",))
PLACE: Final = Ref(("place",))
DIRECTION: Final = Choice(("", *DIRECTIONS))
ROLES: Final = ("player", "gm", "admin")
QUEST_STATUS: Final = Choice(("not-started", "active", "done", "failed"))

PARENTS: Final[dict[str, str | None]] = {
    "thing": None,
    "world": None,
    "quest": None,
    "player": "thing",
    "place": "thing",
    "item": "thing",
    "npc": "thing",
    "waypoint": "thing",
}

TEMPLATE_KEYS: Final = ("place", "item", "npc", "waypoint", "quest", "agent")
"""Front-matter keys of pages that instances are made from, besides those of declared kinds."""
PAGE_KEYS: Final = (
    "experience", "kind", *TEMPLATE_KEYS, "rule", "table", "workflow", "team", "persona", "scenario",
)  # fmt: skip
RESERVED: Final = frozenset(PARENTS) | frozenset(
    {
        "action",
        "agent",
        "event",
        "now",
        "player",
        "room",
        "true",
        "false",
        "null",
        "in",
        "nowhere",
        "any",
        "all",
    }
)
"""Ids that no page may have, because expressions or front matter use the word."""


def _field(name: str, type_: Type, meaning: str) -> Field:
    return Field(name, type_, type_.zero(), meaning)


_EVERY: Final = (
    _field("name", TEXT, "the page's heading"),
    _field("aliases", ListOf(TEXT), "other names that a player may use"),
)
_LOCATED: Final = _field("location", THING, "where it is: a place, or what holds it")

FIELDS: Final[dict[str, tuple[Field, ...]]] = {
    "thing": _EVERY,
    "world": (*_EVERY, _field("time", TIME, "the world's time")),
    "quest": _EVERY,
    "player": (
        _LOCATED,
        _field("point", POINT, "where the player is on Earth"),
        _field("role", Choice(ROLES), "what the player may do"),
        _field("score", INT, "points so far"),
        _field("turns", INT, "turns done"),
        _field("ended", TEXT, "how the game ended for the player; empty while it goes on"),
        _field("achievements", ListOf(TEXT), "reasons of the awards so far"),
        _field("quests", MapOf(QUEST_STATUS, Ref(("quest",))), "each quest's status"),
        _field("visited", ListOf(PLACE), "places that the player has been to"),
    ),
    "place": (
        _field("exits", MapOf(PLACE, TEXT), "the place in each direction"),
        _field("point", POINT, "where the place is on Earth"),
    ),
    "item": (
        _LOCATED,
        _field("plural", BOOL, "named in the plural: some coins"),
        _field("proper", BOOL, "named without an article"),
    ),
    "npc": (
        _LOCATED,
        _field("plural", BOOL, "named in the plural"),
        _field("proper", BOOL, "named without an article"),
    ),
    "waypoint": (
        _field("point", POINT, "where the waypoint is on Earth"),
        Field("radius", Number(), 50.0, "from how many metres it counts as reached"),
    ),
}

DERIVED: Final[dict[str, dict[str, Type]]] = {
    "thing": {"description": TEXT, "perceivable": BOOL, "contents": ListOf(THING), "room": PLACE},
    "quest": {"description": TEXT},
    "world": {"description": TEXT, "hour": INT, "minute": INT, "day": INT},
    "player": {"inventory": ListOf(THING)},
    "npc": {"inventory": ListOf(THING)},
}
"""Computed by the referee itself, unless the world derives a field of the same name."""

ALWAYS: Final[dict[str, Type]] = {"id": TEXT, "kind": TEXT}
"""Fields that every instance has and nothing can change."""
