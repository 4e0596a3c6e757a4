"""Owns the ways to read a line: a player's words laid over a pattern, its roles filled from what lies between.

`parses(lexicon, look, text, words)`. It must not choose between readings or run actions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from kb.rulebook import Role
from kb.types import Choice, Int, Number, Ref, Text, Type, TypeMismatch
from kb.understand.lexicon import Form, Lexicon
from kb.understand.nouns import Look, Nouns
from kb.understand.words import Word, direction, number

MAX_SPLITS = 16
"""How many ways to part one line between the roles of one pattern are tried."""
MAX_NAME = 6
"""A name directly before another role has at most so many words."""
Spans = Mapping[str, tuple[int, int]]


@dataclass(slots=True)
class Parse:
    """One way to read a line as a form."""

    form: Form
    values: dict[str, Any]
    nouns: dict[str, Nouns]
    spans: Spans
    empty: str = ""
    """The role that the line leaves out."""

    @property
    def rank(self) -> tuple[int, int, int, int, int]:
        """Smaller is better: whole, with things that are here, without corrections, clear, with more literal words."""
        nouns = self.nouns.values()
        wrong = sum(2 if each.missing else 1 for each in nouns if each.wrong)
        corrected = sum(1 for each in nouns if each.echo)
        unclear = sum(1 for each in nouns if each.unclear)
        literal = self.form.literal if self.empty else -self.form.literal
        return (1 if self.empty else 0, wrong, corrected, unclear, literal)

    def roles(self) -> dict[str, Any]:
        """The values of the roles, of each noun phrase its first thing."""
        return {**self.values, **{name: nouns.ids[0] for name, nouns in self.nouns.items() if nouns.ids}}


def parses(lexicon: Lexicon, look: Look, text: str, words: Sequence[Word]) -> list[Parse]:
    """Every way to read the words; where there is none, the patterns that only lack their last role."""
    own = lexicon.forms.get(words[0].key, ())
    found = [parse for form in (*own, *lexicon.open_forms) for parse in _read(look, form, text, words)]
    if found:
        return found
    lacking = ((form, _lacking(form, words)) for form in own)
    return [Parse(form, {}, {}, {}, empty=role) for form, role in lacking if role is not None]


def shape(form: Form) -> str:
    """A form as it is shown: `put <item> in <container>`."""
    return " ".join(part if isinstance(part, str) else f"<{part.name}>" for part in form.parts)


def _lacking(form: Form, words: Sequence[Word]) -> str | None:
    """The role that is missing where the words are exactly what stands before it."""
    for at, part in enumerate(form.parts):
        if isinstance(part, Role):
            rest = form.parts[at + 1 :]
            return part.name if at == len(words) and all(isinstance(p, str) for p in rest) else None
        if at >= len(words) or words[at].key != part:
            return None
    return None


def _read(look: Look, form: Form, text: str, words: Sequence[Word]) -> Iterator[Parse]:
    for spans in islice(_layouts(form.parts, words, 0), MAX_SPLITS):
        parse = Parse(form, dict(form.fixed), {}, spans)
        if all(_fill(look, parse, part, text, words) for part in form.parts if isinstance(part, Role)):
            yield parse


def _layouts(parts: Sequence[str | Role], words: Sequence[Word], at: int) -> Iterator[Spans]:
    """Which words each role could have from `at` on: literals in order, at least one word for each role."""
    if not parts:
        if at == len(words):
            yield {}
        return
    part, rest = parts[0], parts[1:]
    if isinstance(part, str):
        if at < len(words) and words[at].key == part:
            yield from _layouts(rest, words, at + 1)
        return
    for end in _ends(rest, words, at):
        for spans in _layouts(rest, words, end):
            yield {part.name: (at, end), **spans}


def _ends(rest: Sequence[str | Role], words: Sequence[Word], at: int) -> Sequence[int]:
    """Where a role that begins at `at` may end, the longest first."""
    if not rest:
        return [len(words)] if at < len(words) else []
    if isinstance(rest[0], str):
        return [end for end in range(len(words) - 1, at, -1) if words[end].key == rest[0]]
    return range(min(at + MAX_NAME, len(words) - 1), at, -1)


def _fill(look: Look, parse: Parse, role: Role, text: str, words: Sequence[Word]) -> bool:
    """Reads a role's words as its type; False where they cannot be that."""
    start, end = parse.spans[role.name]
    inside = words[start:end]
    if isinstance(role.type, Ref):
        parse.nouns[role.name] = look.nouns([word.key for word in inside], role.type)
        return True
    written = look.written(text[inside[0].start : inside[-1].end])
    value = _plain(role.type, [word.key for word in inside], written)
    if value is None:
        return False
    parse.values[role.name] = value
    return True


def _plain(type_: Type, words: Sequence[str], text: str) -> Any:
    """Words as a number, a choice, a point or text; None where they are not."""
    match type_:
        case Text():
            return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
        case Int() | Number():
            value = number(words[0]) if len(words) == 1 else None
            return None if isinstance(type_, Int) and not isinstance(value, int) else value
        case Choice():
            word = " ".join(words)
            plain = direction(word) if "north" in type_.options else word
            return plain if plain and plain in type_.options else None
        case _:
            pass
    try:
        return type_.coerce(text)
    except TypeMismatch:
        return None
