"""Owns names and links: which page a name means, what a page links to, what links to it, what lies around it.

`resolve(engine, name)`, `links(…)`, `neighbours(…)`; each costs what it finds, whatever the size of the knowledge base. It
must not know words or ranking.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from kb.search.engine import Engine, targets

MAX_LINKS = 1_000
MAX_NAME = 1_000
_NAMESAKES = 1_000


def resolve(engine: Engine, name: str) -> str | None:
    """The path that a path, a path without `.md`, a page's id or a file's name means.

    A knowledge base's own pages go before a library's; of pages with the same id the last path counts, of files with the
    same name the first.
    """
    if not name or len(name) > MAX_NAME:
        return None
    for path in (name, f"{name}.md"):
        if engine.has(f"p:{path}"):
            return path
    for mark, choose in ((f"i:{name}", max), (f"n:{name}", min)):
        if rows := engine.rows(mark, _NAMESAKES):
            own = [row for row in rows if not row.library]
            return choose(row.path for row in own or rows)
    return None


def links(engine: Engine, path: str, limit: int = MAX_LINKS) -> tuple[list[str], list[str]]:
    """(pages that this one links to, pages that link to it), as sorted paths, at most `limit` of each."""
    first = engine.first(path)
    if first is None:
        return [], []
    out = {target for name in targets(first.links)[:limit] if (target := resolve(engine, name))}
    back: set[str] = set()
    bare = path.removesuffix(".md")
    for name in dict.fromkeys((path, bare, PurePosixPath(bare).name, first.name)):
        if resolve(engine, name) == path:
            back |= {row.path for row in engine.rows(f"l:{name}", limit + 1)}
    return sorted(out), sorted(back - {path})[:limit]


def neighbours(engine: Engine, path: str, depth: int, limit: int) -> list[tuple[str, int]]:
    """The pages around a page by links in either direction, nearest first, with the number of links between."""
    found, rim = {path: 0}, [path]
    for distance in range(1, depth + 1):
        around = sorted({other for each in rim for side in links(engine, each, limit) for other in side} - found.keys())
        rim = around[: limit + 1 - len(found)]
        found |= dict.fromkeys(rim, distance)
        if not rim:
            break
    return [(each, distance) for each, distance in found.items() if distance]
