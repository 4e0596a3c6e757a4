"""Owns the functions that expressions may call: what each takes and gives, what it does, and an example.

`FUNCTIONS` is the register; the docs are made from it. A function is pure; those that draw or loop get the frame first.
"""

# A function runs on values whose types the checker has settled: its lambdas take any.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportArgumentType=false

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, cast

from kb.expressions.frame import EvaluationError, Frame
from kb.types import (
    BOOL,
    DURATION,
    EPOCH,
    INT,
    INT_MAX,
    INT_MIN,
    NUMBER,
    POINT,
    TEXT,
    TEXT_LIMIT,
    TIME,
    Collection,
    Int,
    ListOf,
    MapOf,
    Number,
    Ref,
    Type,
    TypeMismatch,
)

_PATTERN_BYTES: Final = 2**20
_STEPS_PER_LOOP: Final = 250
"""So many steps of a pattern (its instructions times the characters it reads) are one step of the turn's budget."""
Signature = Callable[[Sequence[Type]], Type | None]
"""The result type for these argument types, or None where they do not fit."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function: `takes` is how to write it, `example` an expression that is true."""

    name: str
    takes: str
    says: str
    example: str
    signature: Signature
    run: Callable[..., Any]
    framed: bool = False


FUNCTIONS: Final[dict[str, Function]] = {}


def _add(
    name: str,
    takes: str,
    says: str,
    example: str,
    signature: Signature,
    run: Callable[..., Any],
    framed: bool = False,
) -> None:
    FUNCTIONS[name] = Function(name, takes, says, example, signature, run, framed)


# --- Signatures -----------------------------------------------------------------------------------


def is_number(type_: Type) -> bool:
    return isinstance(type_, Int | Number)


def is_text(type_: Type) -> bool:
    from kb.types import Choice, Text

    return isinstance(type_, Text | Choice | Ref)


def element(type_: Type) -> Type | None:
    """What a list or collection holds."""
    if isinstance(type_, ListOf):
        return type_.item
    if isinstance(type_, Collection):
        return Ref((type_.kind,))
    return None


def _exactly(result: Type, *wanted: Callable[[Type], bool]) -> Signature:
    def signature(args: Sequence[Type]) -> Type | None:
        fits = len(args) == len(wanted) and all(want(arg) for want, arg in zip(wanted, args, strict=True))
        return result if fits else None

    return signature


def _is(*types: type[Type]) -> Callable[[Type], bool]:
    return lambda type_: isinstance(type_, types)


_time = _is(type(TIME))
_duration = _is(type(DURATION))
_point = _is(type(POINT))


def _list(type_: Type) -> bool:
    return element(type_) is not None


def _size(args: Sequence[Type]) -> Type | None:
    fits = len(args) == 1 and (is_text(args[0]) or _list(args[0]) or isinstance(args[0], MapOf))
    return INT if fits else None


def _of_numbers(args: Sequence[Type]) -> Type | None:
    """A list of numbers, or two and more numbers (or lists of one time or duration)."""
    parts = [element(args[0])] if len(args) == 1 and _list(args[0]) else list(args)
    if not parts or (len(parts) == 1 and len(args) == 1 and not _list(args[0])):
        return None
    if all(part is not None and is_number(part) for part in parts):
        return NUMBER if any(isinstance(part, Number) for part in parts) else INT
    if len(args) == 1 and isinstance(parts[0], type(TIME) | type(DURATION)):
        return parts[0]
    return None


def _sum(args: Sequence[Type]) -> Type | None:
    item = element(args[0]) if len(args) == 1 else None
    if item is None or not (is_number(item) or isinstance(item, type(DURATION))):
        return None
    return INT if isinstance(item, Int) else item


def _same_number(args: Sequence[Type]) -> Type | None:
    if len(args) != 1 or not is_number(args[0]):
        return None
    return NUMBER if isinstance(args[0], Number) else INT


def _element(args: Sequence[Type]) -> Type | None:
    return element(args[0]) if len(args) == 1 else None


