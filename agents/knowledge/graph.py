"""Owns what pages need of each other: wiki links, and ids in front matter (exits, where a thing is, where one starts).

`Graph(pages)`; `graph.to(path)` is what would dangle without a page. It must not know Git, nor who asks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from kb.compiler.builtin import PAGE_KEYS, TEMPLATE_KEYS
from kb.diagnostics import Span
from kb.pages.front import Entry
from kb.pages.page import Page

RUN = frozenset({"experience", "rule", "scenario", "kind", "table", "workflow", "agent", "persona"})
"""Kinds of pages that work without anything that names them."""
_LINK = re.compile(r"\[\[([^\[\]|\n]+)(?:\|([^\[\]\n]*))?\]\]")


@dataclass(frozen=True, slots=True)
class Use:
    """A place on a page that names another page."""

    path: str
    to: str
    span: Span
    how: Literal["link", "exit", "in", "key"]


def kind_of(page: Page) -> str:
    """The key that says what a page is, or `lore`."""
    first = next(iter(page.front.entries), None)
    return first if first is not None and _id(page) else "lore"


def _id(page: Page) -> str | None:
    first = next(iter(page.front.entries.values()), None)
    return first.value if first is not None and isinstance(first.value, str) else None


class Graph:
    """The uses of pages by pages of one knowledge base."""

    def __init__(self, pages: Mapping[str, Page]):
        self.pages = pages
        self._names: dict[str, str] = {path.rsplit("/", 1)[-1].removesuffix(".md"): path for path in pages}
        self._names |= {id: path for path, page in pages.items() if (id := _id(page)) is not None}
        self._names |= {path: path for path in pages}
        self.uses = [use for page in pages.values() for use in self._uses(page)]

    def to(self, path: str) -> list[Use]:
        """Where other pages name a page."""
        return [use for use in self.uses if use.to == path and use.path != path]

    def orphans(self) -> list[str]:
        """Places, things, people, quests and lore that no other page names, and that name no place to be in."""
        named = {use.to for use in self.uses if use.path != use.to}
        placed = {use.path for use in self.uses if use.how == "in"}
        return sorted(
            path
            for path, page in self.pages.items()
            if path not in named | placed and kind_of(page) not in RUN and not path.endswith("README.md")
        )

    def counts(self) -> dict[str, int]:
        """How many pages there are of each kind."""
        return dict(sorted(Counter(kind_of(page) for page in self.pages.values()).items()))

    def inside(self, path: str) -> set[str]:
        """A page and what is in it alone, and in those."""
        found, left = {path}, [path]
        while left:
            around = left.pop()
            for use in self.to(around):
                entry = self.pages[use.path].front.entries.get("in")
                if use.how == "in" and entry is not None and isinstance(entry.value, str) and use.path not in found:
                    found.add(use.path)
                    left.append(use.path)
        return found

    def without(self, path: str, text: str, gone: set[str]) -> str:
        """A page's text without its links and exits to pages that go."""

        def plain(link: re.Match[str]) -> str:
            target = self._names.get(link[1].split("#")[0].strip())
            if target not in gone:
                return link[0]
            return link[2] or self.pages[target].title or link[1]

        lines = _LINK.sub(plain, text).split("\n")
        exits = self.pages[path].front.entries.get("exits")
        for part in exits.parts.values() if exits else ():
            if self._names.get(str(part.value)) in gone:
                number = part.key_span.line - 1
                lines[number] = _without_exit(lines[number], part.key, str(part.value))
        return "\n".join(line for line in lines if line != _GONE)

    def _uses(self, page: Page) -> Iterator[Use]:
        for link in page.links:
            target = self._names.get(link.target.split("#")[0].strip())
            if target is not None:
                yield Use(page.path, target, link.span, "link")
        for number, (key, entry) in enumerate(page.front.entries.items()):
            how: Literal["exit", "in", "key"] = "exit" if key == "exits" else "in" if key in ("in", "at") else "key"
            for value, span in _values(entry) if number or key not in {*PAGE_KEYS, *TEMPLATE_KEYS} else ():
                target = self._names.get(value)
                if target is not None and _id(self.pages[target]) == value:
                    yield Use(page.path, target, span, how)


_GONE = "\0"


def _without_exit(line: str, key: str, value: str) -> str:
    """A line of front matter without an exit, in either of YAML's styles."""
    pair = rf"[\"']?{re.escape(key)}[\"']?\s*:\s*[\"']?{re.escape(value)}[\"']?"
    if re.fullmatch(rf"\s+{pair}\s*", line):
        return _GONE
    line = re.sub(rf"(?<=[{{,])\s*{pair}\s*(?=[,}}])", "", line, count=1)
    return re.sub(r",\s*(?=[,}])", "", re.sub(r"\{\s*,\s*", "{", line))


def _values(entry: Entry) -> Iterator[tuple[str, Span]]:
    if isinstance(entry.value, str):
        yield entry.value, entry.value_span
    for item in entry.items:
        if isinstance(item.value, str):
            yield item.value, item.span
    for part in entry.parts.values():
        yield from _values(part)
