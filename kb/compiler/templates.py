"""Owns templates and the instances that exist from the start: their values, names and places.

`instances_of` tells the ids before anything is compiled; `compile_template` reads one page's values.
It must not know rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from kb.compiler.classify import Typed
from kb.compiler.kinds import earlier
from kb.compiler.scope import Scope
from kb.compiler.values import read_value
from kb.diagnostics import Diagnostic, Span, problem
from kb.expressions import compile_paragraph
from kb.pages.page import Entry
from kb.rulebook import DIRECTIONS, Seed, Template
from kb.suggest import suggest
from kb.types import Ref

_OWN_KEYS: dict[str, frozenset[str]] = {
    "quest": frozenset({"begin"}),
    "agent": frozenset({"may", "budget", "every", "at", "requires"}),
}
_KEYS = frozenset({"in", "count", "also", "aliases", "state", "derived", "was"})
MAX_COUNT = 1000


def seed_ids(typed: Typed) -> list[tuple[str, str]]:
    """(instance id, where its page says that it begins: an id, "player" or "") for each seed of a template page."""
    entries = typed.page.front.entries
    where = entries["in"].value if "in" in entries else ""
    places = [str(each) for each in cast("list[Any]", where)] if isinstance(where, list) else [str(where or "")]
    places = ["" if place == "nowhere" else place.strip("[]") for place in places]
    count = entries["count"].value if "count" in entries else 1
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= MAX_COUNT:
        count = 1
    spots = [place for place in places for _ in range(count)]
    if len(spots) == 1:
        return [(typed.id, spots[0])]
    return [(f"{typed.id}-{number}", place) for number, place in enumerate(spots, 1)]


def instances_of(typed: Iterable[tuple[Typed, str]]) -> dict[str, str]:
    """Instance id → kind for all template pages, given with their kinds."""
    found = {"world": "world"}
    for each, kind in typed:
        found |= {id: kind for id, _ in seed_ids(each)}
    return found


def compile_template(
    typed: Typed, kind: str, scope: Scope, *, libraries: bool = False
) -> tuple[Template, tuple[Seed, ...], list[Diagnostic]]:
    """The page's template and its seeds."""
    problems: list[Diagnostic] = []
    entries = typed.page.front.entries
    values: dict[str, Any] = {}
    for name in scope.fields(kind):
        if (stored := scope.stored(kind, name)) is not None and name != "location":
            values[name] = stored.start
    allowed = _KEYS | _OWN_KEYS.get(typed.key, frozenset())
    for key, entry in entries.items():
        if key == typed.key or key in allowed:
            continue
        name = key.replace("-", "_")
        stored = scope.stored(kind, name)
        if stored is None or name in {"location", "id", "kind"}:
            if name in scope.fields(kind):
                what = f"`{key}` of a {kind} is worked out, not set"
                hint = "Set the fields that it comes from, or derive it here: `derived: {…}`."
            else:
                what = f"A {kind} has no field `{key}`"
                known = [field for field in scope.fields(kind) if scope.stored(kind, field) is not None]
                hint = suggest(key, [*known, *allowed]) or f"Declare it in the State of `{kind}`."
            problems.append(problem("RB203", entry.key_span, what, hint))
        elif name == "exits":
            exits, more = _exits(entry, scope)
            values["exits"], problems = exits, problems + more
        else:
            value, more = read_value(entry.value, stored.type, entry.value_span, scope)
            problems += more
            if not more:
                values[name] = value
    aliases = tuple(
        str(alias)
        for key in ("also", "aliases")
        if key in entries
        for alias in (entries[key].value if isinstance(entries[key].value, list) else [entries[key].value])
    )
    name = typed.page.title or typed.id.replace("-", " ")
    values["aliases"] = aliases
    _name(values, name, kind, scope)
    self_scope = scope.with_locals({kind.replace("-", "_"): Ref((kind,)), root_name(kind, scope): Ref((kind,))})
    description, more = compile_paragraph(typed.page.description, self_scope)
    problems += more
    if description is None:
        description, _ = compile_paragraph((), self_scope)
    assert description is not None
    template = Template(typed.id, kind, values["name"], aliases, description, values, typed.span, earlier(typed))
    seeds = tuple(Seed(id, typed.id, place) for id, place in seed_ids(typed))
    problems += _check_seeds(typed, kind, scope)
    problems += _check_earlier(typed, scope)
    return template, seeds, problems