def _sorted(args: Sequence[Type]) -> Type | None:
    item = element(args[0]) if len(args) == 1 else None
    return ListOf(item) if item is not None and (is_number(item) or is_text(item) or _time(item)) else None


def _join(args: Sequence[Type]) -> Type | None:
    item = element(args[0]) if args else None
    fits = item is not None and is_text(item) and (len(args) == 1 or (len(args) == 2 and is_text(args[1])))
    return TEXT if fits else None


# --- What they do ---------------------------------------------------------------------------------


def whole(value: float) -> int:
    """A number as an int, refusing what int64 cannot hold."""
    try:
        result = int(value)
    except (ValueError, OverflowError):
        raise EvaluationError(f"{value} is no whole number") from None
    if not INT_MIN <= result <= INT_MAX:
        raise EvaluationError(f"{result} is too large")
    return result


def _int(value: Any) -> int:
    if isinstance(value, datetime):
        return (value - EPOCH) // timedelta(seconds=1)
    if isinstance(value, str) and not re.fullmatch(r"\s*[-+]?\d{1,19}\s*", value, re.ASCII):
        raise EvaluationError(f"{value!r} is no whole number")
    return whole(int(value) if isinstance(value, str) else value)


def _double(value: Any) -> float:
    if isinstance(value, str) and (not value.isascii() or "_" in value):
        raise EvaluationError(f"{value!r} is no number")
    try:
        return float(value)
    except ValueError:
        raise EvaluationError(f"{value!r} is no number") from None


def show(value: Any) -> str:
    """A value as a text shows it: yes/no, numbers without needless zeros, times to the minute."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, timedelta):
        minutes, seconds = divmod(int(value.total_seconds()), 60)
        hours, minutes = divmod(minutes, 60)
        parts = [
            f"{n} {word}{'s' * (n != 1)}"
            for n, word in ((hours, "hour"), (minutes, "minute"), (seconds, "second"))
            if n
        ]
        return " ".join(parts) or "no time"
    if isinstance(value, tuple | list):
        words = [show(each) for each in value]  # pyright: ignore
        return "nothing" if not words else words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {show(each)}" for name, each in value.items()) or "nothing"  # pyright: ignore
    return str(value)


def _string(value: Any) -> str:
    return show(value) if not isinstance(value, bool) else ("true" if value else "false")


_AMOUNT = r"(\d{1,15}\.?\d{0,9}|\.\d{1,9})(h|ms|m|s|us|ns)"
_DURATION = re.compile(rf"([-+])?(0|(?:{_AMOUNT})+)", re.ASCII)
_MICROSECONDS = {"h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1_000, "us": 1, "ns": Decimal("0.001")}
_LONGEST = timedelta(seconds=315_576_000_000)


@lru_cache(maxsize=1024)
def duration(text: str) -> timedelta:
    """`1h30m` as a length of time."""
    match = _DURATION.fullmatch(text) if len(text) < 100 else None
    if match is None:
        raise EvaluationError(f'{text!r} is no length of time: write "1h30m"')
    parts = re.findall(_AMOUNT, match[2])
    try:
        total = timedelta(microseconds=int(sum(Decimal(amount) * _MICROSECONDS[unit] for amount, unit in parts)))
    except OverflowError:
        total = timedelta.max
    if total > _LONGEST:
        raise EvaluationError(f"{text!r} is longer than 10,000 years")
    return -total if match[1] == "-" else total


@lru_cache(maxsize=1024)
def timestamp(text: str | int) -> datetime:
    """An RFC 3339 text, or seconds since 1970, as a time."""
    try:
        return EPOCH + timedelta(seconds=text) if isinstance(text, int) else TIME.coerce(text)
    except (TypeMismatch, OverflowError):
        raise EvaluationError(f'{text!r} is no time: write "2026-01-31T18:00:00Z"') from None


@lru_cache(maxsize=128)
def pattern(source: str) -> Any:
    """A regular expression of RE2, as CEL has them: searched in linear time, whatever the pattern. Imported when first used."""
    import re2

    wrong = cast("type[Exception]", re2.error)
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PATTERN_BYTES
    try:
        return re2.compile(source, options=options)
    except (wrong, UnicodeEncodeError) as error:
        said = error.args[0]
        what = said.decode(errors="replace") if isinstance(said, bytes) else "it is no text"
        raise EvaluationError(f"the pattern is wrong: {what}") from None


def _matches(frame: Frame, text: str, source: str) -> bool:
    found = pattern(source)
    frame.spend(found.programsize * len(text) // _STEPS_PER_LOOP)
    return found.search(text) is not None


def _distance(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Metres along the sphere (haversine, mean radius 6,371,008.8 m)."""
    lat1, lng1, lat2, lng2 = (math.radians(x) for x in (*a, *b))
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lng2 - lng1) / 2) ** 2
    return 2 * 6_371_008.8 * math.asin(min(1.0, math.sqrt(h)))


