"""Owns the types that a designer may declare, and the values that belong to them.

A `Type` says what it is called, its zero, and what it accepts; `parse_type` reads the words on a page.
It must not know expressions, pages or rules.

Values at run time are plain Python: int, float, bool, str (text, choices, references: an id or ""
for nothing), tuple (list), dict (map, record; never mutated), datetime in UTC (time), timedelta
(duration), (lat, lng) floats (point).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, Final, cast

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
TEXT_LIMIT: Final = 20_000
LIST_LIMIT: Final = 10_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TypeMismatch(ValueError):
    """The value does not belong to the type."""


_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


def storable(text: str) -> str:
    """The text with U+FFFD for what no database keeps as text: the character 0, and halves of surrogate pairs."""
    return _UNSTORABLE.sub("\ufffd", text)


def storable_data(value: Any) -> Any:
    """JSON data with every text storable. Raises `TypeMismatch` where a number is neither an int64 nor a finite double."""
    match value:
        case str():
            return storable(value)
        case list():
            return [storable_data(each) for each in cast("list[Any]", value)]
        case dict():
            entries = cast("dict[str, Any]", value)
            return {storable(name): storable_data(each) for name, each in entries.items()}
        case int() if not INT_MIN <= value <= INT_MAX:
            raise TypeMismatch("the number is too large")
        case float() if not math.isfinite(value):
            raise TypeMismatch("the number is not finite")
        case _:
            return value


def _kept(text: str) -> str:
    if (found := _UNSTORABLE.search(text)) is not None:
        raise TypeMismatch(f"the text holds {found[0]!r}, which cannot be stored")
    return text


@dataclass(frozen=True, slots=True)
class Type:
    """What a field, argument or expression holds. Subclasses are values: equal when they mean the same."""

    def __str__(self) -> str:
        raise NotImplementedError

    def zero(self) -> Any:
        """The value that stands for nothing said: 0, no, "", the empty list."""
        raise NotImplementedError

    def coerce(self, value: Any) -> Any:
        """`value` (from YAML, JSON, CSV or an expression) as this type's run-time value.

        Raises `TypeMismatch` with a sentence that says what was expected.
        """
        raise NotImplementedError

    def dump(self, value: Any) -> Any:
        """The JSON form of a run-time value; `coerce(dump(v)) == v`."""
        return value


def _mismatch(type_: Type, value: Any) -> TypeMismatch:
    return TypeMismatch(f"{value!r} is not {type_}")


@dataclass(frozen=True, slots=True)
class Int(Type):
    """Whole number; bounds are inclusive."""

    low: int = INT_MIN
    high: int = INT_MAX

    def __str__(self) -> str:
        if self.low == INT_MIN and self.high == INT_MAX:
            return "int"
        return f"int {self.low}..{self.high}"

    def zero(self) -> int:
        return min(max(0, self.low), self.high)

    def coerce(self, value: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,19}", value.strip()):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise _mismatch(self, value)
        if not self.low <= value <= self.high:
            raise TypeMismatch(f"{value} is not within {self.low}..{self.high}")
        return value


@dataclass(frozen=True, slots=True)
class Number(Type):
    """A number with a fraction: a finite double."""

    def __str__(self) -> str:
        return "number"

    def zero(self) -> float:
        return 0.0

    def coerce(self, value: Any) -> float:
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                raise _mismatch(self, value) from None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _mismatch(self, value)
        try:
            value = float(value)
        except OverflowError:
            raise _mismatch(self, value) from None
        if not math.isfinite(value):
            raise _mismatch(self, value)
        return value


@dataclass(frozen=True, slots=True)
class Bool(Type):
    """yes or no."""

    def __str__(self) -> str:
        return "yes/no"

    def zero(self) -> bool:
        return False

    def coerce(self, value: Any) -> bool:
        if isinstance(value, str):
            word = value.strip().lower()
            if word in {"yes", "true"}:
                return True
            if word in {"no", "false"}:
                return False
        if not isinstance(value, bool):
            raise _mismatch(self, value)
        return value


@dataclass(frozen=True, slots=True)
class Text(Type):
    """Any text up to `TEXT_LIMIT` characters."""

    def __str__(self) -> str:
        return "text"

    def zero(self) -> str:
        return ""

    def coerce(self, value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise _mismatch(self, value)
        text = str(value)
        if len(text) > TEXT_LIMIT:
            raise TypeMismatch(f"text of {len(text)} characters is longer than {TEXT_LIMIT}")
        return _kept(text)


@dataclass(frozen=True, slots=True)
class Choice(Type):
    """One of a fixed set of words; the first is the zero."""

    options: tuple[str, ...]

    def __str__(self) -> str:
        return "one of " + ", ".join(self.options)

    def zero(self) -> str:
        return self.options[0]

    def coerce(self, value: Any) -> str:
        if isinstance(value, bool):
            value = "yes" if value else "no"
        if not isinstance(value, str) or value not in self.options:
            raise _mismatch(self, value)
        return value


@dataclass(frozen=True, slots=True)
class Ref(Type):
    """A reference to an instance of one of `kinds` (sorted); "" refers to nothing."""

    kinds: tuple[str, ...]

    def __str__(self) -> str:
        return " or ".join(self.kinds)

    def zero(self) -> str:
        return ""

    def coerce(self, value: Any) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise _mismatch(self, value)
        return _kept(value)


@dataclass(frozen=True, slots=True)
class ListOf(Type):
    """An ordered list, at most `LIST_LIMIT` long."""

    item: Type

    def __str__(self) -> str:
        return f"list of {self.item}"

    def zero(self) -> tuple[Any, ...]:
        return ()

    def coerce(self, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise _mismatch(self, value)
        values = cast("Iterable[Any]", value)
        result = tuple(self.item.coerce(v) for v in values)
        if len(result) > LIST_LIMIT:
            raise TypeMismatch(f"a list of {len(result)} is longer than {LIST_LIMIT}")
        return result

    def dump(self, value: Any) -> Any:
        return [self.item.dump(v) for v in value]


@dataclass(frozen=True, slots=True)
class Collection(Type):
    """All instances of a kind (the kind's plural in an expression): a list of references, never stored."""

    kind: str

    def __str__(self) -> str:
        return f"every {self.kind}"

    def zero(self) -> tuple[str, ...]:
        return ()

    def coerce(self, value: Any) -> Any:
        raise _mismatch(self, value)


@dataclass(frozen=True, slots=True)
class MapOf(Type):
    """A value per key; a key that is missing reads as `start` (or the value type's zero)."""

    value: Type
    key: Type
    start: Any = None

    def __str__(self) -> str:
        return f"{self.value} per {self.key}"

    def zero(self) -> dict[str, Any]:
        return {}

    def default(self) -> Any:
        return self.value.zero() if self.start is None else self.start

    def coerce(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise _mismatch(self, value)
        entries = cast("Mapping[Any, Any]", value)
        if len(entries) > LIST_LIMIT:
            raise TypeMismatch(f"a map of {len(entries)} is larger than {LIST_LIMIT}")
        # Sorted, so that what a store did to the order of keys cannot be seen.
        keyed = [(str(self.key.coerce(k)), v) for k, v in entries.items()]
        return {k: self.value.coerce(v) for k, v in sorted(keyed, key=itemgetter(0))}

    def dump(self, value: Any) -> Any:
        return {k: self.value.dump(v) for k, v in value.items()}


@dataclass(frozen=True, slots=True)
class Record(Type):
    """Named parts, each with its type."""

    fields: tuple[tuple[str, Type], ...]

    def __str__(self) -> str:
        return "record (" + ", ".join(f"{n} {t}" for n, t in self.fields) + ")"

    def zero(self) -> dict[str, Any]:
        return {name: type_.zero() for name, type_ in self.fields}

    def field(self, name: str) -> Type | None:
        return dict(self.fields).get(name)

    def coerce(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise _mismatch(self, value)
        entries = cast("Mapping[Any, Any]", value)
        unknown = [k for k in entries if self.field(str(k)) is None]
        if unknown:
            raise TypeMismatch(f"{unknown[0]!r} is not a part of {self}")
        return {n: t.coerce(entries[n]) if n in entries else t.zero() for n, t in self.fields}

    def dump(self, value: Any) -> Any:
        return {n: t.dump(value[n]) for n, t in self.fields}


@dataclass(frozen=True, slots=True)
class Time(Type):
    """A moment, in UTC; written 2026-01-31 or 2026-01-31 18:00 or as RFC 3339."""

    def __str__(self) -> str:
        return "time"

    def zero(self) -> datetime:
        return EPOCH

    def coerce(self, value: Any) -> datetime:
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value.strip())
            except ValueError:
                raise _mismatch(self, value) from None
        if not isinstance(value, datetime):
            from datetime import date

            if not isinstance(value, date):
                raise _mismatch(self, value)
            value = datetime(value.year, value.month, value.day, tzinfo=UTC)
        if value.tzinfo is None:
            value = value.replace(tzinfo=UTC)
        try:
            return value.astimezone(UTC)
        except OverflowError:
            raise _mismatch(self, value) from None

    def dump(self, value: datetime) -> str:
        return value.isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Duration(Type):
    """A length of time; arises in expressions (`duration("3h")`) and may be stored as seconds."""

    def __str__(self) -> str:
        return "duration"

    def zero(self) -> timedelta:
        return timedelta()

    def coerce(self, value: Any) -> timedelta:
        if isinstance(value, timedelta):
            return value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _mismatch(self, value)
        try:
            return timedelta(seconds=value)
        except (OverflowError, ValueError):
            raise _mismatch(self, value) from None

    def dump(self, value: timedelta) -> float:
        return value.total_seconds()


@dataclass(frozen=True, slots=True)
class Point(Type):
    """A place on Earth: latitude -90..90 and longitude -180..180, in degrees."""

    def __str__(self) -> str:
        return "point"

    def zero(self) -> tuple[float, float]:
        return (0.0, 0.0)

    def coerce(self, value: Any) -> tuple[float, float]:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",")]
        if isinstance(value, Mapping):
            entries = cast("Mapping[str, Any]", value)
            value = [entries.get("lat"), entries.get("lng")]
        if not isinstance(value, list | tuple) or len(value) != 2:  # pyright: ignore[reportUnknownArgumentType]
            raise _mismatch(self, value)
        pair: list[Any] = list(value)  # pyright: ignore[reportUnknownArgumentType]
        lat, lng = (Number().coerce(part) for part in pair)
        if not (-90 <= lat <= 90 and -180 <= lng <= 180):
            raise TypeMismatch(f"{lat}, {lng} is not a latitude -90..90 and a longitude -180..180")
        return (lat, lng)

    def dump(self, value: Any) -> Any:
        return list(value)


