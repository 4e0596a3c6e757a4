"""Owns what of a page is searched: its parts by heading, kind, facts of the front matter, names and links.

`of_page(page, id)`, or `of_bytes(path, id, data)` straight from a file, which gives the same at a quarter of the cost where
a page's structure is plain. It must not know how any of it is stored.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from kb.pages.front import LORE_KEYS, Entry, parse_front
from kb.pages.page import LINK, MAX_BYTES, MAX_LINE, MAX_LINES, Page, heading_of, parse_bytes

MAX_FACT = 200
_HARD = re.compile(r"[ \t]*<|[ \t]+#| {0,3}(?:[|:=-][ \t|:=-]*$|\[.*\]:)")
"""A line that makes the structure of a page more than its headings at the left edge: HTML, a heading in a list, a table,
an underlined heading, a definition. Code does, too."""
_DEEP = re.compile(r".*(?: {4}|\t)|[ >*+\d.)-]{8}")
"""A line whose links may stand in indented code, or too deep."""
_HEADING = re.compile(r"#{1,6}(?=[ \t]|$)")


@dataclass(frozen=True, slots=True)
class Part:
    """What stands under one heading, with it; `line` is the heading's."""

    heading: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """One page as it is searched. `head` is what stands before the first part: the front matter."""

    path: str
    id: str
    kind: str
    name: str
    """The value of the first key, by which other pages may name it; "" where there is none."""
    facts: tuple[tuple[str, str], ...]
    head: str
    parts: tuple[Part, ...]
    links: tuple[str, ...]


def of_page(page: Page, id: str = "") -> Document:
    """A parsed page; `id` is its content's."""
    headings = [(section.heading, section.span.line) for section in page.sections if section.heading]
    title = (page.title or page.path, page.title_span.line)
    links = [link.target for link in page.links]
    return _document(page.path, id, page.front.entries, page.text.split("\n"), [title, *headings], links)


def of_bytes(path: str, id: str, data: bytes) -> Document:
    """A file; never raises: a page that cannot be read has no text."""
    return _plain(path, id, data) or of_page(parse_bytes(path, data), id)


def _plain(path: str, id: str, data: bytes) -> Document | None:
    """The document of a page of plain structure; None for any other."""
    if len(data) > MAX_BYTES or b"\0" in data:
        return None
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        return None
    lines = text.split("\n")
    if len(lines) > MAX_LINES or max(map(len, lines)) > MAX_LINE:
        return None
    front, start, _ = parse_front(path, lines)
    if "`" in text or "~~~" in text or any(map(_HARD.match, lines[start:])):
        return None
    title: tuple[str, int] | None = None
    headings: list[tuple[str, int]] = []
    links: list[str] = []
    for number, line in enumerate(lines[start:], start + 1):
        match = _HEADING.match(line)
        if match and match.end() == 1 and not (title and title[0]):
            title = (heading_of(line)[0], number)
        elif match and match.end() == 2:
            headings.append((heading_of(line)[0], number))
        elif "[[" in line:
            found = [each[1].strip() for each in LINK.finditer(line)]
            if _DEEP.match(line) or len(found) != line.count("[["):  # it may go on in the next line
                return None
            links += found
    named = title or ("", 1)
    starts = [(named[0] or path, named[1]), *(each for each in headings if each[0])]
    return _document(path, id, front.entries, lines, starts, links)


def _document(
    path: str, id: str, entries: Mapping[str, Entry], lines: list[str], starts: list[tuple[str, int]], links: list[str]
) -> Document:
    starts.sort(key=lambda start: start[1])
    parts = tuple(
        Part(heading, line, "\n".join(lines[line - 1 : following[1] - 1]))
        for (heading, line), following in itertools.pairwise([*starts, ("", len(lines) + 1)])
    )
    first = next(iter(entries.values()), None)
    return Document(
        path,
        id,
        next((key for key in entries if key not in LORE_KEYS), "lore"),
        str(first.value) if first and first.value else "",
        tuple((key, value[:MAX_FACT]) for key, entry in entries.items() for value in _values(entry.value)),
        "\n".join(lines[: starts[0][1] - 1]),
        parts,
        tuple(dict.fromkeys(links)),
    )


def _values(value: object) -> Iterator[str]:
    """The single values of a front matter's value, as a designer writes them; a map has none."""
    if isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _values(each)
    elif isinstance(value, bool):
        yield "yes" if value else "no"
    elif isinstance(value, str | int | float):
        yield str(value)
