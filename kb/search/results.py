"""Owns what searching and reading take and give: hits with their citations, answers with cursors, excerpts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kb.pages.page import Page
from kb.search.documents import Part

Libraries = Mapping[str, Callable[[], Mapping[str, Page]]]
"""The bundled libraries by name, read when a page `uses` them."""
Tell = Callable[[int, int], None]
"""Told how many pages are read, of how many."""


class CursorError(ValueError):
    """The cursor is not of this knowledge base at this commit. Ask again without it."""

    def __init__(self) -> None:
        super().__init__(str(self.__doc__))


@dataclass(frozen=True, slots=True)
class Hit:
    """One section that was found."""

    path: str
    heading: str
    line: int
    snippet: str
    score: float
    commit: str
    kind: str = "lore"

    @property
    def citation(self) -> str:
        return f"{self.path}#{self.heading}:{self.line}@{self.commit[:12]}"


@dataclass(frozen=True, slots=True)
class Found:
    """One answer: hits, best first, and where the next ones begin (None at the end)."""

    hits: tuple[Hit, ...]
    cursor: str | None = None
    mended: Mapping[str, str] = field(default_factory=dict[str, str])
    """Words that stand on no page → the words (or the beginning of words) that were looked for instead."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a page: its text, first and last line, and the line to go on from (None at the end)."""

    path: str
    text: str
    first: int
    last: int
    next: int | None
    commit: str
    title: str = ""
    """The page's."""


@dataclass(frozen=True, slots=True)
class Sections:
    """A whole page, part by part in order; front matter is a part under the page's title, from line 1."""

    path: str
    kind: str
    parts: tuple[Part, ...]
    commit: str

    def heading(self, line: int) -> str | None:
        """What a line stands under; None: the page has no such line."""
        last = self.parts[-1].line + self.parts[-1].text.count("\n") if self.parts else 0
        if not 1 <= line <= last:
            return None
        return next(part.heading for part in reversed(self.parts) if part.line <= line)