@dataclass(frozen=True, slots=True)
class Unknown(Type):
    """The type of an expression that has a problem of its own: fits everywhere, so that one mistake is told once."""

    def __str__(self) -> str:
        return "unknown"

    def zero(self) -> Any:
        return None

    def coerce(self, value: Any) -> Any:
        return value


INT: Final = Int()
NUMBER: Final = Number()
BOOL: Final = Bool()
TEXT: Final = Text()
TIME: Final = Time()
DURATION: Final = Duration()
POINT: Final = Point()
UNKNOWN: Final = Unknown()

_SIMPLE: Final[dict[str, Type]] = {
    "int": INT,
    "number": NUMBER,
    "yes/no": BOOL,
    "text": TEXT,
    "time": TIME,
    "duration": DURATION,
    "point": POINT,
}
TYPE_WORDS: Final = (*_SIMPLE, "one of …", "list of …", "… per …", "record (…)")


def joined(one: Type | None, other: Type) -> Type:
    """The type that holds values of both (`npc` and `item`: `item or npc`); text where nothing else does."""
    if one is None or one == other:
        return other
    match one, other:
        case Ref(), Ref():
            return Ref(tuple(sorted({*one.kinds, *other.kinds})))
        case Int(), Int():
            return INT
        case ((Int() | Number()), (Int() | Number())):
            return NUMBER
        case _:
            return TEXT


