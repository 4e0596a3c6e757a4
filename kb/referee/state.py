"""Owns the state of a game: every instance's row, what is due, where workflows stand, and its hash.

A `State` is never changed; a turn makes the next one and shares what stayed. `dump()` holds only what differs from the
templates. It must not know rules.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from kb.rulebook import Kind, Rulebook
from kb.types import ListOf, MapOf, Record, Type, TypeMismatch

Row = Mapping[str, Any]
_HIDDEN = frozenset({"id", "kind", "template"})
_MASK = (1 << 128) - 1


def _plain(value: Any) -> Any:
    """JSON of what json itself does not know."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError(f"{value!r} is not a state's value")


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_plain, ensure_ascii=True).encode


def digest(id: str, value: Any) -> int:
    """A 128-bit number for one part of the state; the parts' sum is the state's hash."""
    return int.from_bytes(blake2b(f"{id}\0{_encode(value)}".encode(), digest_size=16).digest(), "big")


@dataclass(frozen=True, slots=True)
class Shape:
    """What the rulebook says of rows: per kind the types, per template (or kind) the complete fresh row."""

    rulebook: Rulebook
    fresh: Mapping[str, Row]
    within: Mapping[str, frozenset[str]]
    zeros: Mapping[str, Any]
    """field → zero, for things that lack it"""
    indexed: frozenset[str]

    @staticmethod
    def of(rulebook: Rulebook) -> Shape:
        """The shape of a rulebook's states."""
        fresh: dict[str, Row] = {kind.id: _kind_row(kind) for kind in rulebook.kinds.values()}
        zeros: dict[str, Any] = {}
        for kind in rulebook.kinds.values():
            for name, field in kind.fields.items():
                zeros.setdefault(name, field.type.zero())
            for name, derived in kind.derived.items():
                zeros.setdefault(name, derived.expr.type.zero())
        for template in rulebook.templates.values():
            row = {**_kind_row(rulebook.kinds[template.kind]), **template.values}
            fresh[template.id] = {**row, "kind": template.kind, "template": template.id}
        within: dict[str, set[str]] = {kind: {kind} for kind in rulebook.kinds}
        for kind in rulebook.kinds:
            above = rulebook.kinds[kind].parent
            for _ in range(20):
                if above is None or above not in within:
                    break
                within[above].add(kind)
                above = rulebook.kinds[above].parent
        searched = {field for _, field in rulebook.indexed}
        for kind in rulebook.kinds.values():
            searched -= {name for name, field in kind.fields.items() if isinstance(field.type, MapOf | Record | ListOf)}
        indexed = frozenset({"location", *searched})
        return Shape(rulebook, fresh, {kind: frozenset(ids) for kind, ids in within.items()}, zeros, indexed)

    def type(self, kind: str, field: str) -> Type | None:
        declared = self.rulebook.kinds.get(kind)
        found = declared.fields.get(field) if declared else None
        return found.type if found else None

    def diff(self, row: Row) -> dict[str, Any]:
        """The fields in which a row differs from its template."""
        base = self.fresh[row["template"]]
        return {
            name: value
            for name, value in row.items()
            if name not in _HIDDEN and (base.get(name) is not value and base.get(name) != value)
        }


def _kind_row(kind: Kind) -> dict[str, Any]:
    row = {name: field.start for name, field in kind.fields.items()}
    return {"id": "", "kind": kind.id, "template": kind.id, **row}


Index = dict[str, dict[Any, tuple[str, ...]]]
Book = Mapping[str, Any]
EMPTY_BOOK: Book = {"made": 0, "timers": {}, "due": [], "steps": {}, "gone": []}


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """All that a game has, at one moment."""

    shape: Shape
    rows: dict[str, Row]
    digests: dict[str, int]
    total: int
    index: Index
    book: Book
    """Bookkeeping (JSON): `made` count of created instances, `timers` last firing per timed rule, `due` scheduled events,
    `steps` positions in workflows per player, `gone` ids of removed seeds."""
    by_kind: dict[str, tuple[str, ...]]
    """A cache: instances by exact kind, in order of creation."""

    @property
    def rulebook(self) -> Rulebook:
        return self.shape.rulebook

    @property
    def hash(self) -> str:
        """Equal for equal states, in any process and after any way there; 32 hexadecimal digits."""
        return f"{(self.total + digest('', self.book)) & _MASK:032x}"

    @property
    def players(self) -> tuple[str, ...]:
        return self.every("player")

    def every(self, kind: str) -> tuple[str, ...]:
        """Ids of all instances of a kind and its sub-kinds, in order of creation."""
        kinds = self.shape.within.get(kind, frozenset((kind,)))
        if len(kinds) == 1:
            return self.by_kind.get(kind, ())
        return tuple(id for id, row in self.rows.items() if row["kind"] in kinds)

    def dump(self) -> dict[str, Any]:
        """The state as JSON: per instance its template and what differs."""
        return json.loads(
            _encode(
                {
                    "commit": self.rulebook.commit,
                    "instances": {
                        id: {"template": row["template"], "kind": row["kind"], "fields": self._dumped(row)}
                        for id, row in self.rows.items()
                    },
                    "order": list(self.rows),
                    "book": self.book,
                }
            )
        )

    def _dumped(self, row: Row) -> dict[str, Any]:
        types = self.rulebook.kinds[row["kind"]].fields
        return {name: types[name].type.dump(value) for name, value in self.shape.diff(row).items() if name in types}


def build(shape: Shape, rows: dict[str, Row], book: Book) -> State:
    """A state from complete rows."""
    digests = {id: digest(id, [row["template"], shape.diff(row)]) for id, row in rows.items()}
    index: Index = {name: {} for name in shape.indexed}
    for name, values in index.items():
        found: dict[Any, list[str]] = {}
        for id, row in rows.items():
            if name in row:
                found.setdefault(row[name], []).append(id)
        values.update({value: tuple(ids) for value, ids in found.items()})
    return State(shape, rows, digests, sum(digests.values()) & _MASK, index, book, kinds_of(rows))


