"""Owns a state as expressions read it, and as effects of one turn write it.

`Turn` implements `kb.expressions.Frame` over a state and this turn's changes. It must not know rules or effects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from kb.diagnostics import Span
from kb.expressions.frame import EvaluationError
from kb.referee.model import Change, Event, Inputs, Message, Refused, TraceLine
from kb.referee.state import Book, Index, Row, Shape, State, changed_index, digest
from kb.rulebook import Derived
from kb.types import Int, Ref, TypeMismatch

BUDGET = 200_000
MAX_CHAIN = 50
_MASK64 = (1 << 64) - 1
_MASK = (1 << 128) - 1

Compute = Callable[["Turn", str], Any]


class Turn:
    """One turn in the making. Reading is total; `write` checks types and keeps what was before."""

    __slots__ = (
        "_before", "_budget", "_depth", "_made", "_memo", "_ranks", "_rng", "book", "derivations", "events", "index",
        "inputs", "messages", "now", "player", "rows", "shape", "state", "trace", "vars",
    )  # fmt: skip

    def __init__(self, state: State, derivations: Derivations, player: str, inputs: Inputs):
        self.state, self.shape, self.derivations = state, state.shape, derivations
        self.rows: dict[str, Row] = state.rows
        self.index: Index = state.index
        self.book: Book = state.book
        self.player, self.inputs, self.now = player, inputs, inputs.now
        self.messages: list[Message] = []
        self.events: list[Event] = []
        self.trace: list[TraceLine] = []
        self._memo: dict[tuple[str, str], Any] = {}
        self._before: dict[str, Row | None] = {}
        self._made = False
        self._budget, self._depth = BUDGET, 0
        self._rng: int | None = None
        self._ranks: dict[str, int] | None = None
        self.vars: dict[str, Any] = {"player": player, "room": "", "action": {}, "event": {}}
        if player:
            self.vars["room"] = self.derived(player, "room")

    # --- kb.expressions.Frame

    def derived(self, id: str, field: str) -> Any:
        """A computed field; a stored one where the instance's kind stores it; the zero where there is neither."""
        key = (id, field)
        memo = self._memo
        if key in memo:
            return memo[key]
        row = self.rows.get(id)
        if row is None:
            return self.derivations.zero(field)
        compute = self.derivations.of(row["kind"]).get(field)
        if compute is None:
            return row[field] if field in row else self.derivations.zero(field)
        if self._depth >= MAX_CHAIN:
            raise EvaluationError(f"`{field}` of {id} is derived from itself, or from too long a chain")
        self._depth += 1
        try:
            value = memo[key] = compute(self, id)
        finally:
            self._depth -= 1
        return value

    def where(self, kind: str, field: str, value: Any) -> Sequence[str]:
        """Ids of the kind's instances whose stored field has the value."""
        values = self.index.get(field)
        kinds = self.shape.within.get(kind, frozenset((kind,)))
        if values is None:
            return [id for id in self.every(kind) if self.rows[id].get(field) == value]
        found = values.get(value, ())
        if kind == "thing" or not found:
            return found
        return [id for id in found if self.rows[id]["kind"] in kinds]

    def every(self, kind: str) -> Sequence[str]:
        if not self._made:
            return self.state.every(kind)
        kinds = self.shape.within.get(kind, frozenset((kind,)))
        return [id for id, row in self.rows.items() if row["kind"] in kinds]

    def spend(self, steps: int) -> None:
        self._budget -= steps
        if self._budget < 0:
            raise EvaluationError("the turn does too much work: its loops run too long")

    def draw(self, low: int, high: int) -> int:
        """SplitMix64 over the recorded seed: small, and the same on every machine."""
        if self._rng is None:
            self._rng = digest("seed", self.inputs.seed) & _MASK64
        span = high - low + 1
        limit = _MASK64 + 1 - (_MASK64 + 1) % span
        while True:
            self._rng = (self._rng + 0x9E3779B97F4A7C15) & _MASK64
            z = self._rng
            z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK64
            z ^= z >> 31
            if z < limit:
                return low + z % span

    # --- writing

    def write(self, id: str, field: str, value: Any, source: str) -> None:
        """Sets a stored field. What does not fit its type, or names what is not there, refuses the turn."""
        row = self.rows.get(id)
        if row is None:
            raise Refused("That is not there.", f"{source}: there is no {id!r}")
        type_ = self.shape.type(row["kind"], field)
        if type_ is None:
            raise Refused("That cannot be done.", f"{source}: a {row['kind']} has no {field}")
        if type(type_) is Int and type(value) is int:
            if not type_.low <= value <= type_.high:
                raise Refused(
                    "That goes too far.",
                    f"{source}: {field} would be {value}, which is not within {type_.low}..{type_.high}",
                )
        else:
            try:
                value = type_.coerce(value)
            except TypeMismatch as error:
                raise Refused("That cannot be done.", f"{source}: {field}: {error}") from None
            if isinstance(type_, Ref) and value and value not in self.rows:
                raise Refused("That is not there.", f"{source}: {field}: there is no {value!r}")
        if row.get(field) == value:
            return
        self._put(id, {**row, field: value})

    def add_instance(self, row: Row) -> None:
        self._made = True
        self._put(row["id"], row)

    def remove_instance(self, id: str) -> None:
        self._made = True
        self._put(id, None)

    def _put(self, id: str, row: Row | None) -> None:
        before = self.rows.get(id)
        if id not in self._before:
            if not self._before:
                self.rows = dict(self.rows)
                self.index = dict(self.index)
            self._before[id] = before
        if row is None:
            del self.rows[id]
        else:
            self.rows[id] = row
        self._ranks = self._ranks if row is not None and before is not None else None
        changed_index(self.index, before, row, self._rank)
        self._memo.clear()
        if (
            id == self.player
            and row is not None
            and before is not None
            and row.get("location") != before.get("location")
        ):
            self.vars["room"] = self.derived(id, "room")

    @property
    def _rank(self) -> Mapping[str, int]:
        if self._ranks is None:
            self._ranks = {id: number for number, id in enumerate(self.rows)}
        return self._ranks

    def say(self, to: str, text: str, span: Span) -> None:
        if text:
            self.messages.append(Message(to, text, span))

    def forget(self) -> None:
        """Drops what was derived for another player."""
        self._memo.clear()

    # --- the end

    def changed_ids(self) -> list[str]:
        return list(self._before)

    def changes(self) -> tuple[Change, ...]:
        """Every field that differs from before the turn."""
        found: list[Change] = []
        for id, before in self._before.items():
            after = self.rows.get(id)
            if before is None or after is None:
                if before is not after:
                    shown = before or after or {}
                    found.append(Change(id, "", before and shown["template"], after and shown["template"]))
                continue
            found += [
                Change(id, name, before.get(name), value) for name, value in after.items() if before.get(name) != value
            ]
        return tuple(found)

    def finish(self) -> State:
        """The next state."""
        state = self.state
        if not self._before and self.book is state.book:
            return state
        digests, total = state.digests, state.total
        if self._before:
            digests = dict(digests)
            for id in self._before:
                total -= digests.pop(id, 0)
                row = self.rows.get(id)
                if row is not None:
                    digests[id] = value = digest(id, [row["template"], self.shape.diff(row)])
                    total += value
        by_kind = state.by_kind
        if self._made:
            from kb.referee.state import kinds_of

            by_kind = kinds_of(self.rows)
        return State(self.shape, self.rows, digests, total & _MASK, self.index, self.book, by_kind)


