"""Owns the way from a checked tree to a Python function of a frame.

`generate(tree)` builds a Python syntax tree from ours (never source text) and compiles it. `absorbing=True` gives the
slower form in which `false && error` is false whichever side fails, as CEL has it. It must not know names or checks.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kb.expressions.frame import EvaluationError, Frame
from kb.expressions.functions import FUNCTIONS, element
from kb.expressions.nodes import (
    Binary,
    Call,
    Index,
    ListNode,
    Literal,
    Macro,
    MapNode,
    Member,
    Name,
    Node,
    Ternary,
    Unary,
)
from kb.types import (
    INT_MAX,
    INT_MIN,
    LIST_LIMIT,
    TEXT_LIMIT,
    Int,
    ListOf,
    MapOf,
    Number,
    Record,
    Text,
    Type,
)

_COMPARE: dict[str, ast.cmpop] = {
    "==": ast.Eq(), "!=": ast.NotEq(), "<": ast.Lt(), "<=": ast.LtE(), ">": ast.Gt(), ">=": ast.GtE(), "in": ast.In(),
}  # fmt: skip
_ARITHMETIC: dict[str, ast.operator] = {"+": ast.Add(), "-": ast.Sub(), "*": ast.Mult()}


ERRORS = (EvaluationError, ArithmeticError, ValueError, TypeError, LookupError, RecursionError)
"""What generated code can raise, for values that no check can foresee."""


# --- What generated code calls --------------------------------------------------------------------


def _int(value: int) -> int:
    if not INT_MIN <= value <= INT_MAX:
        raise EvaluationError("the number is too large")
    return value


def _quotient(a: int, b: int) -> int:
    """Whole numbers are divided towards zero."""
    if b == 0:
        raise EvaluationError("division by zero")
    quotient = abs(a) // abs(b)
    return _int(quotient if (a < 0) == (b < 0) else -quotient)


def _modulo(a: int, b: int) -> int:
    return a - b * _quotient(a, b)


def _ratio(a: float, b: float) -> float:
    if b == 0:
        return math.nan if a == 0 or a != a else math.copysign(math.inf, a) * math.copysign(1, b)
    return a / b


def _text(value: str) -> str:
    if len(value) > TEXT_LIMIT:
        raise EvaluationError("the text is too long")
    return value


def _joined(a: Sequence[Any], b: Sequence[Any]) -> tuple[Any, ...]:
    if len(a) + len(b) > LIST_LIMIT:
        raise EvaluationError("the list is too long")
    return (*a, *b)


def _at(values: Sequence[Any], index: int) -> Any:
    if not 0 <= index < len(values):
        raise EvaluationError(f"the list has no entry {index}")
    return values[index]


def _spent(frame: Frame, values: Sequence[Any]) -> Sequence[Any]:
    frame.spend(len(values) + 1)
    return values


def _until(settles: bool, parts: Iterable[Callable[[], bool]]) -> bool:
    """Whether a part gives what settles it (true for ||, false for &&); one that fails counts only if none does."""
    failed: Exception | None = None
    for part in parts:
        try:
            if part() is settles:
                return settles
        except ERRORS as error:
            failed = error
    if failed is not None:
        raise failed
    return not settles


def _map(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise EvaluationError("the map has a key twice")
    return made


def _floats(values: Iterable[Any]) -> tuple[float, ...]:
    return tuple(map(float, values))


def _has(value: Any, zero: Any) -> bool:
    return value != zero


_GLOBALS: dict[str, Any] = {
    "_int": _int, "_quotient": _quotient, "_modulo": _modulo, "_ratio": _ratio, "_text": _text, "_joined": _joined,
    "_at": _at, "_spent": _spent, "_until": _until, "_has": _has, "_map": _map, "_floats": _floats, "_E": {},
    "all": all, "any": any, "sum": sum, "tuple": tuple, "float": float,
    **{f"f_{name}": function.run for name, function in FUNCTIONS.items()},
}  # fmt: skip


# --- Generation -----------------------------------------------------------------------------------


class _Generator:
    def __init__(self, absorbing: bool):
        self._absorbing = absorbing
        self.constants: dict[str, Any] = {}

    def constant(self, value: Any) -> ast.expr:
        if value is None or isinstance(value, str | int | float | bool):
            return ast.Constant(value)
        if isinstance(value, tuple) and all(isinstance(each, str | int | float | bool) for each in value):  # pyright: ignore
            return ast.Constant(value)  # pyright: ignore
        name = f"k_{len(self.constants)}"
        self.constants[name] = value
        return _load(name)

    def expr(self, node: Node) -> ast.expr:
        match node:
            case Literal():
                return self.constant(node.value)
            case Name():
                return self._name(node)
            case Member():
                return self._member(node)
            case Index():
                of, key = self.expr(node.of), self.expr(node.key)
                if isinstance(node.of.type, MapOf):
                    return _call(ast.Attribute(of, "get", ast.Load()), key, self.constant(node.of.type.default()))
                return _call(_load("_at"), of, key)
            case Unary():
                of = self.expr(node.of)
                if node.op == "!":
                    return ast.UnaryOp(ast.Not(), of)
                return self._wrapped(node.type, ast.UnaryOp(ast.USub(), of))
            case Binary():
                return self._binary(node)
            case Ternary():
                then, otherwise = self._as(node.type, node.then), self._as(node.type, node.otherwise)
                return ast.IfExp(self.expr(node.condition), then, otherwise)
            case ListNode():
                item = element(node.type) or node.type
                if all(isinstance(each, Literal) and each.type == item for each in node.items):
                    return self.constant(tuple(each.value for each in node.items if isinstance(each, Literal)))
                return ast.Tuple([self._as(item, each) for each in node.items], ast.Load())
            case MapNode():
                item = node.type.value if isinstance(node.type, MapOf) else node.type
                pairs = [ast.Tuple([self.expr(key), self._as(item, value)], ast.Load()) for key, value in node.pairs]
                return _call(_load("_map"), ast.Tuple([*pairs], ast.Load()))
            case Call():
                return self._call(node)
            case Macro():
                return self._macro(node)
            case _:
                raise AssertionError(node)

    def _as(self, type_: Type, part: Node) -> ast.expr:
        """A part of a type that others share: whole numbers among numbers become numbers."""
        return self._number(type_, part.type, self.expr(part))

    @staticmethod
    def _number(wanted: Type, actual: Type, value: ast.expr) -> ast.expr:
        if isinstance(wanted, ListOf) and isinstance(wanted.item, Number) and isinstance(element(actual), Int):
            return _call(_load("_floats"), value)
        return _call(_load("float"), value) if isinstance(wanted, Number) and isinstance(actual, Int) else value

    def _name(self, node: Name) -> ast.expr:
        match node.role:
            case "bound":
                return _load(f"v_{node.name}")
            case "now":
                return ast.Attribute(_load("F"), "now", ast.Load())
            case "instance":
                return ast.Constant(node.id)
            case "collection":
                return _call(ast.Attribute(_load("F"), "every", ast.Load()), ast.Constant(node.id))
            case _:
                return ast.Subscript(_load("V"), ast.Constant(node.name), ast.Load())

    def _member(self, node: Member) -> ast.expr:
        of = self.expr(node.of)
        if isinstance(node.of.type, Record):
            return _call(ast.Attribute(of, "get", ast.Load()), ast.Constant(node.name), self.constant(node.type.zero()))
        if node.derived:
            return _call(ast.Attribute(_load("F"), "derived", ast.Load()), of, ast.Constant(node.name))
        row = _call(ast.Attribute(_load("R"), "get", ast.Load()), of, _load("_E"))
        return _call(ast.Attribute(row, "get", ast.Load()), ast.Constant(node.name), self.constant(node.type.zero()))

    def _binary(self, node: Binary) -> ast.expr:
        if node.op in {"&&", "||"}:
            left, right = self.expr(node.left), self.expr(node.right)
            if self._absorbing:
                parts = ast.Tuple([_lambda(left), _lambda(right)], ast.Load())
                return _call(_load("_until"), ast.Constant(node.op == "||"), parts)
            return ast.BoolOp(ast.And() if node.op == "&&" else ast.Or(), [left, right])
        left, right = self.expr(node.left), self.expr(node.right)
        if node.op in _COMPARE:
            return ast.Compare(left, [_COMPARE[node.op]], [right])
        if node.op == "/":
            return _call(_load("_quotient" if isinstance(node.type, Int) else "_ratio"), left, right)
        if node.op == "%":
            return _call(_load("_modulo"), left, right)
        if isinstance(node.type, ListOf):
            return _call(_load("_joined"), self._as(node.type, node.left), self._as(node.type, node.right))
        return self._wrapped(node.type, ast.BinOp(left, _ARITHMETIC[node.op], right))

    def _wrapped(self, type_: Type, value: ast.expr) -> ast.expr:
        """Arithmetic within its limits: int64, doubles, bounded text."""
        if isinstance(type_, Int | Number):
            return _call(_load("_int" if isinstance(type_, Int) else "float"), value)
        return _call(_load("_text"), value) if isinstance(type_, Text) else value

    def _call(self, node: Call) -> ast.expr:
        if node.name == "has":
            member = node.args[0]
            return _call(_load("_has"), self.expr(member), self.constant(member.type.zero()))
        args = [self.expr(each) for each in node.args]
        function = FUNCTIONS[node.name]
        value = _call(_load(f"f_{node.name}"), *([_load("F")] if function.framed else []), *args)
        mixed = isinstance(node.type, Number) and any(isinstance(each.type, Int) for each in node.args)
        return _call(_load("float"), value) if mixed else value

    def _macro(self, node: Macro) -> ast.expr:
        if node.search is not None:
            kind, name, value = node.search
            over = _call(
                ast.Attribute(_load("F"), "where", ast.Load()),
                ast.Constant(kind),
                ast.Constant(name),
                self.expr(value),
            )
        else:
            over = self.expr(node.over)
            if isinstance(node.over.type, MapOf):
                over = _call(_load("tuple"), over)
        over = _call(_load("_spent"), _load("F"), over)
        var = ast.Name(f"v_{node.var}", ast.Store())
        body = self.expr(node.body)

        def loop(element: ast.expr, *conditions: ast.expr) -> ast.expr:
            return ast.GeneratorExp(element, [ast.comprehension(var, over, list(conditions), 0)])

        match node.kind:
            case "all" | "exists" if self._absorbing:
                return _call(_load("_until"), ast.Constant(node.kind == "exists"), loop(_lambda(body)))
            case "all":
                return _call(_load("all"), loop(body))
            case "exists":
                return _call(_load("any"), loop(body))
            case "exists_one":
                ones = _call(_load("sum"), loop(ast.Constant(1), body))
                return ast.Compare(ones, [ast.Eq()], [ast.Constant(1)])
            case "filter":
                return _call(_load("tuple"), loop(_load(f"v_{node.var}"), body))
            case _:
                if node.result is not None:
                    return _call(_load("tuple"), loop(self.expr(node.result), body))
                return _call(_load("tuple"), loop(body))


def _load(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _call(function: ast.expr, *args: ast.expr) -> ast.Call:
    return ast.Call(function, list(args), [])


def _lambda(body: ast.expr) -> ast.Lambda:
    return ast.Lambda(ast.arguments([], [], None, [], [], None, []), body)


def generate(tree: Node, absorbing: bool = False) -> Callable[[Frame], Any]:
    """A function that works the expression out from a frame. It may raise any arithmetic error; see `Expr`."""
    generator = _Generator(absorbing)
    body = generator.expr(tree)
    read = [
        ast.Assign([ast.Name("R", ast.Store())], ast.Attribute(_load("F"), "rows", ast.Load())),
        ast.Assign([ast.Name("V", ast.Store())], ast.Attribute(_load("F"), "vars", ast.Load())),
    ]
    used = {each.id for each in ast.walk(body) if isinstance(each, ast.Name)}
    function = ast.FunctionDef(
        name="run",
        args=ast.arguments([], [ast.arg("F")], None, [], [], None, []),
        body=[*(each for each in read if each.targets[0].id in used), ast.Return(body)],  # pyright: ignore
        decorator_list=[],
    )
    module = ast.fix_missing_locations(ast.Module([function], []))
    space = {**_GLOBALS, **generator.constants}
    exec(compile(module, "<expression>", "exec"), space)  # noqa: S102 — our own tree, not anyone's text
    return space["run"]
