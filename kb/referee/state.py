"""Owns the state of a game: every instance's row, what is due, where workflows stand, and its hash.

A `State` is never changed; a turn makes the next one and shares what stayed. It must not know rules.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from json.encoder import encode_basestring_ascii
from typing import Any, Final

from kb.referee.shape import TEMPLATE, Row, Shape
from kb.rulebook import Rulebook

FORMAT: Final = 1
MASK: Final = (1 << 128) - 1

Index = dict[str, dict[Any, tuple[str, ...]]]
"""field → value → ids: those of `location` in order of arrival, all others in order of creation."""
Book = Mapping[str, Any]
"""Bookkeeping, plain JSON: `made` counts created instances and scheduled events; `timers` holds the last
firing of each timed rule, `due` scheduled events (time, number, event, values, player);
`steps` the players' positions in workflows ([step, line, asked]); `gone` the ids of removed seeds."""


def canonical(value: Any) -> str:
    """One way to write a value: JSON with sorted keys; times as RFC 3339, durations in seconds."""
    kind: object = value.__class__
    if kind is str:
        return encode_basestring_ascii(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is float:
        return repr(value)
    if kind is tuple or kind is list:
        return "[" + ",".join([canonical(each) for each in value]) + "]"
    if kind is dict:
        return "{" + ",".join([f"{canonical(key)}:{canonical(value[key])}" for key in sorted(value)]) + "}"
    if kind is datetime:
        return f'"{value.isoformat()}"'
    if kind is timedelta:
        return repr(value.total_seconds())
    if value is None:
        return "null"
    raise TypeError(f"{value!r} is not a state's value")


def digest(*parts: Any) -> int:
    """A 128-bit number for one part of a state; the parts' sum is the state's hash."""
    return int.from_bytes(blake2b(canonical(parts).encode(), digest_size=16).digest(), "big")


def field_digest(id: str, field: str, value: Any) -> int:
    """`digest` for a field, written out because every turn needs several."""
    text = f"{encode_basestring_ascii(id)},{field},{canonical(value)}"
    return int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "big")


def row_digest(shape: Shape, row: Row) -> int:
    """An instance's part of the hash: one number that it is there and one for each field that differs."""
    key: str = row["id"]
    total = field_digest(key, TEMPLATE, row[TEMPLATE])
    for name, value in shape.diff(row).items():
        total += field_digest(key, name, value)
    return total


def order_digest(numbers: Mapping[str, int], holder: str, ids: Sequence[str]) -> int:
    """A holder's part of the hash: 0 where its contents lie in the order of their creation."""
    last = -1
    for each in ids:
        number = numbers[each]
        if number < last:
            return digest("@order", holder, ids) if holder else 0
        last = number
    return 0


def grouped(shape: Shape, rows: Mapping[str, Row]) -> dict[str, tuple[str, ...]]:
    """kind → its instances, those of sub-kinds included, in order of creation."""
    found: dict[str, list[str]] = {}
    for key, row in rows.items():
        for kind in shape.isa[row[TEMPLATE]]:
            found.setdefault(kind, []).append(key)
    return {kind: tuple(ids) for kind, ids in found.items()}


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """All that a game has, at one moment."""

    shape: Shape
    rows: dict[str, Row]
    """Every instance by id, in order of creation."""
    numbers: dict[str, int]
    """Each instance's place in the order of creation."""
    index: Index
    book: Book
    by_kind: Mapping[str, tuple[str, ...]]
    total: int
    """The sum of all digests."""

    @property
    def rulebook(self) -> Rulebook:
        return self.shape.rulebook

    @property
    def hash(self) -> str:
        """Equal for equal states, in any process; 32 hexadecimal digits."""
        return f"{self.total:032x}"

    @property
    def players(self) -> tuple[str, ...]:
        return self.every("player")

    def every(self, kind: str) -> tuple[str, ...]:
        """Ids of all instances of a kind and its sub-kinds, in order of creation."""
        return self.by_kind.get(kind, ())

    def template(self, id: str) -> str:
        """The id of the page that an instance is made from; the kind of one that has none."""
        return self.rows[id][TEMPLATE]

    def dump(self) -> dict[str, Any]:
        """The state as JSON: per instance its template and the fields that differ; `kb.referee.save` reads it."""
        instances: dict[str, Any] = {}
        for key, row in self.rows.items():
            types = self.shape.types[row[TEMPLATE]]
            fields = {name: types[name].dump(value) for name, value in self.shape.diff(row).items()}
            instances[key] = {"template": row[TEMPLATE], "kind": row["kind"], "fields": fields}
        return {
            "format": FORMAT,
            "commit": self.rulebook.commit,
            "instances": instances,
            "order": list(self.rows),
            "contents": {holder: list(ids) for holder, ids in self.orders().items()},
            "book": dict(self.book),
        }

    def orders(self) -> dict[str, tuple[str, ...]]:
        """Holders whose contents did not arrive in the order of their creation."""
        places = self.index["location"].items()
        return {holder: ids for holder, ids in places if order_digest(self.numbers, holder, ids)}


