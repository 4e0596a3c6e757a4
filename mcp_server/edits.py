"""Owns one kind of edit: a named entry put into, or taken out of, a file of JSON (with or without comments) or TOML.

`put(form, text, section, name, entry)` and `take(form, text, section, name)` give the new text; every other byte stays, so
comments, order and layout are kept. It must not know whose files these are.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

Form = Literal["json", "toml"]
Entry = dict[str, Any]


class EditError(ValueError):
    """The text cannot be parsed, or not be edited without a risk to what else it holds."""


def put(form: Form, text: str, section: str, name: str, entry: Entry) -> str:
    """The text with `entry` under `section` and `name`. Keys that an earlier entry has besides are kept."""
    before = parse(form, text)
    servers = _servers(before, section)
    wanted = {**servers.get(name, {}), **entry}
    if servers.get(name) == wanted:
        return text
    edited = (_put_json if form == "json" else _put_toml)(text, section, name, wanted, entry)
    return _checked(form, edited, {**before, section: {**servers, name: wanted}})


def take(form: Form, text: str, section: str, name: str) -> str:
    """The text without that entry; the same text where there is none."""
    before = parse(form, text)
    servers = _servers(before, section)
    if name not in servers:
        return text
    edited = (_take_json if form == "json" else _take_toml)(text, section, name)
    return _checked(form, edited, {**before, section: {key: each for key, each in servers.items() if key != name}})


def shown(form: Form, section: str, name: str, entry: Entry) -> str:
    """The entry as lines to paste into an empty file."""
    return put(form, "", section, name, entry)


def parse(form: Form, text: str) -> Entry:
    """What a file says; nothing where it is empty. Raises `EditError`."""
    try:
        if form == "toml":
            return tomllib.loads(text)
        value: Any = _Reader(text).value().value if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise EditError(str(error)) from None
    if not isinstance(value, dict):
        raise EditError("there is no object at its top")
    return cast(Entry, value)


def _servers(found: Entry, section: str) -> dict[str, Any]:
    servers = found.get(section, {})
    if not isinstance(servers, dict) or not all(isinstance(each, dict) for each in cast(Entry, servers).values()):
        raise EditError(f"{section!r} is not what it should be")
    return cast(Entry, servers)


def _checked(form: Form, text: str, wanted: Entry) -> str:
    """The edited text if it says what was wanted; an edit that would say anything else is not made."""
    found = parse(form, text)
    if {key: each for key, each in found.items() if each != {}} != {
        key: each for key, each in wanted.items() if each != {}
    }:
        raise EditError("its layout is not one that can be edited safely")
    return text


# JSON with comments and trailing commas.

_BLANK = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)*", re.S)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_WORD = re.compile(r"[^\s,:\[\]{}\"/]+")


@dataclass(frozen=True, slots=True)
class _Node:
    """A value, from where to where it stands, and an object's members in order."""

    value: Any
    start: int
    end: int
    members: tuple[_Member, ...] = ()


@dataclass(frozen=True, slots=True)
class _Member:
    key: str
    start: int
    node: _Node


class _Reader:
    """Reads one text; raises `ValueError` with the line of a mistake."""

    def __init__(self, text: str):
        self._text = text
        self._at = 1 if text.startswith("\ufeff") else 0

    def value(self) -> _Node:
        """The text's only value."""
        node = self._value()
        self._blank()
        if self._at < len(self._text):
            raise self._wrong("nothing more")
        return node

    def _value(self) -> _Node:
        self._blank()
        start, first = self._at, self._text[self._at : self._at + 1]
        if first == "{":
            members = tuple(self._members())
            return _Node({each.key: each.node.value for each in members}, start, self._at, members)
        if first == "[":
            return _Node([each.value for each in self._items()], start, self._at)
        return _Node(self._scalar(_STRING if first == '"' else _WORD), start, self._at)

    def _members(self) -> Iterator[_Member]:
        for _ in self._inside("}"):
            start = self._at
            key = self._scalar(_STRING)
            self._blank()
            if not self._take(":"):
                raise self._wrong("a colon")
            yield _Member(key, start, self._value())

    def _items(self) -> Iterator[_Node]:
        for _ in self._inside("]"):
            yield self._value()

    def _inside(self, end: str) -> Iterator[None]:
        """Once for each part of an object or array, at the part's beginning."""
        self._at += 1
        self._blank()
        while not self._take(end):
            yield
            self._blank()
            if not self._take(",") and self._text[self._at : self._at + 1] != end:
                raise self._wrong(f"a comma or {end!r}")
            self._blank()

    def _scalar(self, kind: re.Pattern[str]) -> Any:
        found = kind.match(self._text, self._at)
        try:
            value = json.loads(found[0] if found else "")
        except ValueError:
            raise self._wrong("a string" if kind is _STRING else "a value") from None
        self._at += len(found[0]) if found else 0
        return value

    def _blank(self) -> None:
        blank = _BLANK.match(self._text, self._at)
        self._at = blank.end() if blank else self._at

    def _take(self, mark: str) -> bool:
        taken = self._text.startswith(mark, self._at)
        self._at += len(mark) if taken else 0
        return taken

    def _wrong(self, expected: str) -> ValueError:
        return ValueError(f"line {self._text.count(chr(10), 0, self._at) + 1}: {expected} is expected")