class TypeSyntaxError(ValueError):
    """The words do not name a type. `args[0]` says why."""


def parse_type(text: str, is_kind: Callable[[str], bool]) -> Type:
    """The type that `text` names (`int 1..20`, `list of record (method text, amount number)`, `item`, …).

    `is_kind` tells whether a word is a declared kind. Raises `TypeSyntaxError`.
    """
    text = " ".join(text.split())
    if not text:
        raise TypeSyntaxError("the type is empty")
    if len(text) > 500:
        raise TypeSyntaxError("the type is too long")
    return _parse(text, is_kind, 0)


def _parse(text: str, is_kind: Callable[[str], bool], depth: int) -> Type:
    if depth > 8:
        raise TypeSyntaxError("the type is nested too deep")
    outer = _split_outside(text, " per ")
    if len(outer) > 1:
        key = _parse(outer[-1], is_kind, depth + 1)
        if not isinstance(key, Ref | Text | Choice):
            raise TypeSyntaxError(f"a map's key is a kind, a text or a choice, not {outer[-1]!r}")
        return MapOf(_parse(" per ".join(outer[:-1]), is_kind, depth + 1), key)
    if text.startswith("list of "):
        return ListOf(_parse(text[8:], is_kind, depth + 1))
    if text.startswith("one of "):
        options = tuple(part.strip() for part in text[7:].split(","))
        if not all(options) or len(set(options)) != len(options):
            raise TypeSyntaxError("the choices are empty or doubled")
        return Choice(options)
    if match := re.fullmatch(r"record ?\((.*)\)", text):
        fields: list[tuple[str, Type]] = []
        for part in _split_outside(match[1], ","):
            name, _, rest = part.strip().partition(" ")
            if not re.fullmatch(r"[a-z_][a-z0-9_]*", name) or not rest:
                raise TypeSyntaxError(f"a record's part is a name and a type, not {part.strip()!r}")
            fields.append((name, _parse(rest, is_kind, depth + 1)))
        if len({n for n, _ in fields}) != len(fields):
            raise TypeSyntaxError("a record names a part twice")
        return Record(tuple(fields))
    if match := re.fullmatch(r"int (-?\d{1,18}) ?\.\. ?(-?\d{1,18})", text):
        low, high = int(match[1]), int(match[2])
        if low > high:
            raise TypeSyntaxError(f"the range {low}..{high} is empty")
        return Int(low, high)
    if text in _SIMPLE:
        return _SIMPLE[text]
    kinds = tuple(sorted(text.split(" or ")))
    unknown = [kind for kind in kinds if not is_kind(kind)]
    if unknown:
        raise TypeSyntaxError(f"{unknown[0]!r} is neither a type nor a kind")
    return Ref(kinds)


def _split_outside(text: str, separator: str) -> list[str]:
    """`text` split at `separator` where no parenthesis is open."""
    parts, depth, start, index = [""], 0, 0, 0
    parts.clear()
    while index < len(text):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth == 0 and text.startswith(separator, index):
            parts.append(text[start:index])
            index = start = index + len(separator)
            continue
        index += 1
    parts.append(text[start:])
    return parts
