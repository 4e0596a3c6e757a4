"""Owns what a knowledge base's readers ask: sections by words, a page or a part of it, links, what lies around a page.

`SearchIndex(pages, commit)` in memory; `SearchIndex.of(source, cache=…)` for any size. It must not know who reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kb.pages.page import Page
from kb.pages.source import Source
from kb.search.documents import Part, of_page
from kb.search.excerpts import excerpt
from kb.search.results import CursorError, Excerpt, Found, Hit, Libraries, Sections, Tell
from kb.types import storable

if TYPE_CHECKING:
    from kb.search.building import Built
    from kb.search.engine import Engine, Row

SMALL = 500
"""Files of a knowledge base that is indexed in memory, anew for each commit; a larger one's index lies on disk."""
MAX_LIMIT = 50
MAX_OFFSET = 1_000
MAX_SECTIONS = 10_000
_CURSOR = re.compile(r"(\d{1,4})@([\w-]{1,64})")


class SearchIndex:
    """A knowledge base's pages at a commit; any thread may ask."""

    # The engine is imported where it is first needed: playing a world takes no search.

    def __init__(self, pages: Mapping[str, Page], commit: str, *, built: Built | None = None):
        self.commit = commit
        self._built = built
        self._pages: Mapping[str, Page] = pages

    @classmethod
    def of(
        cls,
        source: Source,
        *,
        cache: Path | None = None,
        libraries: Libraries | None = None,
        before: SearchIndex | None = None,
        tell: Tell | None = None,
    ) -> SearchIndex:
        """The index of a source's files, of which only what changed is read: since `before`, or since the last one on disk.

        Without a `cache`, and for a knowledge base of `SMALL` files, it is made in memory. `libraries` are the bundled ones
        by name; `tell` hears how many pages are read of how many.
        """
        from kb.search.building import in_memory, on_disk

        built = None
        if cache is not None and len(source.files()) > SMALL:
            former = before._built.former if before is not None and before._built is not None else None
            try:
                built = on_disk(source, cache, libraries or {}, former, tell)
            except (OSError, ValueError):
                built = None  # a full or read-only disk costs time and memory, nothing else
        return cls({}, source.commit, built=built or in_memory(source, libraries or {}, tell))

    @property
    def _engine(self) -> Engine:
        if self._built is None:
            from kb.search.building import Built
            from kb.search.engine import Engine

            pages = [of_page(page) for page in self._pages.values() if storable(page.path) == page.path]
            self._built = Built(Engine.memory(pages))
            self._pages = dict[str, Page]()
        return self._built.engine

    def search(self, query: str, limit: int = 10, kind: str | None = None) -> list[Hit]:
        """The sections that fit the words best (BM25, headings weigh more); of one kind of page, where one is named."""
        return list(self.find(query, limit, kind=kind).hits)

    def find(
        self,
        query: str,
        limit: int = 10,
        *,
        kind: str | None = None,
        under: str = "",
        where: Mapping[str, str] | None = None,
        cursor: str | None = None,
    ) -> Found:
        """The sections that fit the words best, at most 50, from the cursor of the former answer on.

        `under` is a folder, or a page's path; `where` holds keys and values of the front matter (any value of a list;
        letters' case does not matter). A query is words only. Raises `CursorError`.
        """
        from kb.search.snippets import snippet
        from kb.search.words import ask, narrowed, said

        offset = self._offset(cursor)
        limit = max(1, min(limit, MAX_LIMIT))
        engine = self._engine
        meaning = ask(engine, storable(query))
        if meaning.query is None:
            return Found(())
        rows = engine.ranked(narrowed(engine, meaning.query, kind, under, where or {}), limit + 1, offset)
        hits = tuple(
            Hit(
                row.path,
                row.heading,
                row.line,
                snippet(engine, row.text, meaning.terms),
                round(score, 3),
                self.commit,
                row.kind,
            )
            for score, row in rows[:limit]
        )
        shown = " ".join(f"{row.heading} {row.text}" for _, row in rows[:5])
        mended = {said(engine, word, query): said(engine, term, shown) for word, term in meaning.mended.items()}
        following = offset + limit
        more = len(rows) > limit and following <= MAX_OFFSET
        return Found(hits, f"{following}@{self.commit[:12]}" if more else None, mended)

    def _offset(self, cursor: str | None) -> int:
        if cursor is None:
            return 0
        match = _CURSOR.fullmatch(cursor)
        if match is None or match[2] != self.commit[:12] or int(match[1]) > MAX_OFFSET:
            raise CursorError
        return int(match[1])

    def resolve(self, name: str) -> str | None:
        """The path that a path, a page's id or a file's name means."""
        from kb.search.graph import resolve

        return resolve(self._engine, storable(name))

    def read(self, name: str, *, section: str | None = None, first: int = 1, characters: int = 4_000) -> Excerpt | None:
        """A page, or one section of it, from a line on, up to so many characters."""
        path = self.resolve(name)
        if path is None:
            return None
        rows = sorted(self._engine.rows(f"p:{path}", MAX_SECTIONS), key=lambda row: row.line)
        headings = [(row.heading, row.line) for row in rows]
        return excerpt(path, _lines(rows), headings, self.commit, section=section, first=first, characters=characters)

    def sections(self, name: str) -> Sections | None:
        """A whole page by its sections."""
        path = self.resolve(name)
        if path is None:
            return None
        rows = sorted(self._engine.rows(f"p:{path}", MAX_SECTIONS), key=lambda row: row.line)
        head = [Part(rows[0].heading, 1, rows[0].head)] if rows[0].line > 1 else []
        parts = (*head, *(Part(row.heading, row.line, row.text) for row in rows))
        return Sections(path, rows[0].kind, parts, self.commit)

    def terms(self, text: str) -> list[str]:
        """The words of a text as they are compared: without case, accents and English endings."""
        return self._engine.analyzer.analyze(storable(text))

    def links(self, name: str, limit: int = 1_000) -> tuple[list[str], list[str]] | None:
        """(pages that this one links to, pages that link to it), as paths, at most `limit` of each."""
        from kb.search.graph import links

        path = self.resolve(name)
        return None if path is None else links(self._engine, path, limit)

    def neighbours(self, name: str, depth: int = 1, limit: int = 50) -> list[tuple[str, int]] | None:
        """The pages around a page by links in either direction, and how many links away; nearest first, three at most."""
        from kb.search.graph import neighbours

        path = self.resolve(name)
        return None if path is None else neighbours(self._engine, path, max(1, min(depth, 3)), limit)


def _lines(rows: list[Row]) -> list[str]:
    """A page's lines, of the parts that it is stored in."""
    texts = [rows[0].head] if rows and rows[0].line > 1 else []
    return "\n".join([*texts, *(row.text for row in rows)]).split("\n")
