"""Owns exact conditions: `- prose: `expression`` and cells that hold one expression.

Rules, invariants, workflows and agents compile their conditions here. It must not know effects.
"""

from __future__ import annotations

from kb.compiler.scope import Scope
from kb.diagnostics import Diagnostic, problem
from kb.expressions import Expr, compile_expression
from kb.pages.page import Bullet, Cell, find_code
from kb.rulebook import Condition
from kb.types import BOOL, Type


def compile_condition(bullet: Bullet, scope: Scope) -> tuple[Condition | None, list[Diagnostic]]:
    """A bullet as a condition; its prose is the reason where it fails."""
    text = bullet.text.rstrip(" .")
    codes = find_code(text)
    prose = text[: codes[-1][0] - 1].rstrip() if codes else ""
    if not codes or codes[-1][1] + 1 != len(text) or (prose and not prose.endswith(":")):
        hint = "End the line with a colon and one expression: `- the item is here: `item.location == player.location``."
        return None, [problem("RB301", bullet.span, "This line is not exact", hint)]
    start, end, code = codes[-1]
    expr, problems = compile_expression(code, bullet.at(start, end), scope, BOOL)
    if expr is None:
        return None, problems
    return Condition(prose.rstrip(":").strip() or code, expr, bullet.span), problems


def exact_code(cell: Cell, scope: Scope, expected: Type) -> tuple[Expr | None, list[Diagnostic]]:
    """A cell that holds exactly one expression in backticks."""
    codes = find_code(cell.text)
    if len(codes) != 1 or cell.text.strip() != f"`{codes[0][2]}`":
        hint = "Write one expression in backticks."
        return None, [problem("RB301", cell.span, f"`{cell.text.strip('`')}` is not exact", hint)]
    start, end, code = codes[0]
    return compile_expression(code, cell.at(start, end), scope, expected)
