"""Owns how a stored state is read again, under its own rulebook or any later one.

`load(shape, data)` reads a whole dump, `load_parts` the parts that differ from a fresh world. Fields and pages that are
gone are dropped with a note, new seeds appear. It must not know rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from kb.referee.players import given
from kb.referee.shape import TEMPLATE, Row, Shape
from kb.referee.state import FIRST_MADE, FORMAT, State, build, new_state
from kb.types import TypeMismatch


class NotAState(ValueError):
    """This is not a saved state."""


def load(shape: Shape, data: Mapping[str, Any]) -> tuple[State, list[str]]:
    """A dumped state under a rulebook, its own or a later one; notes tell what could not be carried over.

    Raises `NotAState`.
    """
    try:
        data = _of_format_1(shape, data) if data["format"] == 1 else data
        return _load(shape, data, data["instances"], whole=True)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise NotAState(f"this is not a saved state: {error!r}") from error


def load_parts(shape: Shape, head: Mapping[str, Any], parts: Mapping[str, Any]) -> tuple[State, list[str]]:
    """As `load`, from a head and parts; seeds without a part are as the rulebook has them. Raises `NotAState`."""
    try:
        return _load(shape, head, parts, whole=False)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise NotAState(f"this is not a stored state: {error!r}") from error


def _load(shape: Shape, head: Mapping[str, Any], parts: Mapping[str, Any], whole: bool) -> tuple[State, list[str]]:
    if head["format"] != FORMAT:
        raise NotAState(f"its format is {head['format']!r}, not {FORMAT}")
    notes: list[str] = []
    parts = _renamed(shape, parts)
    rows: dict[str, Row] = {}
    # What was a seed under an earlier version and is none now comes last: its number may be another seed's.
    in_order = sorted(parts, key=lambda id: (parts[id]["number"] < FIRST_MADE, parts[id]["number"], id))
    for id in in_order:
        template = parts[id]["template"]
        if template in shape.fresh:
            rows[id] = _row(shape, id, template, parts[id]["fields"], notes)
        else:
            notes.append(f"{id}: its page {template!r} is gone, and it with it")
    fresh = new_state(shape)
    book = _book(shape, head["book"], rows.get("world", fresh.rows["world"]))
    for id, row in fresh.rows.items():
        if id not in rows and id not in book["gone"]:
            rows[id] = row
            if whole:
                notes.append(f"{id}: new in this version")
    own = _own(shape, parts, rows, notes)
    _give(shape, rows, own, notes)
    _mend(shape, rows, fresh, notes)
    orders = {id: part["contents"] for id, part in parts.items() if "contents" in part}
    return build(shape, rows, _numbers(rows, parts, fresh), book, own, orders, fresh), notes


def _renamed(shape: Shape, parts: Mapping[str, Any]) -> dict[str, Any]:
    """The parts under the ids that they have now. What has such an id already stands before what had it once."""
    ids, found = shape.renames, dict(parts)
    if not ids.templates:
        return found
    for id in parts:
        new = ids.id(id)
        if new != id:
            found[new] = {**found.pop(id), **parts.get(new, {})}
    for id, part in found.items():
        changed = {name: [ids.id(each) for each in part[name]] for name in ("contents", "had") if name in part}
        found[id] = {**part, **changed, "template": ids.template(part["template"])}
    return found


def _numbers(rows: Mapping[str, Row], parts: Mapping[str, Any], fresh: State) -> dict[str, int]:
    """Seeds count as in a fresh world; all others keep their numbers, what is new follows."""
    numbers = {id: number for id, number in fresh.numbers.items() if id in rows}
    last = FIRST_MADE - 1
    for id in rows:
        if id not in numbers:
            given = int(parts[id]["number"]) if id in parts else 0
            last = numbers[id] = max(given, last + 1)
    return numbers


def _row(shape: Shape, id: str, template: str, fields: Mapping[str, Any], notes: list[str]) -> Row:
    row = {**shape.fresh[template], "id": id}
    kind = shape.rulebook.templates[template].kind if template in shape.rulebook.templates else template
    declared = shape.rulebook.kinds[kind].fields
    renamed = {was: name for name, each in declared.items() for was in each.was}
    for old, value in fields.items():
        name = old if old in declared else renamed.get(old, old)
        if name != old and name in fields:
            continue
        if name not in declared:
            notes.append(f"{id}.{old}: the field is gone")
            continue
        try:
            type_ = declared[name].type
            row[name] = type_.coerce(shape.renames.value(type_, value))
        except TypeMismatch as error:
            notes.append(f"{id}.{name}: {error}; it starts anew")
    return row


def _give(shape: Shape, rows: dict[str, Row], own: dict[str, dict[str, Any]], notes: list[str]) -> None:
    """What a later version gives to players from the start, for those who were there before."""
    players = [id for id, row in rows.items() if "player" in shape.isa[row[TEMPLATE]]]
    for player in players:
        mine = own.get(player, {})
        things = given(shape, player, player == players[0], mine.get("had", ()))
        if things:
            own[player] = {**mine, "had": sorted((*mine.get("had", ()), *things))}
        for row in things.values():
            if row["id"] not in rows:
                rows[row["id"]] = row
                notes.append(f"{row['id']}: new in this version")


def _mend(shape: Shape, rows: dict[str, Row], fresh: State, notes: list[str]) -> None:
    """What is in something that is gone goes to where it begins; what is inside itself, too."""
    start = shape.rulebook.settings.start
    for key, row in list(rows.items()):
        location = row.get("location")
        if not location or (location in rows and not _circular(rows, key)):
            continue
        begins = fresh.rows[key]["location"] if key in fresh.rows else start
        rows[key] = {**row, "location": begins if begins in rows else ""}
        notes.append(f"{key}: {location!r} is gone; it is back where it begins")


def _circular(rows: Mapping[str, Row], id: str) -> bool:
    seen = {id}
    holder = rows[id].get("location", "")
    while holder in rows:
        if holder in seen:
            return holder == id
        seen.add(holder)
        holder = rows[holder].get("location", "")
    return False


def _book(shape: Shape, book: Mapping[str, Any], world: Row) -> dict[str, Any]:
    """The world's bookkeeping without what is gone; timed rules that are new count from now."""
    rulebook = shape.rulebook
    timers: dict[str, str] = {id: at for id, at in book["timers"].items() if id in rulebook.timed}
    if rulebook.settings.clock is not None:
        now: str = world["time"].isoformat()
        timers = {id: timers.get(id) or now for id in rulebook.timed}
    due = sorted([at, made, event, _ids(shape, values), by] for at, made, event, values, by in book["due"])
    return {
        "made": int(book["made"]),
        "timers": timers,
        "due": due,
        "gone": [shape.renames.id(id) for id in book["gone"]],
    }


