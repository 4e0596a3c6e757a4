"""Expressions: CEL with declared names, checked with exact columns, equal to Google's engine where both apply."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import re2
from cel_expr_python import cel
from expr_base import Frame, names
from hypothesis import given, settings
from hypothesis import strategies as st

from kb.diagnostics import Diagnostic, Span
from kb.expressions import EvaluationError, Expr, compile_expression, compile_text
from kb.expressions.functions import FUNCTIONS
from kb.types import BOOL, Type


def compiled(source: str, expected: Type | None = None) -> tuple[Expr | None, list[Diagnostic]]:
    return compile_expression(source, Span("a.md", 3, 5, 5 + len(source)), names(), expected)


def value(source: str, **values: Any) -> Any:
    expr, problems = compiled(source)
    assert expr is not None, problems
    return expr(Frame(**values))


@pytest.mark.parametrize(
    ("source", "code", "columns", "hint"),
    [
        ("item.locaton == player.location", "RB203", (10, 17), "`location`"),
        ('item.location == "hal"', "RB207", (22, 27), "`hall`"),
        ("bras_lamp.name == s", "RB202", (5, 14), "`brass_lamp`"),
        ('a == "x"', "RB204", (5, 13), "one type"),
        ("a +", "RB201", (7, 8), "value"),
        ("a = b", "RB201", (7, 8), "=="),
        ('action.direction == "nort"', "RB204", (25, 31), "`north`"),
        ('s.startWith("x")', "RB208", (7, 16), "`startsWith`"),
        ("xs.map(y, z)", "RB202", (15, 16), ""),
        ("!a", "RB204", (6, 7), "yes/no"),
    ],
)
def test_a_mistake_is_told_at_its_columns_with_what_is_near(
    source: str, code: str, columns: tuple[int, int], hint: str
) -> None:
    expr, problems = compiled(source)
    assert expr is None
    (found,) = problems
    assert (found.code, (found.span.column, found.span.end_column)) == (code, columns)
    assert hint in found.hint


def test_several_mistakes_of_one_expression_are_told_at_once() -> None:
    _, problems = compiled("foo && item.bar == 1 && s + 1 == t")
    assert [each.code for each in problems] == ["RB202", "RB203", "RB204"]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_the_example_of_a_function_is_true(name: str) -> None:
    assert value(FUNCTIONS[name].example) is True


def test_a_field_of_nothing_is_the_types_zero() -> None:
    assert value('item.location.name == "Hall"') is True
    assert value('item.name == ""', item="") is True


def test_a_search_by_a_field_is_recognised_and_asks_the_index() -> None:
    expr, _ = compiled("items.exists(i, i.location == player.location && i.name == s)")
    assert expr is not None
    assert expr.searches == {("item", "location")}
    assert expr(Frame(s="brass lamp")) is True


def test_false_and_an_error_is_false_whichever_comes_first() -> None:
    assert value("1 / a == 1 && false", a=0) is False
    assert value("1 / a == 1 || true", a=0) is True
    with pytest.raises(EvaluationError, match="division by zero"):
        value("1 / a == 1 && true", a=0)


def test_an_expression_survives_pickling() -> None:
    expr, _ = compiled("a + b == 3")
    again = pickle.loads(pickle.dumps(expr))
    assert again == expr
    assert again(Frame(a=1, b=2)) is True


def test_text_shows_names_articles_lists_and_plain_numbers() -> None:
    source = "{The item} and {a item} lie in {item.location}: {player.inventory}, {x}, {p}, {{as it is}}."
    text, problems = compile_text(source, Span("a.md", 1, 1, len(source) + 1), names())
    assert text is not None, problems
    assert (
        text(Frame(x=2.50, p=True)) == "The brass lamp and a brass lamp lie in Hall: brass lamp, 2.5, yes, {as it is}."
    )


# --- Against Google's engine ----------------------------------------------------------------------

numbers = st.sampled_from(["a", "b", "0", "1", "7", "(-3)", "9223372036854775807"])
texts = st.sampled_from(["s", "t", '""', '"lamp"', '"é"'])


def arithmetic(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda x, op, y: f"({x} {op} {y})", inner, st.sampled_from("+-*/%"), inner)


sums = st.recursive(numbers, arithmetic, max_leaves=5)
comparisons = st.one_of(
    st.builds(lambda x, op, y: f"{x} {op} {y}", sums, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), sums),
    st.builds(lambda x, op, y: f"{x} {op} {y}", texts, st.sampled_from(["==", "!=", "<", ">="]), texts),
    st.builds(lambda x, f, y: f"{x}.{f}({y})", texts, st.sampled_from(["startsWith", "endsWith", "contains"]), texts),
    st.builds(lambda x, k: f"xs.{k}(e, e > {x})", sums, st.sampled_from(["all", "exists", "exists_one"])),
    st.builds(lambda x: f"{x} in xs", sums),
    st.builds(lambda x: f"size(xs.map(e, e + {x})) == 3", sums),
    st.sampled_from(["p", "q", "size(s) == 4", "xs[1] == 2", "xs[a] == 1"]),
)
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds(lambda x, op, y: f"({x} {op} {y})", inner, st.sampled_from(["&&", "||"]), inner),
        st.builds(lambda x: f"!({x})", inner),
        st.builds(lambda c, x, y: f"({c} ? {x} : {y})", inner, inner, inner),
    ),
    max_leaves=6,
)
THEIRS = cel.NewEnv(
    variables={
        "a": cel.Type.INT, "b": cel.Type.INT, "p": cel.Type.BOOL, "q": cel.Type.BOOL, "s": cel.Type.STRING,
        "t": cel.Type.STRING, "xs": cel.Type.List(cel.Type.INT),
    }
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(
    conditions, st.integers(-5, 5), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.sampled_from(["", "lamp", "é"])
)
def test_our_compiler_and_googles_engine_agree(source: str, a: int, b: int, p: bool, s: str) -> None:
    values: dict[str, Any] = {"a": a, "b": b, "p": p, "q": not p, "s": s, "t": "lamp", "xs": [1, 2, 3]}
    expr, problems = compiled(source, BOOL)
    assert expr is not None, problems
    theirs = str(THEIRS.compile(source).eval(data=values))
    try:
        ours = str(expr(Frame(**{**values, "xs": (1, 2, 3)}))).lower()
    except EvaluationError:
        ours = "error"
    assert ours == (theirs if theirs in {"true", "false"} else "error"), (source, values, theirs)


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet="ab.()[]{}!&|=<>+-*/%?:,\"'` 1\\é\n\x00in", max_size=60))
def test_no_text_crashes_the_compiler_or_the_expression(source: str) -> None:
    expr, problems = compiled(source)
    assert (expr is None) == bool(problems)
    if expr is not None:
        with contextlib.suppress(EvaluationError):
            expr(Frame(a=1, b=2))


WRAPPERS = [
    ("(", ")"), ("!", ""), ("-", ""), ("[", "]"), ("[", "][0]"), ("p ? a : ", ""), ("p ? ", " : a"), ("", ".size()"),
    ("size(", ")"), ("xs.map(i, ", ")"), ('{"k": ', "}"), ("a + ", ""), ("", " + a"), ("p || ", ""), ("", " || p"),
    ("a in [", "]"), ("has(", ")"), ("", ".location"), ("xs[", "]"), ("(", " + a + a + a + a + a + a)"),
    ("(", " && p && p && p && p)"), ("(", ").trim().trim().trim()"),
]  # fmt: skip


def deep(frames: int, call: Callable[[], None]) -> None:
    """Calls from a stack that is deep already, as a server's is."""
    if frames:
        deep(frames - 1, call)
    else:
        call()


