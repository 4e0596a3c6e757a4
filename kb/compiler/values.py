"""Owns plain values on pages: front matter, Start cells, examples and data files read into a declared type.

`read_value(raw, type, span, scope)`; ids are checked, choices and ids get "did you mean". It must not know expressions.
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

from kb.compiler.scope import Scope
from kb.diagnostics import Diagnostic, Span, problem
from kb.suggest import suggest
from kb.types import Bool, Choice, Int, ListOf, MapOf, Number, Record, Ref, Text, Type, TypeMismatch, Unknown

_LINK = re.compile(r"\[\[([^\[\]|#]+)[^\[\]]*\]\]")


def read_value(raw: Any, type_: Type, span: Span, scope: Scope) -> tuple[Any, list[Diagnostic]]:
    """`raw` (plain Python from YAML or JSON, or the text of a cell) as a run-time value of `type_`."""
    if isinstance(type_, Unknown):
        return None, []
    if isinstance(raw, str):
        raw = _from_text(raw.strip(), type_)
    if isinstance(type_, ListOf) and not isinstance(raw, list | tuple):
        raw = [raw] if raw not in (None, "") else []
    if isinstance(type_, Ref) and isinstance(raw, list):
        raw = _linked(cast("list[Any]", raw))
    try:
        value = type_.coerce(raw)
    except TypeMismatch as error:
        return None, [problem("RB206", span, f"The value does not fit: {error}", _hint(raw, type_))]
    return value, _check_ids(value, type_, span, scope)


def _linked(raw: list[Any]) -> Any:
    """`[[hall]]` as YAML reads it: a list in a list."""
    while raw and isinstance(raw[0], list):
        raw = cast("list[Any]", raw[0])
    return raw[0] if raw else ""


def _from_text(text: str, type_: Type) -> Any:
    """A cell's text as what the type expects: links to ids, JSON for lists, maps and records, quotes off."""
    if link := _LINK.fullmatch(text):
        return link[1].strip()
    if len(text) > 1 and text[0] == text[-1] == "`":
        text = text[1:-1]
    if isinstance(type_, Text | Ref | Choice) and len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1]
    if isinstance(type_, ListOf | MapOf | Record):
        if text[:1] in {"[", "{"}:
            try:
                return json.loads(text)
            except (ValueError, RecursionError):
                return [part.strip() for part in text.strip("[]").split(",") if part.strip()]
        if isinstance(type_, ListOf):
            parts = [part.strip() for part in text.split(",") if part.strip() not in {"", "-"}]
            return [match[1] if (match := _LINK.fullmatch(part)) else part for part in parts]
    if isinstance(type_, Ref) and text in {"-", "nothing", "nowhere", "none"}:
        return ""
    return text


def _hint(raw: Any, type_: Type) -> str:
    if isinstance(type_, Choice):
        return suggest(str(raw), type_.options) or f"The choices are {', '.join(type_.options)}."
    if isinstance(type_, Bool):
        return "Write yes or no."
    if isinstance(type_, Int | Number):
        return f"Write a number: {type_}."
    return f"Write {type_}."


def _check_ids(value: Any, type_: Type, span: Span, scope: Scope) -> list[Diagnostic]:
    """References within the value that name nothing."""
    match type_:
        case Ref():
            return check_id(value, type_, span, scope)
        case ListOf():
            return [each for item in value for each in _check_ids(item, type_.item, span, scope)]
        case MapOf():
            keys = [each for key in value for each in _check_ids(key, type_.key, span, scope)]
            return keys + [each for item in value.values() for each in _check_ids(item, type_.value, span, scope)]
        case Record():
            return [each for name, part in type_.fields for each in _check_ids(value[name], part, span, scope)]
        case _:
            return []


def check_id(id: str, type_: Ref, span: Span, scope: Scope) -> list[Diagnostic]:
    """Whether an id on a page names an instance of the reference's kinds."""
    within = {below for kind in type_.kinds for below in scope.kinds_within(kind)}
    if id == "" or (id == "player" and "player" in within):
        return []
    kind = scope.kind_of_id(id)
    if kind in within:
        return []
    if kind is None:
        hint = suggest(id, scope.ids(type_.kinds)) or f"Name {type_} by its id."
        return [problem("RB207", span, f"Nothing has the id `{id}`", hint)]
    return [problem("RB206", span, f"`{id}` is of the kind {kind}, not {type_}", f"Name {type_}.")]
