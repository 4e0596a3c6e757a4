"""Owns finding and reading pages: ranked sections, excerpts, the graph of links; over a knowledge base of any size.

`SearchIndex(pages, commit)` for pages at hand, `SearchIndex.of(source, cache=…)` for files. It must not know who reads.
"""

from kb.search.index import SMALL, SearchIndex
from kb.search.results import CursorError, Excerpt, Found, Hit, Sections, Tell

__all__ = ["SMALL", "CursorError", "Excerpt", "Found", "Hit", "SearchIndex", "Sections", "Tell"]