def _put_json(text: str, section: str, name: str, entry: Entry, _: Entry) -> str:
    if not text.strip():
        return json.dumps({section: {name: entry}}, indent=2, ensure_ascii=False) + "\n"
    root = _Reader(text).value()
    servers = next((each.node for each in root.members if each.key == section), None)
    if servers is None:
        return _first(text, root, section, {name: entry}, 1)
    old = next((each.node for each in servers.members if each.key == name), None)
    if old is None:
        return _first(text, servers, name, entry, 2)
    return text[: old.start] + _block(entry, 2, text) + text[old.end :]


def _first(text: str, parent: _Node, key: str, value: Any, depth: int) -> str:
    """The text with a member more, before all others: so no comma of theirs has to change."""
    line = _newline(text) + _indent(text) * depth
    more = "," if parent.members else ""
    rest = text[parent.start + 1 :]
    if not parent.members and not rest[: rest.index("}")].strip(" \t"):
        rest = _newline(text) + _indent(text) * (depth - 1) + rest.lstrip(" \t")
    return f"{text[: parent.start + 1]}{line}{json.dumps(key)}: {_block(value, depth, text)}{more}{rest}"


def _take_json(text: str, section: str, name: str) -> str:
    root = _Reader(text).value()
    servers = next(each.node for each in root.members if each.key == section)
    index = next(place for place, each in enumerate(servers.members) if each.key == name)
    member = servers.members[index]
    # With it goes the comma after it, or the one before it where it is the last.
    start, end = member.start, member.node.end
    after = _BLANK.match(text, end)
    if after and text.startswith(",", after.end()):
        end = after.end() + 1
    elif index:
        former = servers.members[index - 1].node.end
        start = text.index(",", former)
    head = text[:start].rstrip(" \t")
    if head.endswith("\n") and text[end:].lstrip(" \t").startswith(("\n", "\r\n")):
        head = head[:-1].removesuffix("\r")
    return head + text[end:]


def _block(value: Any, depth: int, text: str) -> str:
    lines = json.dumps(value, indent=_indent(text), ensure_ascii=False).split("\n")
    return (_newline(text) + _indent(text) * depth).join(lines)


def _indent(text: str) -> str:
    found = re.search(r"^[ \t]+(?=\")", text, re.M)
    return found[0] if found else "  "


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


# TOML.


def _put_toml(text: str, section: str, name: str, _: Entry, entry: Entry) -> str:
    # JSON's strings and arrays of strings are TOML's as well.
    lines = "".join(f"{key} = {json.dumps(each, ensure_ascii=False)}\n" for key, each in entry.items())
    table = _table(text, section, name)
    if table is None:
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        return f"{text}{gap}[{section}.{name}]\n{lines}"
    head, body, rest = table
    kept = [line for line in body if (line.split("=")[0].strip() not in entry)]
    return "".join([*head, lines, *kept, *rest])


def _take_toml(text: str, section: str, name: str) -> str:
    table = _table(text, section, name)
    while table is not None:
        head, body, rest = table
        # Comments at the end belong to the table that follows.
        last = len(body)
        while last and (not body[last - 1].strip() or body[last - 1].lstrip().startswith("#")):
            last -= 1
        kept = [*head[:-1], *body[last:], *rest]
        text = "".join(kept) if rest else "".join(kept).rstrip("\n") + "\n"
        table = _table(text, section, name)
    return text.lstrip("\n")


def _table(text: str, section: str, name: str) -> tuple[list[str], list[str], list[str]] | None:
    """The lines up to and with the table's header, those in it, and those after it; None where it has no header."""
    lines = text.splitlines(keepends=True)
    quoted = rf'(?:{re.escape(name)}|"{re.escape(name)}")'
    header = re.compile(rf"\s*\[\s*{re.escape(section)}\s*\.\s*{quoted}\s*(?:\.[^\]]*)?\]")
    start = next((place for place, line in enumerate(lines) if header.match(line)), None)
    if start is None:
        return None
    end = next((place for place in range(start + 1, len(lines)) if re.match(r"\s*\[", lines[place])), len(lines))
    return lines[: start + 1], lines[start + 1 : end], lines[end:]