def _first(values: Sequence[Any]) -> Any:
    if not values:
        raise EvaluationError("the list is empty")
    return values[0]


def _last(values: Sequence[Any]) -> Any:
    if not values:
        raise EvaluationError("the list is empty")
    return values[-1]


def _extreme(choose: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any) -> Any:
        values = args[0] if len(args) == 1 else args
        if not values:
            raise EvaluationError("the list is empty")
        return choose(values)

    return run


def _total(values: Sequence[Any]) -> Any:
    if values and isinstance(values[0], timedelta):
        return sum(values, start=timedelta())
    total: Any = sum(values)
    return whole(total) if isinstance(total, int) else total


def _abs(value: Any) -> Any:
    return whole(abs(value)) if isinstance(value, int) else abs(value)


def _round(value: float) -> int:
    if not math.isfinite(value):
        return whole(value)
    below = math.floor(abs(value))
    return whole((below + (abs(value) - below >= 0.5)) * (1 if value >= 0 else -1))


def _roll(frame: Frame, low: int, high: int) -> int:
    if low > high:
        raise EvaluationError(f"nothing lies in {low}..{high}")
    return frame.draw(low, high)


def _pick(frame: Frame, values: Sequence[Any]) -> Any:
    if not values:
        raise EvaluationError("the list is empty")
    return values[frame.draw(0, len(values) - 1)]


def _units(seconds: int) -> Callable[[datetime, datetime], int]:
    return lambda a, b: int((a - b).total_seconds() / seconds)


def _joined(values: Sequence[str], separator: str = ", ") -> str:
    text = separator.join(values)
    if len(text) > TEXT_LIMIT:
        raise EvaluationError("the text is too long")
    return text


def _part(name: str) -> Callable[[Any], int]:
    def run(value: Any) -> int:
        if isinstance(value, timedelta):
            whole_seconds = abs(value) // timedelta(seconds=1) * (1 if value >= timedelta() else -1)
            return int(whole_seconds / {"hour": 3600, "minute": 60, "second": 1}[name])
        return getattr(value, name)

    return run


def _milliseconds(value: Any) -> int:
    if isinstance(value, timedelta):
        return abs(value).microseconds // 1_000 * (1 if value >= timedelta() else -1)
    return value.microsecond // 1_000


def _day_of_week(value: datetime) -> int:
    return value.isoweekday() % 7


def _time_or_duration(args: Sequence[Type]) -> Type | None:
    return INT if len(args) == 1 and (_time(args[0]) or _duration(args[0])) else None


def _scalar(args: Sequence[Type]) -> bool:
    return len(args) == 1 and (is_number(args[0]) or is_text(args[0]))


