"""Owns expressions and texts with expressions in them: CEL with declared names and types, compiled to Python functions.

`compile_expression` and `compile_text` against a `Names`; what they give is called with a `Frame`.
It must not know pages, rules or state.
"""

from kb.expressions.checker import fits
from kb.expressions.expression import Expr, compile_expression, constant
from kb.expressions.frame import EvaluationError, Frame
from kb.expressions.names import FieldInfo, Names
from kb.expressions.text import TextTemplate, compile_paragraph, compile_text

__all__ = [
    "EvaluationError",
    "Expr",
    "FieldInfo",
    "Frame",
    "Names",
    "TextTemplate",
    "compile_expression",
    "compile_paragraph",
    "compile_text",
    "constant",
    "fits",
]