def _ids(shape: Shape, values: Mapping[str, Any]) -> dict[str, Any]:
    """An event's values; what is an earlier id is the one of now."""
    return {name: shape.renames.id(each) if isinstance(each, str) else each for name, each in values.items()}


def _own(
    shape: Shape, parts: Mapping[str, Any], rows: Mapping[str, Row], notes: list[str]
) -> dict[str, dict[str, Any]]:
    """The players' bookkeeping. A workflow that is gone ends; where its step is gone it begins again."""
    own: dict[str, dict[str, Any]] = {}
    for id, part in parts.items():
        if id not in rows:
            continue
        steps: dict[str, list[Any]] = {}
        for old, (slug, line, asked) in cast("Mapping[str, list[Any]]", part.get("steps", {})).items():
            flow = shape.rulebook.workflows.get(shape.renames.id(old))
            if flow is None or not flow.steps:
                notes.append(f"{id}: {old!r} is gone, and how far it was")
            elif all(each.slug != slug for each in flow.steps):
                steps[flow.id] = [flow.steps[0].slug, 0, False]
                notes.append(f"{id}: the step {slug!r} of {flow.id!r} is gone; it begins again")
            else:
                steps[flow.id] = [str(slug), int(line), bool(asked)]
        kept = {"steps": steps, "had": sorted(map(str, part.get("had", ())))}
        if any(kept.values()):
            own[id] = {name: value for name, value in kept.items() if value}
    return own


def _of_format_1(shape: Shape, data: Mapping[str, Any]) -> dict[str, Any]:
    """A dump of the first format, which kept numbers, orders of arrival and players' bookkeeping elsewhere."""
    saved, book = data["instances"], dict(data["book"])
    steps = book.pop("steps")
    instances = {
        id: {**saved[id], "number": FIRST_MADE + number, "steps": steps.get(id, {})}
        for number, id in enumerate(dict.fromkeys([*data["order"], *saved]))
    }
    for holder, ids in data["contents"].items():
        if holder in instances:
            instances[holder]["contents"] = ids
    players = [id for id, each in instances.items() if each["kind"] == "player"]
    known = {*instances, *book["gone"]}
    for player in players:
        instances[player]["had"] = [
            seed.id
            for seed in shape.given
            if f"{seed.id}@{player}" in known or (player == players[0] and seed.id in known)
        ]
    return {"format": FORMAT, "commit": data["commit"], "instances": instances, "book": book}
