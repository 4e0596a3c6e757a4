"""Owns `rulebound kb search|read|links`."""

from __future__ import annotations

import sys

from agents.worlds import located
from kb.pages.cache import load_pages
from kb.pages.source import open_source
from kb.search import SearchIndex
from rulebound.settings import Settings


def _index(path: str) -> SearchIndex:
    cache = Settings.from_environment().cache
    source = open_source(located(path), cache=cache)
    return SearchIndex(load_pages(source, cache), source.commit)


def search(path: str, query: str, limit: int) -> int:
    """Prints the sections that fit, best first."""
    hits = _index(path).search(query, limit)
    for hit in hits:
        print(f"{hit.citation}\n    {hit.snippet}")
    if not hits:
        print("Nothing is found.", file=sys.stderr)
    return 0 if hits else 1


def read(path: str, page: str, section: str | None) -> int:
    """Prints a page or a section."""
    index = _index(path)
    first: int | None = 1
    found = False
    while first is not None:
        excerpt = index.read(page, section=section, first=first, characters=8_000)
        if excerpt is None:
            break
        found = True
        print(excerpt.text)
        first = excerpt.next
    if not found:
        print(
            f"rulebound: there is no page {page!r}" + (f" with a section {section!r}." if section else "."),
            file=sys.stderr,
        )
    return 0 if found else 1


def links(path: str, page: str) -> int:
    """Prints links and backlinks."""
    found = _index(path).links(page)
    if found is None:
        print(f"rulebound: there is no page {page!r}.", file=sys.stderr)
        return 1
    out, back = found
    for title, paths in (("Links to", out), ("Linked from", back)):
        print(f"{title}:")
        print("\n".join(f"  {each}" for each in paths) or "  nothing")
    return 0
