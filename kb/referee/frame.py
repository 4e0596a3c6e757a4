"""Owns a state as expressions read it, and as the effects of one turn write it.

`Turn` implements `kb.expressions.Frame` over a state and this turn's changes. It must not know rules or effects.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kb.diagnostics import Span
from kb.expressions.frame import EvaluationError
from kb.referee.derive import Derivations
from kb.referee.model import Asked, Change, Event, Inputs, Message, Refused, TraceLine
from kb.referee.shape import TEMPLATE, Row
from kb.referee.state import (
    FIRST_MADE,
    MASK,
    Index,
    State,
    digest,
    field_digest,
    moved,
    order_digest,
    own_digest,
    row_digest,
    without,
)
from kb.types import Int, Ref, Type, TypeMismatch

BUDGET = 200_000
MAX_CHAIN = 50
_MASK64 = (1 << 64) - 1


class Turn:
    """One turn in the making. Reading is total; `write` checks types and keeps what was before."""

    __slots__ = (
        "_before",
        "_budget",
        "_by_kind",
        "_chain",
        "_holders",
        "_kept",
        "_memo",
        "_owned",
        "_rng",
        "_rows",
        "_written",
        "actor",
        "arrivals",
        "asked",
        "book",
        "depth",
        "derivations",
        "events",
        "handled",
        "index",
        "inputs",
        "messages",
        "now",
        "numbers",
        "own",
        "player",
        "rows",
        "shape",
        "state",
        "trace",
        "vars",
    )

    def __init__(self, state: State, derivations: Derivations, player: str, inputs: Inputs):
        self.state, self.shape, self.derivations = state, state.shape, derivations
        self.rows: Mapping[str, Mapping[str, Any]] = state.rows
        self.index: Index = state.index
        self.numbers: dict[str, int] = state.numbers
        self.book, self.own = state.book, state.own
        self.actor, self.player, self.inputs, self.now = player, player, inputs, inputs.now
        self.messages: list[Message] = []
        self.events: list[Event] = []
        self.handled = 0
        """How many of the events have run their rules."""
        self.trace: list[TraceLine] = []
        self.asked: list[Asked] = []
        self.arrivals: list[tuple[str, str]] = []
        """(player, place) moves whose `player enters` rules have not run yet."""
        self.depth = 0
        """How many actions and tables led to one another."""
        self._rows: dict[str, Row] = state.rows
        self._owned: set[str] = set()
        """Which of "rows", "numbers", "index" and the index's fields are copies that may be written."""
        self._by_kind: Mapping[str, tuple[str, ...]] = state.by_kind
        self._memo: dict[tuple[str, str], Any] = {}
        self._before: dict[str, Row | None] = {}
        self._written: dict[tuple[str, str], Any] = {}
        self._holders: set[str] = set()
        self._kept: set[str] = set()
        self._budget, self._chain = BUDGET, 0
        self._rng: int | None = None
        self.vars: dict[str, Any] = {"player": player, "room": "", "action": {}, "event": {}}
        if player:
            self.vars["room"] = self.derived(player, "room")

    # --- kb.expressions.Frame

    def derived(self, id: str, field: str) -> Any:
        """A computed field; a stored one where the kind stores it; the zero where there is neither."""
        key = (id, field)
        memo = self._memo
        if key in memo:
            return memo[key]
        row = self.rows.get(id)
        if row is None:
            return self.derivations.zero(field)
        compute = self.derivations.of(row[TEMPLATE]).get(field)
        if compute is None:
            return row[field] if field in row else self.derivations.zero(field)
        if self._chain >= MAX_CHAIN:
            raise EvaluationError(f"`{field}` of {id} is derived from itself, or from too long a chain")
        self._chain += 1
        try:
            value = memo[key] = compute(self, id)
        finally:
            self._chain -= 1
        return value

    def where(self, kind: str, field: str, value: Any) -> Sequence[str]:
        """Ids of the kind's instances whose stored field has the value."""
        values = self.index.get(field)
        if values is None:
            ids = self.every(kind)
            self.spend(len(ids))
            return [each for each in ids if self.rows[each].get(field) == value]
        found = values.get(value, ())
        if not found:
            return ()
        rows, isa = self.rows, self.shape.isa
        return [each for each in found if kind in isa[rows[each][TEMPLATE]]]

    def every(self, kind: str) -> Sequence[str]:
        """Ids of all instances of the kind and its sub-kinds, in order of creation."""
        return self._by_kind.get(kind, ())

    def spend(self, steps: int) -> None:
        """Counts work against the turn's budget."""
        self._budget -= steps
        if self._budget < 0:
            raise EvaluationError("the turn does too much work: its loops run too long")

    def draw(self, low: int, high: int) -> int:
        """SplitMix64 over the recorded seed: small, and the same on every machine."""
        if high < low:
            raise EvaluationError(f"nothing can be drawn from {low}..{high}")
        if self._rng is None:
            self._rng = digest("@seed", self.inputs.seed) & _MASK64
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

    def acting_row(self, source: str) -> Mapping[str, Any]:
        """The acting player's row. Refuses where nobody acts."""
        row = self.rows.get(self.player)
        if row is None:
            raise Refused("Nobody is there.", f"{source}: nobody acts")
        return row

    def write(self, id: str, field: str, value: Any, source: str, *, checked: bool = False) -> None:
        """Sets a stored field. What does not fit its type, or names what is not there, refuses the turn.

        `checked`: the value is known to belong to the type.
        """
        row = self.rows.get(id)
        if row is None:
            raise Refused("That is not there.", f"{source}: there is no {id!r}")
        type_ = self.shape.types[row[TEMPLATE]].get(field)
        if type_ is None:
            raise Refused("That cannot be done.", f"{source}: a {row['kind']} has no {field}")
        if not checked:
            value = self.fitted(type_, value, field, source)
        before = row[field]
        if before is value or before == value:
            return
        if id not in self._before:
            self._before[id] = self.state.rows.get(id)
        if (id, field) not in self._written:
            self._written[id, field] = before
        self._store(id, {**row, field: value})
        if field in self.shape.indexed:
            self._move(field, id, before, value)
        if field in self.shape.volatile:
            self._memo.clear()
            if field == "location" and self.player:
                self.vars["room"] = self.derived(self.player, "room")

    def fitted(self, type_: Type, value: Any, field: str, source: str) -> Any:
        """The value as one of the type. Refuses the turn where it does not fit or names what is not there."""
        if type(type_) is Int and type(value) is int:
            if not type_.low <= value <= type_.high:
                why = f"{field} would be {value}, which is not within {type_.low}..{type_.high}"
                raise Refused("That goes too far.", f"{source}: {why}")
            return value
        try:
            value = type_.coerce(value)
        except TypeMismatch as error:
            raise Refused("That cannot be done.", f"{source}: {field}: {error}") from None
        if isinstance(type_, Ref) and value and not self.refers(type_, value):
            raise Refused("That is not there.", f"{source}: {field}: {value!r} is no {type_}")
        return value

    def refers(self, type_: Ref, id: str) -> bool:
        """Whether the id is an instance of one of the type's kinds."""
        row = self.rows.get(id)
        return row is not None and not self.shape.isa[row[TEMPLATE]].isdisjoint(type_.kinds)

    def template(self, id: str) -> str:
        """The id of the page that an instance is made from; "" where it is gone."""
        row = self.rows.get(id)
        return row[TEMPLATE] if row is not None else ""

    def isa(self, id: str, kind: str) -> bool:
        """Whether the id is an instance of the kind or one below it."""
        row = self.rows.get(id)
        return row is not None and kind in self.shape.isa[row[TEMPLATE]]

    def add_instance(self, row: Row) -> None:
        """Puts a new instance into the world; its id must be free."""
        id = row["id"]
        self._count(id, max(next(reversed(self.numbers.values())) + 1, FIRST_MADE))
        self._before.setdefault(id, None)
        self._store(id, row)
        more = {kind: (*self.every(kind), id) for kind in self.shape.isa[row[TEMPLATE]]}
        self._by_kind = {**self._by_kind, **more}
        for field in self.shape.indexed:
            if field in row:
                self._move(field, id, None, row[field])
        self._memo.clear()

    def remove_instance(self, id: str) -> None:
        """Takes an instance out of the world."""
        row = self.rows[id]
        self._before.setdefault(id, self.state.rows.get(id))
        for field in self.shape.indexed:
            if field in row:
                self._move(field, id, row[field], None)
        self._store(id, None)
        left = {kind: without(self._by_kind[kind], id, self.numbers) for kind in self.shape.isa[row[TEMPLATE]]}
        self._by_kind = {kind: ids for kind, ids in {**self._by_kind, **left}.items() if ids}
        self._count(id, None)
        self._memo.clear()

    def _count(self, id: str, number: int | None) -> None:
        if self._take("numbers"):
            self.numbers = self.numbers.copy()
        if number is None:
            del self.numbers[id]
        else:
            self.numbers[id] = number

    def _take(self, name: str) -> bool:
        """Whether this must be copied before it is written; from then on it is this turn's own."""
        if name in self._owned:
            return False
        self._owned.add(name)
        return True

    def _store(self, id: str, row: Row | None) -> None:
        if self._take("rows"):
            # `copy` is several times as fast as `dict` where something was deleted.
            self.rows = self._rows = self._rows.copy()
        if row is None:
            del self._rows[id]
        else:
            self._rows[id] = row

    def _move(self, field: str, id: str, before: Any, after: Any) -> None:
        if self._take("index"):
            self.index = self.index.copy()
        if self._take(f"index {field}"):
            self.index[field] = self.index[field].copy()
        moved(self.index, self.numbers, field, id, before, after)
        if field == "location":
            self._holders.update(holder for holder in (before, after) if holder)

    def steps(self, player: str) -> Mapping[str, list[Any]]:
        """A player's positions in workflows."""
        return self.own.get(player, {}).get("steps", {})

    def keep(self, player: str, name: str, value: Any) -> None:
        """Writes an entry of a player's own bookkeeping; what is empty is not kept."""
        mine = {**self.own.get(player, {}), name: value}
        self.forget(player)
        if mine := {each: kept for each, kept in mine.items() if kept}:
            self.own = {**self.own, player: mine}

    def forget(self, player: str) -> None:
        """Drops a player's own bookkeeping."""
        self._kept.add(player)
        self.own = dict(self.own)
        self.own.pop(player, None)

    def say(self, to: str, text: str, span: Span) -> None:
        """A message to a player; nothing said is no message."""
        if text:
            self.messages.append(Message(to, text, span))

    @contextmanager
    def acting(self, player: str) -> Generator[None]:
        """While it lasts, another player acts (or looks)."""
        names, acting = self.vars, self.player
        if player != acting:
            self._memo.clear()
        self.player = player
        self.vars = {**names, "player": player, "room": ""}
        self.vars["room"] = self.derived(player, "room")
        try:
            yield
        finally:
            if player != acting:
                self._memo.clear()
            self.player, self.vars = acting, names
            names["room"] = self.derived(acting, "room")

    @contextmanager
    def attempt(self, what: str, span: Span) -> Generator[None]:
        """Inside, all is done or nothing: what cannot be done is undone, and a line of the trace says so."""
        names = ("rows", "_rows", "index", "numbers", "_by_kind", "book", "own", "player", "handled", "depth")
        kept = {**{name: getattr(self, name) for name in names}, "vars": {**self.vars}}
        owned, before, written = self._owned, self._before.copy(), self._written.copy()
        holders, bookkept, arrivals = self._holders.copy(), self._kept.copy(), self.arrivals.copy()
        said, emitted = len(self.messages), len(self.events)
        self._owned = set()
        try:
            yield
        except (Refused, EvaluationError) as error:
            if self._budget < 0:
                raise
            for name, value in kept.items():
                setattr(self, name, value)
            self._owned, self._before, self._written = owned, before, written
            self._holders, self._kept, self.arrivals = holders, bookkept, arrivals
            del self.messages[said:], self.events[emitted:]
            self._memo.clear()
            self.vars["room"] = self.derived(self.player, "room") if self.player else ""
            reason = error.reason if isinstance(error, Refused) else str(error)
            self.trace.append(TraceLine("rule", span, f"{what} was not done: {reason}", False))

    # --- the end

    def changed(self) -> tuple[set[str], set[str]]:
        """Ids of instances, and names of fields, that this turn wrote, made or removed ("" among the names)."""
        fields = {field for _, field in self._written}
        if self._by_kind is not self.state.by_kind:
            fields.add("")
        return set(self._before), fields

    @property
    def touched(self) -> frozenset[str]:
        """Ids of all that may differ from before the turn: as rows, in the order of what they hold, as bookkeeping."""
        return frozenset((*self._before, *self._holders, *self._kept))

    def changes(self) -> tuple[Change, ...]:
        """Every field that differs from before the turn."""
        found: list[Change] = []
        for id, before in self._before.items():
            after = self.rows.get(id)
            if (before is None) != (after is None):
                found.append(Change(id, "", before and before[TEMPLATE], after and after[TEMPLATE]))
        for (id, field), before in self._written.items():
            start, row = self._before[id], self.rows.get(id)
            if start is not None and row is not None and row[field] != before:
                found.append(Change(id, field, before, row[field]))
        return tuple(found)

    def finish(self) -> State:
        """The next state."""
        state = self.state
        if not self._before and self.book is state.book and self.own is state.own:
            return state
        total = state.total
        for id, before in self._before.items():
            after = self.rows.get(id)
            if before is None or after is None:
                total += (row_digest(self.shape, after) if after else 0) - (
                    row_digest(self.shape, before) if before else 0
                )
        for (id, field), before in self._written.items():
            start, row = self._before[id], self.rows.get(id)
            if start is not None and row is not None:
                usual = self.shape.fresh[row[TEMPLATE]][field]
                if before != usual:
                    total -= field_digest(id, field, before)
                if row[field] != usual:
                    total += field_digest(id, field, row[field])
        places, former = self.index["location"], state.index["location"]
        for holder in self._holders:
            total -= order_digest(state.numbers, holder, former.get(holder, ()))
            total += order_digest(self.numbers, holder, places.get(holder, ()))
        if self.book is not state.book:
            total += digest("@book", self.book) - digest("@book", state.book)
        total += sum(own_digest(self.own, each) - own_digest(state.own, each) for each in self._kept)
        return State(self.shape, self._rows, self.numbers, self.index, self.book, self.own, self._by_kind, total & MASK)