def root_name(kind: str, scope: Scope) -> str:
    """The local name of an instance in its own description: the built-in kind's (`item` for a lamp of its own kind)."""
    for root in ("item", "npc", "place", "waypoint", "quest"):
        if kind in scope.kinds_within(root):
            return root
    return kind.replace("-", "_")


def _name(values: dict[str, Any], title: str, kind: str, scope: Scope) -> None:
    """A heading as a name in a sentence: without its article; small at the start for things; a person's without an article."""
    first, _, rest = title.partition(" ")
    article = first in {"The", "A", "An"} and bool(rest)
    plain = rest if article else title
    if kind in scope.kinds_within("item") and not values.get("proper") and plain[1:] == plain[1:].lower():
        plain = plain[:1].lower() + plain[1:]
    if kind in scope.kinds_within("npc") and not article and plain[:1].isupper():
        values["proper"] = True
    values["name"] = values.get("name") or plain


def _exits(entry: Entry, scope: Scope) -> tuple[dict[str, str], list[Diagnostic]]:
    exits: dict[str, str] = {}
    problems: list[Diagnostic] = []
    if not isinstance(entry.value, dict):
        return {}, [problem("RB206", entry.value_span, "`exits` is not a map", "Write `exits: {north: hall}`.")]
    for direction, part in entry.parts.items():
        place = str(part.value)
        if direction not in DIRECTIONS:
            hint = suggest(direction, DIRECTIONS) or f"The directions are {', '.join(DIRECTIONS)}."
            problems.append(problem("RB604", part.key_span, f"`{direction}` is not a direction", hint))
        kind = scope.single(place)
        if kind is None or kind not in scope.kinds_within("place"):
            hint = suggest(place, scope.ids(("place",))) or "Name a place by its id."
            problems.append(problem("RB604", part.value_span, f"The exit leads nowhere: no place is `{place}`", hint))
        exits[direction] = place
    return exits, problems


def _check_earlier(typed: Typed, scope: Scope) -> list[Diagnostic]:
    """What is still a page's id is not an earlier one."""
    return [
        problem("RB110", entry.value_span, f"`{id}` is still the id of another page", "Name an id that is gone.")
        for entry in (typed.page.front.entries.get("was"),)
        if entry is not None
        for id in earlier(typed)
        if scope.template(id) is not None
    ]


def _check_seeds(typed: Typed, kind: str, scope: Scope) -> list[Diagnostic]:
    entries = typed.page.front.entries
    problems: list[Diagnostic] = []
    if "count" in entries:
        count = entries["count"]
        if not isinstance(count.value, int) or isinstance(count.value, bool) or not 0 <= count.value <= MAX_COUNT:
            problems.append(
                problem(
                    "RB206",
                    count.value_span,
                    f"`count` is not a number up to {MAX_COUNT}",
                    "Write `count: 5`.",
                )
            )
    if "in" not in entries:
        return problems
    entry = entries["in"]
    if scope.stored(kind, "location") is None:
        hint = "Only items, NPCs and agents are somewhere."
        return [*problems, problem("RB105", entry.key_span, f"A {kind} cannot be in a place", hint)]
    spots = [(item.value, item.span) for item in entry.items] if entry.items else [(entry.value, entry.value_span)]
    for value, span in spots:
        problems += _check_spot(str(value or "nowhere").strip("[]"), span, typed, scope)
    return problems


def _check_spot(place: str, span: Span, typed: Typed, scope: Scope) -> list[Diagnostic]:
    if place in {"nowhere", "player"}:
        return []
    kind = scope.single(place)
    if kind is None:
        if scope.template(place) is not None:
            hint = f"Name one of them: `{place}-1`."
            return [problem("RB605", span, f"There are several `{place}`", hint)]
        hint = suggest(place, scope.ids(("thing",))) or "Name a place, an item or an NPC by its id."
        return [problem("RB207", span, f"Nothing has the id `{place}`", hint)]
    if kind not in scope.kinds_within("thing"):
        return [problem("RB605", span, f"A {kind} cannot hold anything", "Name a place, an item or an NPC.")]
    if place in {id for id, _ in seed_ids(typed)}:
        return [problem("RB605", span, f"`{place}` cannot be in itself", "Name a place.")]
    return []