def build(shape: Shape, rows: Iterable[Row], book: Book, orders: Mapping[str, Sequence[str]] | None = None) -> State:
    """A state from complete rows, in order of creation; `orders` gives the order of arrival where it differs."""
    by_id: dict[str, Row] = {row["id"]: row for row in rows}
    numbers = {key: number for number, key in enumerate(by_id)}
    found: dict[str, dict[Any, list[str]]] = {name: {} for name in shape.indexed}
    for key, row in by_id.items():
        for name, values in found.items():
            if name in row:
                values.setdefault(row[name], []).append(key)
    for holder, ids in (orders or {}).items():
        there = found["location"].get(holder, [])
        rank = {each: number for number, each in enumerate(ids)}
        there.sort(key=lambda each: rank.get(each, len(rank)))
    index: Index = {name: {key: tuple(ids) for key, ids in values.items()} for name, values in found.items()}
    total = digest("@book", book) + sum(row_digest(shape, row) for row in by_id.values())
    total += sum(order_digest(numbers, holder, ids) for holder, ids in index["location"].items())
    return State(shape, by_id, numbers, index, book, grouped(shape, by_id), total & MASK)


def moved(index: Index, numbers: Mapping[str, int], field: str, id: str, before: Any, after: Any) -> None:
    """Moves an id within `index[field]`, which belongs to the caller; None stands for not there at all."""
    values = index[field]
    if before is not None:
        left = tuple([each for each in values[before] if each != id])
        if left:
            values[before] = left
        else:
            del values[before]
    if after is not None:
        ids = values.get(after, ())
        if field == "location" and after:
            values[after] = (*ids, id)
        else:
            new = list(ids)
            insort(new, id, key=numbers.__getitem__)
            values[after] = tuple(new)


def new_state(shape: Shape) -> State:
    """The world at its start, without players."""
    rulebook = shape.rulebook
    settings = rulebook.settings
    rows: list[Row] = [{**shape.fresh["world"], "id": "world", "name": settings.name, "time": settings.begins}]
    rows += [
        seeded(shape, seed.id, seed.template, seed.location, seed.fields)
        for seed in rulebook.seeds
        if seed.location != "player"
    ]
    # A real clock starts with the first recorded time; see `kb.referee.clock`.
    timers = {} if settings.clock is None else {id: settings.begins.isoformat() for id in rulebook.timed}
    return build(shape, rows, {"made": 0, "timers": timers, "due": [], "steps": {}, "gone": []})


def seeded(shape: Shape, id: str, template: str, location: str, fields: Mapping[str, Any]) -> Row:
    """The row of a seed's instance."""
    row = {**shape.fresh[template], **fields, "id": id}
    if "location" in row:
        row["location"] = location
    return row


def carried(shape: Shape, player: str, first: bool) -> list[Row]:
    """What a new player carries. The first player's things have their seeds' ids."""
    return [
        seeded(shape, seed.id if first else f"{seed.id}@{player}", seed.template, player, seed.fields)
        for seed in shape.rulebook.seeds
        if seed.location == "player"
    ]


def join(state: State, player: str, name: str, role: str) -> State:
    """The state with a new player at the start. Raises ValueError where the id is taken or empty."""
    shape, rulebook = state.shape, state.rulebook
    if not player or player in state.rows or player in rulebook.templates:
        raise ValueError(f"{player!r} cannot be a player's id: it is empty or taken")
    flows = [flow for flow in rulebook.workflows.values() if flow.begin]
    start = rulebook.settings.start
    row: dict[str, Any] = {
        **shape.fresh["player"],
        "id": player,
        "name": name,
        "role": role,
        "location": start,
        "quests": {flow.id: "active" for flow in flows if flow.quest},
        "visited": (start,) if start else (),
    }
    steps = {flow.id: [flow.steps[0].slug, 0, False] for flow in flows if flow.steps}
    book = {**state.book, "steps": {**state.book["steps"], player: steps}} if steps else state.book
    rows = [*state.rows.values(), row, *carried(shape, player, not state.players)]
    return build(shape, rows, book, state.orders())
