"""Owns compiled expressions: `compile_expression(source, span, names)` gives an `Expr` that is called with a frame.

Code is generated on the first call, so that checking stays cheap. It must not know what holds an expression.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kb.diagnostics import Diagnostic, Span, problem
from kb.expressions.checker import Checker, fits
from kb.expressions.frame import EvaluationError, Frame
from kb.expressions.generator import ERRORS, generate
from kb.expressions.names import Names
from kb.expressions.nodes import Literal, Node
from kb.expressions.parser import SyntaxProblem, parse
from kb.types import Type


@dataclass(slots=True)
class Expr:
    """A checked expression. Calling it with a frame gives its value or raises `EvaluationError`."""

    source: str
    span: Span
    type: Type
    tree: Node = field(compare=False, repr=False)
    reads: frozenset[tuple[str, str]] = frozenset()
    """(kind, field) pairs that it reads itself, not through derived fields."""
    searches: frozenset[tuple[str, str]] = frozenset()
    """(kind, field) pairs by which it searches collections."""
    names: frozenset[str] = frozenset()
    """The local names that it uses."""
    _run: Callable[[Frame], Any] | None = field(default=None, compare=False, repr=False)

    def __call__(self, frame: Frame) -> Any:
        run = self._run
        if run is None:
            run = self._run = generate(self.tree)
        try:
            return run(frame)
        except ERRORS:
            return self._absorb(frame)

    def _absorb(self, frame: Frame) -> Any:
        """Once more in CEL's way, in which the other side of && and || may settle it."""
        try:
            return generate(self.tree, absorbing=True)(frame)
        except EvaluationError:
            raise
        except ERRORS as error:
            raise EvaluationError(f"{self.source}: {error}") from None

    def __hash__(self) -> int:
        return hash((self.source, self.span))

    def __getstate__(self) -> tuple[Any, ...]:
        return (self.source, self.span, self.type, self.tree, self.reads, self.searches, self.names)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.source, self.span, self.type, self.tree, self.reads, self.searches, self.names = state
        self._run = None


def compile_expression(
    source: str, span: Span, names: Names, expected: Type | None = None
) -> tuple[Expr | None, list[Diagnostic]]:
    """The expression that `source` writes; `span` covers exactly the source. None where there is any problem."""
    try:
        tree = parse(source)
    except SyntaxProblem as error:
        place = span.part(error.start, max(error.end, error.start + 1))
        return None, [problem("RB201", place, error.what, error.hint)]
    checker = Checker(names)
    type_ = checker.check(tree)
    if expected is not None:
        if not fits(type_, expected, names):
            hint = f"Write an expression that gives {expected}."
            checker.problem(tree, "RB204", f"This must be {expected}, and is {type_}", hint)
        checker.literal_fits(tree, expected)
    problems = [
        problem(each.code, span.part(each.start, each.end), each.message, each.hint) for each in checker.findings
    ]
    if problems:
        return None, problems
    return Expr(
        source,
        span,
        type_,
        tree,
        frozenset(checker.reads),
        frozenset(checker.searches),
        frozenset(checker.locals),
    ), []


def constant(value: Any, type_: Type, span: Span, source: str = "") -> Expr:
    """An expression that is always `value`."""
    return Expr(source or str(value), span, type_, Literal(0, len(source), value, type=type_))
