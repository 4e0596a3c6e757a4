"""Owns front matter: the YAML between the first two `---` lines, with the place of each key and value.

`parse_front(path, lines)` never raises. It must not know which keys mean what.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import yaml

from kb.diagnostics import Diagnostic, Span, problem
from kb.types import storable

MAX_CHARACTERS = 64 * 1024
MAX_DEPTH = 12
LORE_KEYS = frozenset({"title", "tags", "aliases", "author", "date", "license", "source", "status", "summary"})
"""Keys that any page may have; they do not say what it is."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a list, and where it stands."""

    value: Any
    span: Span


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and its value as plain Python; `items` of a list and `parts` of a map have their own places."""

    key: str
    key_span: Span
    value: Any
    value_span: Span
    items: tuple[Value, ...] = ()
    parts: Mapping[str, Entry] = field(default_factory=dict[str, "Entry"])


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """A page's front matter, in order."""

    entries: Mapping[str, Entry]


EMPTY = FrontMatter({})
_ROLE = re.compile(r"(<\s*[a-z][a-z0-9_]*): (?=[^<>\n]*>)")


class _Refused(Exception):
    """A construct that front matter may not hold."""

    def __init__(self, code: str, node: yaml.Node, what: str, hint: str):
        super().__init__(what)
        self.code, self.node, self.what, self.hint = code, node, what, hint


def parse_front(path: str, lines: list[str]) -> tuple[FrontMatter, int, list[Diagnostic]]:
    """The front matter, the index of the first line after it, and its problems."""
    if not lines or lines[0].rstrip() != "---":
        return EMPTY, 0, []
    end = next((number for number, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    if end is None:
        hint = "Close the front matter with a line `---`."
        return EMPTY, 0, [problem("RB104", Span(path, 1, 1, 4), "The front matter does not end", hint)]
    # `<target: item>` reads as a key in YAML; a no-break space keeps it a word, and every column in its place.
    text = _ROLE.sub("\\1:\u00a0", "\n".join(lines[1:end]))
    if len(text) > MAX_CHARACTERS:
        why = f"The front matter has more than {MAX_CHARACTERS} characters"
        return EMPTY, end + 1, [problem("RB102", Span(path, 1, 1, 4), why, "Move data to a data file.")]
    reader = _Reader(path)
    try:
        return reader.read(text), end + 1, []
    except _Refused as error:
        return EMPTY, end + 1, [problem(error.code, reader.span(error.node), error.what, error.hint)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 2, mark.column + 1) if mark else (1, 1)
        line = min(line, end)
        what = f"The front matter is not valid YAML: {error.problem or 'it cannot be read'}"
        hint = 'Write `key: value`; put text that holds `: ` or begins with a sign in "quotes".'
        return EMPTY, end + 1, [problem("RB104", Span(path, line, column, column + 1), what, hint)]
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        what = f"The front matter is not valid YAML: {str(error)[:80]}"
        return (
            EMPTY,
            end + 1,
            [problem("RB104", Span(path, 1, 1, 4), what, "Write plain `key: value` lines.")],
        )


class _Reader:
    """YAML nodes to entries. Scalars: yes/no, whole and decimal numbers, nothing; all else is text (`06:00`, dates)."""

    def __init__(self, path: str):
        self._path = path

    def span(self, node: yaml.Node) -> Span:
        start, end = node.start_mark, node.end_mark
        last = end.column + 1 if end.line == start.line else start.column + 2
        return Span(self._path, start.line + 2, start.column + 1, max(last, start.column + 2))

    def read(self, text: str) -> FrontMatter:
        # Anchors and aliases are how YAML bombs are made; refused before anything is composed.
        for event in cast("Iterable[Any]", yaml.parse(text, yaml.CSafeLoader)):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                node = yaml.ScalarNode("", "", event.start_mark, event.end_mark)
                raise _Refused("RB104", node, "Anchors and aliases are not taken", "Write the value out.")
        root = cast("yaml.Node | None", yaml.compose(text, yaml.CSafeLoader))  # pyright: ignore
        if root is None:
            return EMPTY
        if not isinstance(root, yaml.MappingNode):
            raise _Refused("RB104", root, "The front matter is not a list of keys", "Write `key: value` lines.")
        return FrontMatter(self._entries(root, 0))

    def _entries(self, node: yaml.MappingNode, depth: int) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _Refused("RB104", key_node, "A key is not text", "Write `key: value`.")
            key = _text(key_node)
            if key in entries:
                raise _Refused("RB104", key_node, f"The key `{key}` stands twice", "Leave one of them out.")
            value = self._value(value_node, depth + 1)
            items: tuple[Value, ...] = ()
            parts: dict[str, Entry] = {}
            if isinstance(value_node, yaml.SequenceNode):
                nodes = cast("list[yaml.Node]", value_node.value)
                items = tuple(Value(self._value(each, depth + 1), self.span(each)) for each in nodes)
            elif isinstance(value_node, yaml.MappingNode):
                parts = self._entries(value_node, depth + 1)
            entries[key] = Entry(key, self.span(key_node), value, self.span(value_node), items, parts)
        return entries

    def _value(self, node: yaml.Node, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise _Refused("RB102", node, f"The front matter is nested deeper than {MAX_DEPTH}", "Make it flatter.")
        if isinstance(node, yaml.SequenceNode):
            # `[[cloak]]` reads as a list in a list: a wiki link where a value is meant.
            return [self._value(each, depth + 1) for each in cast("list[yaml.Node]", node.value)]
        if isinstance(node, yaml.MappingNode):
            pairs = cast("list[tuple[yaml.Node, yaml.Node]]", node.value)
            return {str(key.value): self._value(each, depth + 1) for key, each in pairs}
        return _scalar(node)


def _text(node: yaml.Node) -> str:
    text = str(node.value)
    if storable(text) != text:
        what = "The text holds a character that cannot be stored: 0, or half a surrogate pair"
        raise _Refused("RB104", node, what, "Leave the escape out.")
    return text


def _scalar(node: yaml.Node) -> Any:
    text = _text(node).replace("\u00a0", " ")
    if not isinstance(node, yaml.ScalarNode) or node.style:
        return text
    word = text.lower()
    if word in {"yes", "true"}:
        return True
    if word in {"no", "false"}:
        return False
    if word in {"", "~", "null"}:
        return None
    if re.fullmatch(r"[-+]?\d{1,19}", text):
        return int(text)
    if re.fullmatch(r"[-+]?\d{1,17}\.\d{1,17}", text):
        return float(text)
    return text