# --- Derived fields -------------------------------------------------------------------------------


class Derivations:
    """How each kind's derived fields are computed: built in, or as the rulebook derives them."""

    def __init__(self, shape: Shape):
        self._zeros = {**_BUILTIN_ZEROS, **shape.zeros}
        self._by_kind: dict[str, dict[str, Compute]] = {}
        kinds = shape.rulebook.kinds
        for kind in kinds:
            ancestry = [each for each in kinds if kind in shape.within[each]]
            found: dict[str, Compute] = {"description": _description}
            for above in ancestry:
                found |= _BUILTIN.get(above, {})
            found |= {name: _expression(each) for name, each in kinds[kind].derived.items()}
            self._by_kind[kind] = found

    def of(self, kind: str) -> Mapping[str, Compute]:
        return self._by_kind[kind]

    def zero(self, field: str) -> Any:
        return self._zeros.get(field, "")


def _expression(derived: Derived) -> Compute:
    name, expr = derived.self_name, derived.expr

    def compute(turn: Turn, id: str) -> Any:
        names = turn.vars
        before = names.get(name)
        names[name] = id
        try:
            return expr(turn)
        finally:
            if before is None:
                del names[name]
            else:
                names[name] = before

    return compute


def _description(turn: Turn, id: str) -> str:
    row = turn.rows[id]
    template = turn.shape.rulebook.templates.get(row["template"])
    if template is None:
        return ""
    names = turn.vars
    bound = {kind.replace("-", "_"): id for kind, below in turn.shape.within.items() if row["kind"] in below}
    before = dict(names)
    names.update(bound)
    try:
        return template.description(turn)
    finally:
        names.clear()
        names.update(before)


def _contents(turn: Turn, id: str) -> tuple[str, ...]:
    return tuple(turn.index["location"].get(id, ()))


def room_of(turn: Turn, id: str) -> str:
    """The place at the end of the chain of locations; "" where there is none."""
    rows, places = turn.rows, turn.shape.within.get("place", frozenset())
    for _ in range(MAX_CHAIN):
        row = rows.get(id)
        if row is None:
            return ""
        if row["kind"] in places:
            return id
        id = row.get("location", "")
    return ""


def _near(turn: Turn, id: str) -> bool:
    """In the player's room, or carried, however deep."""
    room = turn.vars["room"]
    return id == turn.player or (room != "" and turn.derived(id, "room") == room)


def _here(turn: Turn, id: str) -> bool:
    return turn.vars["room"] == id


def _always(turn: Turn, id: str) -> bool:
    return True


def _day(turn: Turn, id: str) -> int:
    begins: datetime = turn.shape.rulebook.settings.begins
    return (turn.rows[id]["time"].date() - begins.date()).days + 1


_HELD: dict[str, Compute] = {"contents": _contents, "room": room_of, "perceivable": _near}
_BUILTIN: dict[str, dict[str, Compute]] = {
    "thing": _HELD,
    "player": {"inventory": _contents},
    "npc": {"inventory": _contents},
    "place": {"room": room_of, "perceivable": _here},
    "waypoint": {"perceivable": _always},
    "world": {
        "hour": lambda turn, id: turn.rows[id]["time"].hour,
        "minute": lambda turn, id: turn.rows[id]["time"].minute,
        "day": _day,
    },
}
_BUILTIN_ZEROS: dict[str, Any] = {
    "contents": (), "inventory": (), "perceivable": False, "room": "", "description": "", "hour": 0, "minute": 0, "day": 0,
}  # fmt: skip