def kinds_of(rows: Mapping[str, Row]) -> dict[str, tuple[str, ...]]:
    """Instances by exact kind."""
    found: dict[str, list[str]] = {}
    for id, row in rows.items():
        found.setdefault(row["kind"], []).append(id)
    return {kind: tuple(ids) for kind, ids in found.items()}


def new_state(shape: Shape) -> State:
    """The world at its start, without players."""
    rulebook = shape.rulebook
    world = {**shape.fresh["world"], "id": "world", "name": rulebook.settings.name}
    if "time" in world:
        world["time"] = rulebook.settings.begins
    rows: dict[str, Row] = {"world": world}
    for seed in rulebook.seeds:
        if seed.location == "player":
            continue
        rows[seed.id] = _seeded(shape, seed.id, seed.template, seed.location, seed.fields)
    return build(shape, rows, EMPTY_BOOK)


def _seeded(shape: Shape, id: str, template: str, location: str, fields: Mapping[str, Any]) -> Row:
    row = {**shape.fresh[template], **fields, "id": id}
    if "location" in row:
        row["location"] = location
    return row


def join(state: State, player: str, name: str, role: str) -> State:
    """The state with a new player at the start, and what every new player carries."""
    shape, rulebook = state.shape, state.rulebook
    begun = {flow.id: "active" for flow in rulebook.workflows.values() if flow.quest and flow.begin}
    row: dict[str, Any] = {**shape.fresh["player"], "id": player, "name": name, "role": role}
    row["location"] = rulebook.settings.start
    row["quests"] = begun
    row["visited"] = (rulebook.settings.start,) if rulebook.settings.start else ()
    rows = {**state.rows, player: row}
    first = not state.players
    for seed in rulebook.seeds:
        if seed.location == "player":
            id = seed.id if first else f"{seed.id}@{player}"
            rows[id] = _seeded(shape, id, seed.template, player, seed.fields)
    started = {
        flow.id: [flow.steps[0].slug, 0, False] for flow in rulebook.workflows.values() if flow.begin and flow.steps
    }
    book = {**state.book, "steps": {**state.book["steps"], **({player: started} if started else {})}}
    return build(shape, rows, book)


def load_state(shape: Shape, data: Mapping[str, Any]) -> tuple[State, list[str]]:
    """A dumped state under a rulebook, its own or a later one; notes tell what could not be carried over."""
    rulebook = shape.rulebook
    notes: list[str] = []
    rows: dict[str, Row] = {}
    order: Sequence[str] = data.get("order") or list(data["instances"])
    instances: Mapping[str, Any] = data["instances"]
    for id in order:
        saved = instances.get(id)
        if saved is None:
            continue
        template: str = saved["template"]
        if template not in shape.fresh:
            notes.append(f"{id}: its page {template!r} is gone, and it with it")
            continue
        row = {**shape.fresh[template], "id": id}
        kind = rulebook.kinds[row["kind"]]
        renamed: dict[str, str] = {field.was: name for name, field in kind.fields.items() if field.was}
        fields: dict[str, Any] = saved["fields"]
        for saved_name, value in fields.items():
            name = renamed.get(saved_name, saved_name)
            field = kind.fields.get(name)
            if field is None:
                notes.append(f"{id}.{name}: the field is gone")
                continue
            try:
                row[name] = field.type.coerce(value)
            except TypeMismatch as error:
                notes.append(f"{id}.{name}: {error}; it is {field.start!r} again")
        rows[id] = row
    book = {**EMPTY_BOOK, **data.get("book", {})}
    for seed in rulebook.seeds:
        if seed.location != "player" and seed.id not in rows and seed.id not in book["gone"]:
            rows[seed.id] = _seeded(shape, seed.id, seed.template, seed.location, seed.fields)
            notes.append(f"{seed.id}: new in this version")
    if "world" not in rows:
        rows = {"world": new_state(shape).rows["world"], **rows}
    notes += _mend(shape, rows)
    steps = {
        player: {flow: where for flow, where in flows.items() if flow in rulebook.workflows}
        for player, flows in book["steps"].items()
    }
    return build(shape, rows, {**book, "steps": steps}), notes


def _mend(shape: Shape, rows: dict[str, Row]) -> list[str]:
    """References to what is gone: things and players whose place is gone go to the start."""
    notes: list[str] = []
    start = shape.rulebook.settings.start
    for id, row in list(rows.items()):
        location = row.get("location")
        if location and location not in rows:
            rows[id] = {**row, "location": start}
            notes.append(f"{id}: {location!r} is gone; it is at {start!r}")
    return notes


def migrated(state: State, shape: Shape) -> tuple[State, list[str]]:
    """The state under another rulebook."""
    if state.shape is shape:
        return state, []
    return load_state(shape, state.dump())


def changed_index(index: Index, before: Row | None, after: Row | None, rank: Mapping[str, int]) -> Index:
    """The index after one row changed; entries that stay are shared."""
    id = (after or before or {})["id"]
    for name in index:
        old = before.get(name) if before is not None and name in before else None
        new = after.get(name) if after is not None and name in after else None
        if old == new and (before is None) == (after is None):
            continue
        values = index[name] = dict(index[name])
        if before is not None and name in before:
            values[old] = tuple(each for each in values.get(old, ()) if each != id)
        if after is not None and name in after:
            ids = (*(each for each in values.get(new, ()) if each != id), id)
            values[new] = tuple(sorted(ids, key=lambda each: rank.get(each, len(rank))))
    return index
