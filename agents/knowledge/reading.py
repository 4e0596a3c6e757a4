"""Owns reading a knowledge base for somebody who is in it: search, pages, links, history, drafts, analysis.

Each takes an `Entered` and stays within a budget of characters; what is not there is `NotThere`. It must not know transports.
"""

from __future__ import annotations

from itertools import islice

from agents.knowledge.access import Entered, drafts_of
from agents.knowledge.base import Snapshot
from agents.knowledge.cursors import cursor, offset, stale
from agents.knowledge.errors import NotThere
from agents.knowledge.graph import Graph
from agents.knowledge.results import Analysis, Draft, Hits, Linked, PageRead, Past
from kb.pages.repository import Repository
from kb.search import CursorError, Excerpt, SearchIndex
from kb.search.documents import of_bytes
from kb.search.excerpts import excerpt

CHARACTERS = 8_000
"""The most text that one answer holds, some 2,000 tokens."""
MAX_HITS = 25
"""Sections in one answer: with a snippet of 200 characters each, about as much text."""


def snapshot(entered: Entered, branch: str) -> tuple[Snapshot, str]:
    """A branch as it is now, and its name. Raises `NotThere`."""
    name = entered.branch(branch)
    found = entered.base.at(name)
    if found is None:
        raise entered.no_branch(branch or name)
    return found, name


def pages(entered: Entered, branch: str) -> SearchIndex:
    """The index of a branch as it is now, for who reads much at one commit."""
    return snapshot(entered, branch)[0].index


def search(entered: Entered, query: str, *, branch: str, kind: str | None, under: str, limit: int, after: str) -> Hits:
    """The sections that fit best, from a cursor on; of one kind of page, or below a folder, where one is named."""
    at, _ = snapshot(entered, branch)
    try:
        found = at.index.find(query, min(limit, MAX_HITS), kind=kind or None, under=under, cursor=after or None)
    except CursorError as error:
        raise stale() from error
    return Hits(found.hits, found.cursor or "", at.commit)


def read(entered: Entered, page: str, *, branch: str, section: str | None, characters: int, after: str) -> PageRead:
    """A page or a section, from a cursor on."""
    at, name = snapshot(entered, branch)
    question = f"{page}\0{section}"
    first = max(1, offset(after, at.commit, question))
    path = at.resolve(page)
    found = _part(at, path, section, first, min(characters, CHARACTERS)) if path else None
    if found is None:
        raise no_page(entered, page, section)
    more = cursor(at.commit, question, found.next) if found.next else ""
    heading, etag = section or found.title, at.etag(found.path)
    return PageRead(found.path, heading, found.text, found.first, found.last, more, etag, name, at.commit)


def _part(at: Snapshot, path: str, section: str | None, first: int, characters: int) -> Excerpt | None:
    """A part of a page. One of the knowledge base's own is read as it is: no index is made for it."""
    blob = at.source.files().get(path)
    if blob is None:
        return at.index.read(path, section=section, first=first, characters=characters)
    page = of_bytes(path, blob.id, at.source.read(blob))
    headings = [(part.heading, part.line) for part in page.parts]
    lines = "\n".join([*([page.head] if page.head else []), *(part.text for part in page.parts)]).split("\n")
    return excerpt(path, lines, headings, at.commit, section=section, first=first, characters=characters)


def paths(entered: Entered, branch: str) -> list[str]:
    """The paths of all pages of a branch."""
    return sorted(snapshot(entered, branch)[0].pages)


def no_page(entered: Entered, page: str, section: str | None = None) -> NotThere:
    what = f"no page {page[:80]!r} in {entered.name}" + (f" with a section {section[:80]!r}" if section else "")
    return NotThere(f"There is {what}", "Search finds pages by words.")


def links(entered: Entered, page: str, *, branch: str) -> Linked:
    """What a page links to, and every place that names it: by wiki link, exit or front matter."""
    at, _ = snapshot(entered, branch)
    path = at.resolve(page)
    found = at.index.links(path) if path else None
    if path is None or found is None:
        raise no_page(entered, page)
    graph = Graph(at.pages)
    out = {*found[0], *(use.to for use in graph.uses if use.path == path and use.to != path)}
    back = {f"{use.path}:{use.span.line}" for use in graph.to(path)}
    named = {use.path for use in graph.to(path)}
    return Linked(path, tuple(sorted(out)), tuple(sorted({*back, *(set(found[1]) - named)})), at.commit)


def history(entered: Entered, page: str, *, branch: str, limit: int, after: str) -> Past:
    """The commits that changed a page, or all of them, from a cursor on."""
    at, _ = snapshot(entered, branch)
    path = (at.resolve(page) or page) if page else None
    start = offset(after, at.commit, f"history {path}")
    repository = entered.base.repository
    found = list(islice(repository.history(at.commit, path), start, start + limit + 1)) if repository else []
    if path is not None and not found and not start and path not in at.pages:
        raise no_page(entered, page)
    more = cursor(at.commit, f"history {path}", start + limit) if len(found) > limit else ""
    return Past(tuple(found[:limit]), more)


def drafts(entered: Entered) -> list[Draft]:
    """The drafts of a principal; everybody's for who may publish."""
    repository = entered.base.repository
    live = entered.base.head(entered.base.live)
    if repository is None or live is None or entered.right == "read":
        return []
    prefix = "draft/" if entered.right == "publish" else drafts_of(entered.who)
    found: list[Draft] = []
    for name, head in repository.branches(prefix).items():
        ahead, behind = repository.git.ahead_behind(head, live)
        found.append(Draft(name, head, ahead, behind))
    return found


def diff(entered: Entered, branch: str) -> str:
    """What a draft changes, since it parted from the live branch."""
    at, name = snapshot(entered, branch)
    repository = entered.base.repository
    live = entered.base.head(entered.base.live)
    if repository is None or live is None or name == entered.base.live:
        return ""
    return _diff(repository, live, at.commit)


def _diff(repository: Repository, live: str, draft: str) -> str:
    return repository.diff(repository.base(live, draft) or live, draft)


def analyse(entered: Entered, branch: str) -> Analysis:
    """How a branch does as a whole."""
    at, name = snapshot(entered, branch)
    checked = at.checked
    graph = Graph(at.pages)
    unreachable = tuple(each.span.path for each in checked.problems if each.code == "RB603")
    return Analysis(
        at.commit, name, graph.counts(), checked.problems, tuple(graph.orphans()), tuple(sorted(set(unreachable)))
    )
