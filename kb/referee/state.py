"""Owns the state of a game: every instance's row, what is due, where workflows stand, and its hash.

A `State` is never changed; a turn makes the next one and shares what stayed. It must not know rules.
"""

from __future__ import annotations

from bisect import bisect, bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from json.encoder import encode_basestring_ascii
from operator import itemgetter
from typing import Any, Final

from kb.referee.shape import TEMPLATE, Row, Shape
from kb.rulebook import Rulebook, Seed

FORMAT: Final = 2
FIRST_MADE: Final = 1_000_000
"""The number of the first instance that is no seed of the world: a later version's seeds leave all numbers as they are."""
MASK: Final = (1 << 128) - 1

Index = dict[str, dict[Any, tuple[str, ...]]]
"""field → value → ids: those of `location` in order of arrival, all others in order of creation."""
Book = Mapping[str, Any]
"""The world's bookkeeping, plain JSON: `made` counts created instances and scheduled events; `timers` holds the last
firing of each timed rule, `due` scheduled events (time, number, event, values, player), `gone` the ids of removed seeds."""
Own = Mapping[str, Mapping[str, Any]]
"""player → their own bookkeeping, plain JSON, where there is any: `steps`, their positions in workflows
([step, line, asked]); `had`, the seeds that they were given when they came."""


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


def out_of_order(numbers: Mapping[str, int], ids: tuple[str, ...]) -> tuple[str, ...]:
    """The ids; none where they lie in the order of their creation."""
    found = [numbers[each] for each in ids]
    return ids if found != sorted(found) else ()


def order_digest(numbers: Mapping[str, int], holder: str, ids: tuple[str, ...]) -> int:
    """A holder's part of the hash: 0 where its contents lie in the order of their creation."""
    if not holder or not out_of_order(numbers, ids):
        return 0
    text = ",".join(map(encode_basestring_ascii, ("@order", holder, *ids)))
    return int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "big")


def own_digest(own: Own, player: str) -> int:
    """A player's own bookkeeping's part of the hash."""
    return digest("@own", player, own[player]) if player in own else 0


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
    """Each instance's place in the order of creation; given once, and its own as long as it is there."""
    index: Index
    book: Book
    own: Own
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

    def head(self) -> dict[str, Any]:
        """What is the whole world's: the format, the rulebook's commit and the bookkeeping."""
        return {"format": FORMAT, "commit": self.rulebook.commit, "book": dict(self.book)}

    def part(self, id: str) -> dict[str, Any]:
        """One instance as JSON: `template`, `kind`, `number`, the `fields` that differ from its template; `contents`
        where they did not arrive in the order of their creation; of a player `steps` and `had`."""
        row = self.rows[id]
        types = self.shape.types[row[TEMPLATE]]
        fields = {name: types[name].dump(value) for name, value in self.shape.diff(row).items()}
        part = {"template": row[TEMPLATE], "kind": row["kind"], "number": self.numbers[id], "fields": fields}
        if contents := self.arrived(id):
            part["contents"] = list(contents)
        return {**part, **self.own.get(id, {})}

    def arrived(self, id: str) -> tuple[str, ...]:
        """What is in it, where that did not arrive in the order of its creation; else nothing."""
        return out_of_order(self.numbers, self.index["location"].get(id, ()))

    def dump(self) -> dict[str, Any]:
        """The whole state as JSON, in order of creation; `kb.referee.save` reads it."""
        return {**self.head(), "instances": {id: self.part(id) for id in self.rows}}


def build(
    shape: Shape,
    rows: Mapping[str, Row],
    numbers: dict[str, int],
    book: Book,
    own: Own,
    orders: Mapping[str, Sequence[str]],
    seeds: State | None,
) -> State:
    """A state from complete rows and their `numbers`; `orders` gives a holder's order of arrival where it differs.

    `seeds`, the fresh world: the rows that are its very own are not added up again.
    """
    numbers = dict(sorted(numbers.items(), key=itemgetter(1)))
    by_id = {key: rows[key] for key in numbers}
    found: dict[str, dict[Any, list[str]]] = {name: {} for name in shape.indexed}
    for key, row in by_id.items():
        for name, values in found.items():
            if name in row:
                values.setdefault(row[name], []).append(key)
    for holder, ids in orders.items():
        there = found["location"].get(holder, [])
        rank = {each: number for number, each in enumerate(ids)}
        there.sort(key=lambda each: rank.get(each, len(rank)))
    index: Index = {name: {key: tuple(ids) for key, ids in values.items()} for name, values in found.items()}
    total, known = digest("@book", book), dict[str, Row]()
    if seeds is not None:
        total, known = total + seeds.total - digest("@book", seeds.book), seeds.rows
    total += sum(row_digest(shape, row) for key, row in by_id.items() if known.get(key) is not row)
    total -= sum(row_digest(shape, row) for key, row in known.items() if by_id.get(key) is not row)
    total += sum(order_digest(numbers, holder, ids) for holder, ids in index["location"].items())
    total += sum(own_digest(own, player) for player in own)
    return State(shape, by_id, numbers, index, book, own, grouped(shape, by_id), total & MASK)


def moved(index: Index, numbers: Mapping[str, int], field: str, id: str, before: Any, after: Any) -> None:
    """Moves an id within `index[field]`, which belongs to the caller; None stands for not there at all."""
    values = index[field]
    if before is not None:
        left = without(values[before], id, numbers)
        if left:
            values[before] = left
        else:
            del values[before]
    if after is not None:
        ids = values.get(after, ())
        if field == "location" and after:
            values[after] = (*ids, id)
        else:
            values[after] = within(ids, id, numbers)


def without(ids: tuple[str, ...], id: str, numbers: Mapping[str, int]) -> tuple[str, ...]:
    """The ids but this one, which is among them; they are in order of creation, or nearly."""
    at = bisect_left(ids, numbers[id], key=numbers.__getitem__)
    if at == len(ids) or ids[at] != id:
        at = ids.index(id)
    return ids[:at] + ids[at + 1 :]


def within(ids: tuple[str, ...], id: str, numbers: Mapping[str, int]) -> tuple[str, ...]:
    """The ids and this one, in order of creation."""
    at = bisect(ids, numbers[id], key=numbers.__getitem__)
    return (*ids[:at], id, *ids[at:])


@lru_cache(maxsize=64)
def new_state(shape: Shape) -> State:
    """The world at its start, without players."""
    rulebook = shape.rulebook
    settings = rulebook.settings
    rows: dict[str, Row] = {
        "world": {**shape.fresh["world"], "id": "world", "name": settings.name, "time": settings.begins}
    }
    for seed in rulebook.seeds:
        if seed.location != "player":
            rows[seed.id] = seeded(shape, seed.id, seed, seed.location)
    # A real clock starts with the first recorded time; see `kb.referee.clock`.
    timers = {} if settings.clock is None else {id: settings.begins.isoformat() for id in rulebook.timed}
    numbers = {id: number for number, id in enumerate(rows)}
    return build(shape, rows, numbers, {"made": 0, "timers": timers, "due": [], "gone": []}, {}, {}, None)


def seeded(shape: Shape, id: str, seed: Seed, location: str) -> Row:
    """The row of a seed's instance."""
    row = {**shape.fresh[seed.template], **seed.fields, "id": id}
    if "location" in row:
        row["location"] = location
    return row
