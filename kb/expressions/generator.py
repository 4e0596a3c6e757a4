"""Owns the way from a checked tree to a Python function of a frame.

`generate(tree)` builds a Python syntax tree from ours (never source text) and compiles it. `absorbing=True` gives the
slower form in which `false && error` is false whichever side fails, as CEL has it. It must not know names or checks.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from kb.expressions.frame import EvaluationError, Frame
from kb.expressions.functions import FUNCTIONS
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
    Record,
    Text,
    Type,
)

_COMPARE: dict[str, ast.cmpop] = {
    "==": ast.Eq(), "!=": ast.NotEq(), "<": ast.Lt(), "<=": ast.LtE(), ">": ast.Gt(), ">=": ast.GtE(), "in": ast.In(),
}  # fmt: skip
_ARITHMETIC: dict[str, ast.operator] = {"+": ast.Add(), "-": ast.Sub(), "*": ast.Mult()}


# --- What generated code calls --------------------------------------------------------------------


def _int(value: int) -> int:
    if not INT_MIN <= value <= INT_MAX:
        raise EvaluationError("the number is too large")
    return value


def _divide(a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int):
        if b == 0:
            raise EvaluationError("division by zero")
        quotient = abs(a) // abs(b)
        return _int(quotient if (a < 0) == (b < 0) else -quotient)
    if b == 0:
        return float("nan") if a == 0 or a != a else float("inf") if a > 0 else float("-inf")
    return a / b


def _modulo(a: int, b: int) -> int:
    if b == 0:
        raise EvaluationError("modulus by zero")
    return abs(a) % abs(b) * (1 if a >= 0 else -1)


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


def _and(left: Callable[[], bool], right: Callable[[], bool]) -> bool:
    try:
        first = left()
    except EvaluationError:
        if right():
            raise
        return False
    return first and right()


def _or(left: Callable[[], bool], right: Callable[[], bool]) -> bool:
    try:
        first = left()
    except EvaluationError:
        if right():
            return True
        raise
    return first or right()


def _has(value: Any, zero: Any) -> bool:
    return value != zero


_GLOBALS: dict[str, Any] = {
    "_int": _int, "_divide": _divide, "_modulo": _modulo, "_text": _text, "_joined": _joined, "_at": _at,
    "_spent": _spent, "_and": _and, "_or": _or, "_has": _has, "_E": {},
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
                return ast.IfExp(self.expr(node.condition), self.expr(node.then), self.expr(node.otherwise))
            case ListNode():
                if all(isinstance(each, Literal) for each in node.items):
                    return self.constant(tuple(each.value for each in node.items if isinstance(each, Literal)))
                return ast.Tuple([self.expr(each) for each in node.items], ast.Load())
            case MapNode():
                return ast.Dict(
                    [self.expr(key) for key, _ in node.pairs], [self.expr(value) for _, value in node.pairs]
                )
            case Call():
                return self._call(node)
            case Macro():
                return self._macro(node)
            case _:
                raise AssertionError(node)

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
                return _call(_load("_and" if node.op == "&&" else "_or"), _lambda(left), _lambda(right))
            return ast.BoolOp(ast.And() if node.op == "&&" else ast.Or(), [left, right])
        left, right = self.expr(node.left), self.expr(node.right)
        if node.op in _COMPARE:
            return ast.Compare(left, [_COMPARE[node.op]], [right])
        if node.op == "/":
            return _call(_load("_divide"), left, right)
        if node.op == "%":
            return _call(_load("_modulo"), left, right)
        if isinstance(node.type, ListOf):
            return _call(_load("_joined"), left, right)
        return self._wrapped(node.type, ast.BinOp(left, _ARITHMETIC[node.op], right))

    def _wrapped(self, type_: Type, value: ast.expr) -> ast.expr:
        """Arithmetic within its limits: int64, bounded text."""
        if isinstance(type_, Int):
            return _call(_load("_int"), value)
        return _call(_load("_text"), value) if isinstance(type_, Text) else value

    def _call(self, node: Call) -> ast.expr:
        if node.name == "has":
            member = node.args[0]
            return _call(_load("_has"), self.expr(member), self.constant(member.type.zero()))
        args = [self.expr(each) for each in node.args]
        function = FUNCTIONS[node.name]
        return _call(_load(f"f_{node.name}"), *([_load("F")] if function.framed else []), *args)

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


ERRORS = (ArithmeticError, ValueError, TypeError, LookupError, RecursionError)
"""What generated code can raise besides `EvaluationError`, for values that no check can foresee."""
