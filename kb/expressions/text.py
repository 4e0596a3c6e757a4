"""Owns text with `{expressions}` in it: what `say` speaks and what descriptions read.

`compile_text(source, span, names)` for one line, `compile_paragraph(lines, names)` for prose. It must not know who hears it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kb.diagnostics import Diagnostic, Span, problem
from kb.expressions.expression import Expr, compile_expression
from kb.expressions.frame import Frame
from kb.expressions.functions import element, show
from kb.expressions.names import Names
from kb.types import TEXT_LIMIT, Point, Ref

_ARTICLE = re.compile(r"(the|a|an|The|A|An) +(?=\S)")
_WIKI = re.compile(r"\[\[([^\[\]|]+)(?:\|([^\[\]]*))?\]\]")


@dataclass(frozen=True, slots=True)
class Hole:
    """`{expression}` or `{the expression}`; references show their names."""

    expr: Expr
    article: str
    names: bool
    """Whether the value is a reference, or a list of them."""

    def __call__(self, frame: Frame) -> str:
        value = self.expr(frame)
        if isinstance(self.expr.type, Point):
            return ", ".join(map(show, value))
        if not self.names:
            return show(value)
        if isinstance(value, tuple | list):
            return show([_named(frame, each, self.article) for each in value])  # pyright: ignore
        return _named(frame, value, self.article)


@dataclass(frozen=True, slots=True)
class TextTemplate:
    """Compiled text. Calling it with a frame gives the words."""

    source: str
    span: Span
    parts: tuple[str | Hole, ...]

    def __call__(self, frame: Frame) -> str:
        if len(self.parts) == 1 and isinstance(self.parts[0], str):
            return self.parts[0]
        text = "".join(part if isinstance(part, str) else part(frame) for part in self.parts)
        return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"

    @property
    def reads(self) -> frozenset[tuple[str, str]]:
        """(kind, field) pairs that the text reads."""
        return frozenset[tuple[str, str]]().union(*(part.expr.reads for part in self.parts if isinstance(part, Hole)))


def _named(frame: Frame, id: str, article: str) -> str:
    """An instance's name with its article; `proper` names take none, plural ones "some"."""
    row = frame.rows.get(id)
    if row is None:
        return "nothing"
    name = str(row.get("name") or id)
    if not article or row.get("proper") or row.get("kind") in {"player"}:
        return name[:1].upper() + name[1:] if article[:1].isupper() else name
    if article.lower() == "the":
        word = article
    elif row.get("plural"):
        word = "Some" if article[0].isupper() else "some"
    else:
        word = "an" if name[:1].lower() in "aeiou" else "a"
        word = word.capitalize() if article[0].isupper() else word
    return f"{word} {name}"


def compile_text(source: str, span: Span, names: Names) -> tuple[TextTemplate | None, list[Diagnostic]]:
    """The text that one line writes; `span` covers exactly the source."""
    parts, problems = _parts(source, span.part, names)
    return (None if problems else TextTemplate(source, span, tuple(parts) or ("",))), problems


def compile_paragraph(lines: Sequence[tuple[str, Span]], names: Names) -> tuple[TextTemplate | None, list[Diagnostic]]:
    """Prose over several lines: lines are joined by a space, an empty line stays as a paragraph's end."""
    parts: list[str | Hole] = []
    problems: list[Diagnostic] = []
    before = ""
    for source, span in lines:
        if not source:
            before = "\n\n"
            continue
        if parts:
            parts.append(before or " ")
        before = ""
        found, more = _parts(source, span.part, names)
        parts += found
        problems += more
    span = lines[0][1] if lines else Span("", 1)
    text = "\n".join(source for source, _ in lines)
    return (None if problems else TextTemplate(text, span, _merged(parts))), problems


def _merged(parts: Sequence[str | Hole]) -> tuple[str | Hole, ...]:
    merged: list[str | Hole] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return tuple(merged) or ("",)


def _parts(source: str, place: Callable[[int, int], Span], names: Names) -> tuple[list[str | Hole], list[Diagnostic]]:
    parts: list[str | Hole] = []
    problems: list[Diagnostic] = []
    plain, position = "", 0
    while position < len(source):
        char = source[position]
        if source.startswith(("{{", "}}"), position):
            plain += char
            position += 2
        elif char == "{":
            end = _closing(source, position)
            if end < 0:
                hint = "Close it with `}`, or write `{{` for a brace."
                problems.append(problem("RB211", place(position, position + 1), "The `{` is not closed", hint))
                break
            if plain:
                parts.append(_links(plain))
                plain = ""
            hole, more = _hole(source, position + 1, end, place, names)
            problems += more
            if hole is not None:
                parts.append(hole)
            position = end + 1
        elif char == "}":
            hint = "Write `}}` for a brace."
            problems.append(problem("RB211", place(position, position + 1), "The `}` closes nothing", hint))
            position += 1
        else:
            plain += char
            position += 1
    if plain:
        parts.append(_links(plain))
    return parts, problems


def _links(text: str) -> str:
    return _WIKI.sub(lambda match: match[2] or match[1].replace("-", " "), text) if "[[" in text else text


def _closing(source: str, opening: int) -> int:
    """The index of the brace that closes the one at `opening`, quotes passed over; -1 where there is none."""
    depth, quote = 0, ""
    for index in range(opening, len(source)):
        char = source[index]
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            # An apostrophe in prose is no quote: only one that is closed before the brace counts.
            if char in source[index + 1 : source.find("}", index) if "}" in source[index:] else index]:
                quote = char
        elif char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                return index
    return -1


def _hole(
    source: str, start: int, end: int, place: Callable[[int, int], Span], names: Names
) -> tuple[Hole | None, list[Diagnostic]]:
    inside = source[start:end]
    lead = len(inside) - len(inside.lstrip())
    match = _ARTICLE.match(inside, lead)
    article = match[1] if match else ""
    begin = start + (match.end() if match else lead)
    code = source[begin:end].rstrip()
    if not code:
        hint = "Put an expression between the braces, or write `{{`."
        return None, [problem("RB211", place(start - 1, end + 1), "The braces are empty", hint)]
    expr, problems = compile_expression(code, place(begin, begin + len(code)), names)
    if expr is None:
        return None, problems
    named = isinstance(expr.type, Ref) or isinstance(element(expr.type), Ref)
    if article and not named:
        hint = "Only things take an article."
        return None, [problem("RB204", expr.span, f"`{article}` needs a thing, and this is {expr.type}", hint)]
    return Hole(expr, article, named), []
