"""Owns how a dumped state is read again, under its own rulebook or any later one.

`load(shape, data)`: fields and pages that are gone are dropped with a note, new seeds appear. It must not know rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from kb.referee.shape import TEMPLATE, Row, Shape
from kb.referee.state import FORMAT, State, build, carried, new_state
from kb.rulebook import Rulebook
from kb.types import TypeMismatch


class NotAState(ValueError):
    """This is not a saved state."""


def load(shape: Shape, data: Mapping[str, Any]) -> tuple[State, list[str]]:
    """A dumped state under a rulebook, its own or a later one; notes tell what could not be carried over.

    Raises `NotAState`.
    """
    try:
        return _load(shape, data)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise NotAState(f"this is not a saved state: {error!r}") from error


def _load(shape: Shape, data: Mapping[str, Any]) -> tuple[State, list[str]]:
    if data["format"] != FORMAT:
        raise NotAState(f"its format is {data['format']!r}, not {FORMAT}")
    notes: list[str] = []
    saved: Mapping[str, Any] = data["instances"]
    rows: dict[str, Row] = {}
    for key in dict.fromkeys([*data["order"], *saved]):
        template = saved[key]["template"]
        if template in shape.fresh:
            rows[key] = _row(shape, key, template, saved[key]["fields"], notes)
        else:
            notes.append(f"{key}: its page {template!r} is gone, and it with it")
    book = {**data["book"]}
    gone = set(book["gone"])
    fresh = new_state(shape)
    players = [key for key, row in rows.items() if "player" in shape.isa[row[TEMPLATE]]]
    seeds = [row for number, player in enumerate(players) for row in carried(shape, player, number == 0)]
    for row in (*fresh.rows.values(), *seeds):
        if row["id"] not in rows and row["id"] not in gone:
            rows[row["id"]] = row
            notes.append(f"{row['id']}: new in this version")
    _mend(shape, rows, fresh, notes)
    return build(shape, rows.values(), _book(shape.rulebook, book, rows), data["contents"]), notes


def _row(shape: Shape, id: str, template: str, fields: Mapping[str, Any], notes: list[str]) -> Row:
    row = {**shape.fresh[template], "id": id}
    kind = shape.rulebook.templates[template].kind if template in shape.rulebook.templates else template
    declared = shape.rulebook.kinds[kind].fields
    renamed = {each.was: name for name, each in declared.items() if each.was}
    for old, value in fields.items():
        name = old if old in declared else renamed.get(old, old)
        if name not in declared:
            notes.append(f"{id}.{old}: the field is gone")
            continue
        try:
            row[name] = declared[name].type.coerce(value)
        except TypeMismatch as error:
            notes.append(f"{id}.{name}: {error}; it starts anew")
    return row


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


def _book(rulebook: Rulebook, book: dict[str, Any], rows: Mapping[str, Row]) -> dict[str, Any]:
    """The bookkeeping without what is gone; timed rules that are new count from now."""
    timers: dict[str, str] = {id: at for id, at in book["timers"].items() if id in rulebook.timed}
    if rulebook.settings.clock is not None:
        now: str = rows["world"]["time"].isoformat()
        timers = {id: timers.get(id) or now for id in rulebook.timed}
    steps: dict[str, Any] = {}
    for player, flows in cast("dict[str, dict[str, list[Any]]]", book["steps"]).items():
        kept = {flow: [str(at[0]), int(at[1]), bool(at[2])] for flow, at in flows.items() if flow in rulebook.workflows}
        if kept and player in rows:
            steps[player] = kept
    return {
        "made": int(book["made"]),
        "timers": timers,
        "due": sorted(list(entry) for entry in book["due"]),
        "steps": steps,
        "gone": list(book["gone"]),
    }