_add("size", "text, list or map", "how many characters, entries or keys", 'size("lamp") == 4', _size, len)
_add(
    "startsWith",
    "text, text",
    "whether a text begins so",
    '"lamp".startsWith("la")',
    _exactly(BOOL, is_text, is_text),
    str.startswith,
)
_add(
    "endsWith",
    "text, text",
    "whether a text ends so",
    '"lamp".endsWith("mp")',
    _exactly(BOOL, is_text, is_text),
    str.endswith,
)
_add(
    "contains",
    "text, text",
    "whether a text has another in it",
    '"lamp".contains("am")',
    _exactly(BOOL, is_text, is_text),
    lambda a, b: b in a,
)
_add(
    "matches",
    "text, pattern",
    "whether a regular expression ([RE2](https://github.com/google/re2/wiki/Syntax)) is found in a text",
    '"lamp".matches("^l.*p$")',
    _exactly(BOOL, is_text, is_text),
    _matches,
    framed=True,
)
_add("lower", "text", "in small letters", 'lower("LAMP") == "lamp"', _exactly(TEXT, is_text), str.lower)
_add("upper", "text", "in capitals", 'upper("lamp") == "LAMP"', _exactly(TEXT, is_text), str.upper)
_add(
    "trim",
    "text",
    "without spaces at its ends",
    'trim(" lamp ") == "lamp"',
    _exactly(TEXT, is_text),
    str.strip,
)
_add(
    "join",
    "list of text, separator",
    "the texts in one, by default with commas",
    'join(["a", "b"], "-") == "a-b"',
    _join,
    _joined,
)
_add(
    "int",
    "number, text or time",
    "as a whole number (towards zero)",
    "int(2.9) == 2",
    lambda a: INT if _scalar(a) or (len(a) == 1 and _time(a[0])) else None,
    _int,
)
_add(
    "double",
    "number or text",
    "as a number with a fraction",
    'double("2.5") == 2.5',
    lambda a: NUMBER if _scalar(a) else None,
    _double,
)
_add(
    "string",
    "any value",
    "as text, as it is shown: numbers with 15 digits at most, times to the minute, lengths of time in words",
    'string(2) == "2"',
    lambda a: TEXT if len(a) == 1 and element(a[0]) is None else None,
    _string,
)
_add(
    "duration",
    "text",
    "a length of time",
    'duration("1h30m") == duration("90m")',
    _exactly(DURATION, is_text),
    duration,
)
_add(
    "timestamp",
    "text, or seconds since 1970",
    "a time",
    'timestamp("2026-01-31T18:00:00Z").getHours() == 18',
    lambda a: TIME if len(a) == 1 and (is_text(a[0]) or isinstance(a[0], Int)) else None,
    timestamp,
)
_add(
    "getHours",
    "time or duration",
    "the hour of the day, or the hours in all",
    'timestamp("2026-01-31T18:05:00Z").getHours() == 18',
    _time_or_duration,
    _part("hour"),
)
_add(
    "getMinutes",
    "time or duration",
    "the minute of the hour, or the minutes in all",
    'duration("2h").getMinutes() == 120',
    _time_or_duration,
    _part("minute"),
)
_add(
    "getSeconds",
    "time or duration",
    "the second of the minute, or the seconds in all",
    'duration("2m").getSeconds() == 120',
    _time_or_duration,
    _part("second"),
)
_add(
    "getMilliseconds",
    "time or duration",
    "the thousandths of its second",
    'timestamp("2026-01-31T00:00:01.250Z").getMilliseconds() == 250',
    _time_or_duration,
    _milliseconds,
)
_add(
    "getDayOfWeek",
    "time",
    "0 for Sunday to 6",
    'timestamp("2026-02-01T00:00:00Z").getDayOfWeek() == 0',
    _exactly(INT, _time),
    _day_of_week,
)
_add(
    "getDate",
    "time",
    "the day of the month, from 1",
    'timestamp("2026-01-31T00:00:00Z").getDate() == 31',
    _exactly(INT, _time),
    lambda t: t.day,
)
_add(
    "getDayOfMonth",
    "time",
    "the day of the month, 0 for the first",
    'timestamp("2026-01-31T00:00:00Z").getDayOfMonth() == 30',
    _exactly(INT, _time),
    lambda t: t.day - 1,
)
_add(
    "getDayOfYear",
    "time",
    "the day of the year, 0 for the first of January",
    'timestamp("2026-02-01T00:00:00Z").getDayOfYear() == 31',
    _exactly(INT, _time),
    lambda t: t.timetuple().tm_yday - 1,
)
_add(
    "getMonth",
    "time",
    "the month, 0 for January",
    'timestamp("2026-01-31T00:00:00Z").getMonth() == 0',
    _exactly(INT, _time),
    lambda t: t.month - 1,
)
_add(
    "getFullYear",
    "time",
    "the year",
    'timestamp("2026-01-31T00:00:00Z").getFullYear() == 2026',
    _exactly(INT, _time),
    lambda t: t.year,
)
_add("sum", "list of numbers", "all together; 0 for none", "sum([1, 2, 3]) == 6", _sum, _total)
_add(
    "count",
    "list",
    "how many there are",
    "count([1, 2, 3]) == 3",
    lambda a: INT if len(a) == 1 and _list(a[0]) else None,
    len,
)
_add("min", "numbers, or a list", "the smallest", "min(3, 2) == 2", _of_numbers, _extreme(min))
_add("max", "numbers, or a list", "the largest", "max([3, 2]) == 3", _of_numbers, _extreme(max))
_add("abs", "number", "without its sign", "abs(-2) == 2", _same_number, _abs)
_add(
    "round",
    "number",
    "the nearest whole number, halves away from zero",
    "round(2.5) == 3",
    lambda a: INT if len(a) == 1 and is_number(a[0]) else None,
    _round,
)
_add(
    "floor",
    "number",
    "the whole number below",
    "floor(-2.5) == -3",
    lambda a: INT if len(a) == 1 and is_number(a[0]) else None,
    lambda x: whole(math.floor(x)) if math.isfinite(x) else whole(x),
)
_add(
    "ceil",
    "number",
    "the whole number above",
    "ceil(2.1) == 3",
    lambda a: INT if len(a) == 1 and is_number(a[0]) else None,
    lambda x: whole(math.ceil(x)) if math.isfinite(x) else whole(x),
)
_add(
    "days",
    "time, time",
    "whole days from the second to the first",
    'days(timestamp("2026-01-31T00:00:00Z"), timestamp("2026-01-01T00:00:00Z")) == 30',
    _exactly(INT, _time, _time),
    _units(86_400),
)
_add(
    "hours",
    "time, time",
    "whole hours from the second to the first",
    'hours(timestamp("2026-01-01T05:30:00Z"), timestamp("2026-01-01T00:00:00Z")) == 5',
    _exactly(INT, _time, _time),
    _units(3_600),
)
_add(
    "minutes",
    "time, time",
    "whole minutes from the second to the first",
    'minutes(timestamp("2026-01-01T00:05:30Z"), timestamp("2026-01-01T00:00:00Z")) == 5',
    _exactly(INT, _time, _time),
    _units(60),
)
_add(
    "distance",
    "point, point",
    "metres along the Earth",
    "distance(player.point, player.point) == 0.0",
    _exactly(NUMBER, _point, _point),
    _distance,
)
_add(
    "sort",
    "list",
    "in order, smallest first",
    "sort([3, 1, 2]) == [1, 2, 3]",
    _sorted,
    lambda values: tuple(sorted(values)),
)
_add("first", "list", "the first entry", "first([3, 1]) == 3", _element, _first)
_add("last", "list", "the last entry", "last([3, 1]) == 1", _element, _last)
_add(
    "roll",
    "low, high",
    "a whole number drawn from the turn's recorded seed",
    "roll(1, 6) <= 6",
    _exactly(INT, _is(Int), _is(Int)),
    _roll,
    framed=True,
)
_add(
    "pick",
    "list",
    "an entry drawn by the turn's recorded seed",
    "pick([7]) == 7",
    _element,
    _pick,
    framed=True,
)