def refused_or_whole(source: str) -> None:
    """Either there is a problem within the source, or everything that comes after can be done with the expression."""
    expr, problems = compiled(source)
    assert (expr is None) == bool(problems)
    for each in problems:
        assert each.code.startswith("RB2")
        assert 5 <= each.span.column < each.span.end_column <= 6 + len(source)
    if expr is not None:
        assert pickle.loads(pickle.dumps(expr)) == expr
        with contextlib.suppress(EvaluationError):
            expr(Frame(a=1, b=2, p=True, q=False, s="x", t="y", x=1.5, xs=(1, 2)))


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(WRAPPERS), st.integers(1, 60)), max_size=8),
    st.sampled_from(["a", "p", "s", "xs", "item", "1", '"x"']),
)
def test_what_nests_without_end_is_a_problem_in_its_place(wraps: list[tuple[tuple[str, str], int]], core: str) -> None:
    for (before, after), times in wraps:
        core = before * times + core + after * times
    deep(250, lambda: refused_or_whole(core[:2_000]))


@pytest.mark.parametrize(
    "before", ["(", "!", "-", "[", "p?", "p?a:", "a+", "p||", "size(", "xs.map(i,", "xs[", "{1:", "p&&!("]
)
def test_a_beginning_without_an_end_is_a_problem(before: str) -> None:
    deep(250, lambda: refused_or_whole((before * 2_000)[:2_000]))


