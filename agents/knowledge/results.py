"""Owns what the service answers, as data. It must not know how it is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agents.access import Right
from kb.diagnostics import Diagnostic
from kb.pages.repository import Revision
from kb.search import Hit


@dataclass(frozen=True, slots=True)
class Seen:
    """A knowledge base that a principal may read, and the most that they may do there."""

    name: str
    visibility: str
    right: Right
    writable: bool


@dataclass(frozen=True, slots=True)
class Hits:
    """Sections that were found; `next` asks for more."""

    hits: tuple[Hit, ...]
    next: str
    commit: str


@dataclass(frozen=True, slots=True)
class PageRead:
    """A part of a page; `etag` is what a patch of it is based on, `next` the cursor of what follows."""

    path: str
    heading: str
    text: str
    first: int
    last: int
    next: str
    etag: str
    branch: str
    commit: str

    @property
    def citation(self) -> str:
        return f"{self.path}#{self.heading}:{self.first}@{self.commit[:14]}"


@dataclass(frozen=True, slots=True)
class Linked:
    """The pages that a page names, and those that name it (`path:line`)."""

    path: str
    out: tuple[str, ...]
    back: tuple[str, ...]
    commit: str


@dataclass(frozen=True, slots=True)
class Written:
    """What a write came to. `problems` are those it brings and those on the pages it touches; `cites` are the pages whose
    declarations it was checked against, `path:line@commit`; `dangling` what names a page that goes; `orphans` the pages
    that nothing names any more."""

    kb: str
    branch: str
    live: bool
    commit: str
    paths: tuple[str, ...]
    etag: str
    problems: tuple[Diagnostic, ...]
    cites: tuple[str, ...]
    dangling: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    dry_run: bool = False
    before: str = ""
    """The etag of a deleted page."""

    @property
    def valid(self) -> bool:
        return not any(each.severity == "error" for each in self.problems)


@dataclass(frozen=True, slots=True)
class Past:
    """Commits, newest first; `next` asks for older ones."""

    revisions: tuple[Revision, ...]
    next: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft: its branch, its commit, and how many commits it is ahead of the live branch and behind it."""

    branch: str
    commit: str
    ahead: int
    behind: int


@dataclass(frozen=True, slots=True)
class Analysis:
    """How a knowledge base does: pages by kind, every problem, pages that nothing names, places that nobody reaches."""

    commit: str
    branch: str
    kinds: Mapping[str, int]
    problems: tuple[Diagnostic, ...]
    orphans: tuple[str, ...]
    unreachable: tuple[str, ...]
