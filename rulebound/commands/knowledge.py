"""Owns `rulebound kb search|read|links`. It must not know how pages are found."""

from __future__ import annotations

import sys

from agents.worlds import Where, index_of, open_location
from kb.search import SearchIndex
from rulebound.settings import Settings


def _index(where: Where) -> SearchIndex:
    cache = Settings.from_environment().cache
    tell = _tell if sys.stderr.isatty() else None
    index = index_of(open_location(where, cache), cache, tell=tell)
    if tell is not None:
        print("\r\x1b[K", end="", file=sys.stderr)
    return index


def _tell(done: int, total: int) -> None:
    print(f"\rIndexing: {done:,} of {total:,} pages", end="", file=sys.stderr, flush=True)


def search(where: Where, query: str, limit: int, kind: str | None, under: str, facts: list[str]) -> int:
    """Prints the sections that fit, best first; 1 when none does."""
    narrow = {key: value for key, _, value in (fact.partition("=") for fact in facts)}
    found = _index(where).find(query, limit, kind=kind, under=under, where=narrow)
    for word, read in found.mended.items():
        print(f"rulebound: no page has {word!r}; looked for {read!r}.", file=sys.stderr)
    for hit in found.hits:
        print(f"{hit.citation}\n    {hit.snippet}")
    if not found.hits:
        print(f"rulebound: no page has the words {query!r}. Try others.", file=sys.stderr)
    return 0 if found.hits else 1


def read(where: Where, page: str, section: str | None) -> int:
    """Prints a page or a section; 1 when there is none."""
    index = _index(where)
    excerpt = index.read(page, section=section)
    if excerpt is None:
        return _missing(page, section)
    print(excerpt.text)
    while excerpt is not None and excerpt.next is not None:
        excerpt = index.read(page, section=section, first=excerpt.next)
        if excerpt is not None:
            print(excerpt.text)
    return 0


def links(where: Where, page: str) -> int:
    """Prints what a page links to and what links to it; 1 when there is no such page."""
    found = _index(where).links(page)
    if found is None:
        return _missing(page, None)
    for title, paths in (("links to", found[0]), ("linked from", found[1])):
        for path in paths:
            print(f"{title:12}{path}")
    if not any(found):
        print("No links.", file=sys.stderr)
    return 0


def _missing(page: str, section: str | None) -> int:
    what = f"no page {page!r}" + (f" with a section {section!r}" if section else "")
    print(f"rulebound: there is {what}. `rulebound kb search` finds pages by words.", file=sys.stderr)
    return 1
