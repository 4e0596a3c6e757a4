"""Expressions against Google's engine: typed random programs agree in value and in failing, and every difference is known."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from cel_expr_python import cel
from expr_base import Frame, names
from hypothesis import given, settings
from hypothesis import strategies as st

from kb.diagnostics import Span
from kb.expressions import EvaluationError, compile_expression
from kb.types import BOOL, DURATION, EPOCH, INT, NUMBER, TEXT, TIME, ListOf, MapOf, Type

HERE = Path(__file__).parent
OURS: dict[str, Type] = {
    "a": INT, "b": INT, "x": NUMBER, "y": NUMBER, "p": BOOL, "q": BOOL, "s": TEXT, "t": TEXT, "d": DURATION, "e": TIME,
    "xs": ListOf(INT), "ys": ListOf(TEXT), "zs": ListOf(ListOf(INT)), "m": MapOf(INT, TEXT),
}  # fmt: skip
T = cel.Type
THEIRS = cel.NewEnv(
    variables={
        "a": T.INT, "b": T.INT, "x": T.DOUBLE, "y": T.DOUBLE, "p": T.BOOL, "q": T.BOOL, "s": T.STRING, "t": T.STRING,
        "d": T.DURATION, "e": T.TIMESTAMP, "xs": T.List(T.INT), "ys": T.List(T.STRING), "zs": T.List(T.List(T.INT)),
        "m": T.Map(T.STRING, T.INT),
    }
)  # fmt: skip
VALUES: dict[str, Any] = {
    "a": 3, "b": -2, "x": 2.5, "y": -0.0, "p": True, "q": False, "s": "lamp", "t": "é\U0001f600",
    "d": timedelta(hours=1, minutes=30, microseconds=5), "e": datetime(2026, 2, 28, 23, 59, 58, 123456, tzinfo=UTC),
    "xs": [1, 2, 3], "ys": ["a", "b", "a"], "zs": [[1], [2, 3], []], "m": {"a": 1, "b": 2},
}  # fmt: skip
NAMES = names(**OURS)


def plain(value: Any) -> Any:
    """A value so that two of one repr are one value: no tuples, maps in order, one NaN."""
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in sorted(value)}
    return "NaN" if isinstance(value, float) and value != value else value


def frozen(value: Any) -> Any:
    return tuple(map(frozen, value)) if isinstance(value, list) else value


def ours(source: str, values: dict[str, Any]) -> str:
    expr, problems = compile_expression(source, Span("a.md", 1, 1, 1 + len(source)), NAMES)
    if expr is None:
        return f"refused: {problems[0].message}"
    try:
        return repr(plain(expr(Frame(**{name: frozen(value) for name, value in values.items()}))))
    except EvaluationError:
        return "error"


def theirs(source: str, values: dict[str, Any]) -> str:
    try:
        program = THEIRS.compile(source)
    except RuntimeError as error:
        return f"refused: {error}"
    try:
        result = program.eval(data=values)
    except RuntimeError:  # A map with one key twice is told so.
        return "error"
    return "error" if result.type().name() == T.ERROR.name() else repr(plain(result.plain_value()))


# --- Typed random programs ------------------------------------------------------------------------

INTS = ["0", "1", "2", "-3", "7", "9223372036854775807", "-9223372036854775808", "0x1F"]
NUMBERS = ["0.0", "-0.0", "1.5", "-2.0", "1e300", "0.1", ".5", "1e-7", "9007199254740993.0"]
TEXTS = [
    '""', '"lamp"', "'é'", '"\\u00e9"', '"\\U0001F600"', '"\\x41\\101\\n\\t\\\\"', 'r"\\d+"', '"a"', '"12"', '"-3"', '"1.5"',
    '"1h30m"', '"-90s"', '"2026-01-31T18:00:00Z"', '"2000-02-29T01:02:03.25+05:30"', '"b"',
]  # fmt: skip
SPANS = ['"1h"', '"-1h30m"', '"90s"', '"1.5s"', '"1ms"', '"250us"', '"0"', '".5m"', '"+2h0m1s"']
TIMES = [
    '"2026-01-31T18:00:00Z"',
    '"2000-02-29T23:59:59.999Z"',
    '"1969-12-31T23:59:59.25Z"',
    '"2024-12-31T00:00:00-08:00"',
]
VARIABLES = {
    "int": ["a", "b"], "number": ["x", "y"], "bool": ["p", "q"], "text": ["s", "t"], "duration": ["d"], "time": ["e"],
    "ints": ["xs"], "texts": ["ys"], "lists": ["zs"], "map": ["m"],
}  # fmt: skip
LITERALS: dict[str, list[str]] = {
    "int": INTS, "number": NUMBERS, "text": TEXTS, "bool": ["true", "false"],
    "duration": [f"duration({each})" for each in SPANS], "time": [f"timestamp({each})" for each in TIMES],
    "ints": ["[]", "[1]", "[3, 1, 2]"], "texts": ['["a"]', '["a", "lamp"]'], "lists": ["[[1], [2, 3]]", "[[]]"],
    "map": ['{"a": 1}', '{"a": 0, "lamp": 5}'],
}  # fmt: skip
ITEM = {"ints": "int", "texts": "text", "lists": "ints", "map": "text"}
LIST_OF = {"int": "ints", "text": "texts", "ints": "lists"}
PARTS = [
    "FullYear",
    "Month",
    "Date",
    "DayOfMonth",
    "DayOfWeek",
    "DayOfYear",
    "Hours",
    "Minutes",
    "Seconds",
    "Milliseconds",
]
SPAN_PARTS = ["Hours", "Minutes", "Seconds", "Milliseconds"]
ORDERED = ["int", "number", "text", "bool", "duration", "time"]
# What stands for each type: a form whose {types} are filled by programs of those types.
FORMS: dict[str, list[str]] = {
    "int": [
        "({int} + {int})", "({int} - {int})", "({int} * {int})", "({int} / {int})", "({int} % {int})", "-({int})", "-a", "- -b",
        "size({text})", "{ints}.size()", "size({lists})", "{map}.size()", "int({number})", "int({text})", "int({time})",
        "{ints}[{int}]", '{map}["a"]', "({bool} ? {int} : {int})", *(f"{{time}}.get{part}()" for part in PARTS),
        *(f"{{duration}}.get{part}()" for part in SPAN_PARTS),
    ],
    "number": [
        "({number} + {number})", "({number} - {number})", "({number} * {number})", "({number} / {number})", "-({number})",
        "double({int})", "double({text})", "({bool} ? {number} : {number})",
    ],
    "text": ["({text} + {text})", "string({int})", "string({bool})", "{texts}[{int}]", "({bool} ? {text} : {text})"],
    "bool": [
        "({bool} && {bool})", "({bool} || {bool})", "!({bool})", "!{bool}", "({bool} ? {bool} : {bool})",
        *(f"({{{each}}} {op} {{{each}}})" for each in ORDERED for op in ("==", "!=", "<", "<=", ">", ">=")),
        *(f"({{{each}}} {op} {{{each}}})" for each in ("ints", "texts", "lists", "map") for op in ("==", "!=")),
        "({int} in {ints})", "({text} in {texts})", "({ints} in {lists})", "({text} in {map})", "!({text} in {texts})",
        "{text}.startsWith({text})", "{text}.endsWith({text})", "{text}.contains({text})", "{text}.matches({text})",
    ],
    "duration": ["({duration} + {duration})", "({duration} - {duration})", "({time} - {time})", "duration({text})",
                 "({bool} ? {duration} : {duration})"],
    "time": ["({time} + {duration})", "({duration} + {time})", "({time} - {duration})", "timestamp({text})",
             "timestamp({int})", "({bool} ? {time} : {time})"],
    "ints": ["[{int}, {int}]", "({ints} + {ints})", "{lists}[{int}]", "({bool} ? {ints} : {ints})"],
    "texts": ["[{text}]", "({texts} + {texts})"],
    "lists": ["[{ints}, {ints}]", "({lists} + {lists})"],
    "map": ['{{"a": {int}, "é": {int}}}', "({bool} ? {map} : {map})"],
}  # fmt: skip
Draw = Callable[[Any], Any]


def program(draw: Draw, type_: str, depth: int, bound: tuple[tuple[str, str], ...] = ()) -> str:
    """A random program of a type; `bound` are loop variables with their types, the innermost last."""
    hidden = {name for name, _ in bound}
    mine = [name for name, each in dict(bound).items() if each == type_]
    leaves = [*mine, *(name for name in VARIABLES[type_] if name not in hidden), *LITERALS[type_]]
    if depth <= 0:
        return draw(st.sampled_from(leaves))
    loops = (
        ["all", "exists", "exists_one"]
        if type_ == "bool"
        else ["filter", "map"]
        if type_ in ITEM.keys() - {"map"}
        else []
    )
    form = draw(st.sampled_from([*leaves[:4], *FORMS[type_], *loops * 3]))
    if form in loops and len(bound) < 3:
        return loop(draw, type_, form, depth, bound)
    if form in loops or "{" not in form or form in leaves:
        return form if form in leaves else leaves[0]
    pieces = Formatter().parse(form)
    return "".join(text + (program(draw, part, depth - 1, bound) if part else "") for text, part, _, _ in pieces)


def loop(draw: Draw, type_: str, kind: str, depth: int, bound: tuple[tuple[str, str], ...]) -> str:
    # A map is gone through in no order of theirs.
    overs = ["ints", "texts", "lists", *(["map"] if kind != "map" else [])]
    over = draw(st.sampled_from(overs)) if kind != "filter" else type_
    var = draw(st.sampled_from(["i", "j", "a", "xs"]))  # Also names that mean something outside.
    outer = program(draw, over, depth - 1, bound)
    inner = (*bound, (var, ITEM[over]))
    test = program(draw, "bool", depth - 1, inner)
    if kind != "map":
        return f"{outer}.{kind}({var}, {test})"
    result = program(draw, ITEM[type_], depth - 1, inner)
    return f"{outer}.map({var}, {result})" if draw(st.booleans()) else f"{outer}.map({var}, {test}, {result})"


@st.composite
def programs(draw: Draw) -> str:
    return program(draw, draw(st.sampled_from([*FORMS, "bool", "bool"])), draw(st.integers(1, 4)))


small = st.integers(-3, 9)
states = st.fixed_dictionaries(
    {
        "a": small,
        "b": st.integers(-(2**63), 2**63 - 1),
        "x": st.floats(allow_nan=False, allow_infinity=False),
        "y": st.sampled_from([0.0, -0.0, 1.0, -2.5]),
        "p": st.booleans(),
        "q": st.booleans(),
        "s": st.sampled_from(["", "lamp", "12", "é", "1h", "2026-01-31T18:00:00Z", "(", "1_0", "\u0663", " 1"]),
        "t": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4),
        "d": st.timedeltas(timedelta(days=-999), timedelta(days=999)),
        "e": st.integers(-(2**51), 2**52).map(lambda micros: EPOCH + timedelta(microseconds=micros)),
        "xs": st.lists(small, max_size=4),
        "ys": st.lists(st.sampled_from(["", "a", "b", "lamp"]), max_size=3),
        "zs": st.lists(st.lists(small, max_size=2), max_size=3),
        "m": st.dictionaries(st.sampled_from(["b", "c", "lamp"]), small, max_size=3).map(lambda m: {"a": 1, **m}),
    }
)


@settings(max_examples=1_500, deadline=None)
@given(programs(), states)
def test_typed_programs_agree_in_value_and_in_failing(source: str, values: dict[str, Any]) -> None:
    expected = theirs(source, values)
    found = ours(source, values)
    if found.startswith("refused") and not expected.startswith("refused"):
        # A literal that cannot be read is told when checked; there it fails when it runs, if it does.
        assert re.search("is no (length of )?time|pattern is wrong", found)
        return
    assert found == expected


# --- What differs, and is meant to ----------------------------------------------------------------

PAGE = (HERE.parents[1] / "docs" / "reference" / "functions.md").read_text(encoding="utf-8")
DIFFERENCES = [
    tuple(cell.strip(" `") for cell in line.strip("| ").split(" | "))
    for line in PAGE.split("## What differs from CEL")[1].splitlines()
    if line.startswith("| `")
]


@pytest.mark.parametrize(("source", "here", "there"), [row[:3] for row in DIFFERENCES])
def test_a_difference_is_what_the_reference_says(source: str, here: str, there: str) -> None:
    for said, found in ((here, ours(source, VALUES)), (there, theirs(source, VALUES))):
        assert found == said or (said == "refused" and found.startswith("refused"))