@pytest.mark.parametrize(
    "source",
    [
        "a" + "+a" * 99 + "==1",
        "p" + "||p" * 600,
        "a" * 2_001,
        "(" * 38 + "a" + ("+a" * 24 + ")") * 38,
        "(" * 38 + "p" + ("||p" * 15 + ")") * 38,
        "item" + ".location" * 100,
        "[" * 30 + "1" + "]+[1]" * 30 + "]" * 9,
    ],
)
def test_a_chain_without_end_is_refused(source: str) -> None:
    _, problems = compiled(source)
    assert [each.code for each in problems] == ["RB201"]


def test_a_chain_of_ninety_nine_is_taken() -> None:
    assert value("a" + "+a" * 98, a=1) == 99


# --- Patterns -------------------------------------------------------------------------------------

HOSTILE = [
    "(a*)*b", "(a|a)*b", "(a|aa)+$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*)*(.*)*(.*)*z", "((a?){30}){30}b",
    "(?:a|b|ab){0,500}c", ".{0,900}x.{0,900}y", "(.?){300}" * 6 + "z", "[^x]{1000}[^y]{1000}$",
]  # fmt: skip


@pytest.mark.parametrize("pattern", HOSTILE)
def test_a_hostile_pattern_costs_linear_time_or_the_turns_budget(pattern: str) -> None:
    expr, problems = compiled("s.matches(t)", BOOL)
    assert expr is not None, problems
    for text in ("a" * 4_000, "ab" * 2_000, "x" * 3_999 + "y"):
        frame = Frame(s=text, t=pattern)
        expr(frame)
        assert frame.spent == len(text) * re2.compile(pattern).programsize // 250


def test_a_pattern_that_is_too_dear_ends_with_the_budget() -> None:
    class Poor(Frame):
        def spend(self, steps: int) -> None:
            if steps > 200_000:
                raise EvaluationError("the budget is spent")

    expr, _ = compiled("s.matches(t)")
    assert expr is not None
    with pytest.raises(EvaluationError, match="budget"):
        expr(Poor(s="é" * 20_000, t=HOSTILE[-2]))


@pytest.mark.parametrize("pattern", ["(a", "a{1001}", "(?=a)", "\\1", "[b-a]", "*", "\\pX", "((a{99}){99}){99}"])
def test_a_pattern_that_is_none_is_told_when_checked_and_is_an_error_when_it_runs(pattern: str) -> None:
    written = pattern.replace("\\", "\\\\")
    expr, (found,) = compiled(f's.matches("{written}")')
    assert expr is None
    assert (found.code, found.span.column) == ("RB208", 15)
    with pytest.raises(EvaluationError, match="pattern is wrong"):
        value("s.matches(t)", s="a", t=pattern)


def test_text_that_no_encoding_holds_matches_nothing_and_breaks_nothing() -> None:
    for s, t in (("\ud800", "a"), ("a", "\ud800"), ("a\x00b", "a.b")):
        with contextlib.suppress(EvaluationError):
            assert value("s.matches(t)", s=s, t=t) is (s == "a\x00b")


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet="ab.*+?()[]{}|^$\\\\d\\wé1,-:iP<>", max_size=14), st.text(alphabet="abéÉ1 \n", max_size=12))
def test_patterns_mean_what_they_mean_to_googles_engine(pattern: str, text: str) -> None:
    theirs = str(THEIRS.compile("s.matches(t)").eval(data={"s": text, "t": pattern}))
    try:
        ours = str(value("s.matches(t)", s=text, t=pattern)).lower()
    except EvaluationError:
        ours = "error"
    assert ours == (theirs if theirs in {"true", "false"} else "error"), theirs
