"""Owns one knowledge base that is open: its pages, index and check at each branch, made anew only where a branch moved.

`Base.open(namespace, cache)`; `base.at(branch)` is a `Snapshot`. It must not know who asks.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from agents.access import Namespace
from agents.knowledge.errors import KnowledgeError
from agents.worlds import Where, WorldError, index_of, open_location, with_libraries
from kb import library
from kb.check import Checked, check
from kb.pages.cache import load_pages
from kb.pages.git_source import GitSource
from kb.pages.names import WriteError
from kb.pages.page import Page
from kb.pages.repository import Repository
from kb.pages.source import Source
from kb.search import SMALL, SearchIndex

MAX_BRANCHES = 12
"""How many branches of a knowledge base are kept open."""


class Snapshot:
    """A knowledge base at a commit; what is asked of it is made once, from what the `former` one knew."""

    def __init__(self, source: Source, cache: Path, former: Snapshot | None = None):
        self.source, self.commit = source, source.commit
        self._cache = cache
        self._known: Mapping[str, tuple[str, Page]] = former.known if former else {}
        self._indexed: SearchIndex | None = former.__dict__.get("index", former._indexed) if former else None
        self._before: Checked | None = former.__dict__.get("checked", former._before) if former else None

    @cached_property
    def pages(self) -> Mapping[str, Page]:
        """The pages by path, without those of libraries."""
        return load_pages(self.source, self._cache, self._known)

    @property
    def known(self) -> Mapping[str, tuple[str, Page]]:
        """path → (content id, page), of what has been read."""
        files = self.source.files()
        pages = self.__dict__.get("pages")
        return {path: (files[path].id, page) for path, page in pages.items()} if pages is not None else self._known

    @cached_property
    def index(self) -> SearchIndex:
        if len(self.source.files()) > SMALL:
            return index_of(self.source, self._cache, before=self._indexed)
        return SearchIndex(with_libraries(self.pages), self.commit)

    def resolve(self, name: str) -> str | None:
        """The path that a path, a page's id or a file's name means; a path asks for nothing to be read."""
        for path in (name, f"{name}.md"):
            if path in self.source.files():
                return path
        if len(self.source.files()) > SMALL:
            return self.index.resolve(name)
        return self._names.get(name) or self.index.resolve(name)

    @cached_property
    def _names(self) -> Mapping[str, str]:
        """Ids and file names of a small knowledge base's pages, of which an index need not be made to find one."""
        files = {path.rsplit("/", 1)[-1].removesuffix(".md"): path for path in reversed(list(self.pages))}
        firsts = {path: next(iter(page.front.entries.values()), None) for path, page in self.pages.items()}
        return files | {str(first.value): path for path, first in firsts.items() if first is not None and first.value}

    @cached_property
    def checked(self) -> Checked:
        found = check(self.source, cache=self._cache, before=self._before)
        self.__dict__.setdefault("pages", found.pages)
        return found

    def etag(self, path: str) -> str:
        """What stands for a page's content; empty for a library's page, which is not written here."""
        blob = self.source.files().get(path)
        return blob.id if blob else ""


class Base:
    """A namespace's repository, or a folder that is only read."""

    def __init__(self, namespace: Namespace, source: Source | None, repository: Repository | None, cache: Path):
        self.namespace, self.repository, self.cache = namespace, repository, cache
        self._source = source
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Snapshot] = OrderedDict()

    @staticmethod
    def open(namespace: Namespace, cache: Path) -> Base:
        """Raises `KnowledgeError` where the location holds nothing that can be read."""
        where = Where(namespace.location)
        try:
            if namespace.location in library.worlds() and not Path(namespace.location).is_dir():
                return Base(namespace, open_location(where, cache), None, cache)
            if not Path(where.path).is_dir():
                source = open_location(where, cache)
                assert isinstance(source, GitSource), "what is no folder is a remote repository"
                return Base(namespace, source, Repository(Path(source.repo.git_dir)), cache)
            try:
                repository = Repository.of(Path(where.path))
            except WriteError:
                return Base(namespace, open_location(where, cache), None, cache)
            if not repository.committed:
                return Base(namespace, open_location(where, cache), None, cache)
        except (WorldError, WriteError) as error:
            raise KnowledgeError(str(error), error.hint) from None
        return Base(namespace, None, repository, cache)

    @property
    def remote(self) -> bool:
        """Whether it is the copy of a repository elsewhere."""
        return self._source is not None and self.repository is not None

    @property
    def live(self) -> str:
        """The name of the branch that is played."""
        return self.repository.live if self.repository else "main"

    def writable(self) -> Repository:
        """Raises `KnowledgeError` where nothing can be written."""
        if self.repository is None or self.remote:
            name = self.namespace.name
            if self.remote:
                raise KnowledgeError(
                    f"{name} is written at its own repository", "Push there; it is taken up from there."
                )
            if self.namespace.location in library.worlds():
                hint = f"Ask an admin for a copy of it: `rulebound kb create my-{name} --like {name}`."
            else:
                hint = "Commit its pages to a Git repository, and start the server again."
            raise KnowledgeError(f"{name} is only read here", hint)
        return self.repository

    def where(self, branch: str) -> Where:
        """Where a branch is played. Another repository's copy is played from there, which is where its news come from."""
        assert self.repository is not None, "only a repository has branches"
        if self.remote:
            return Where(self.namespace.location, branch)
        root = self.repository.checkout or self.repository.shared
        return Where(str(root / self.repository.inner), branch)

    def fetch(self) -> None:
        """Asks the repository elsewhere for news."""
        if self._source is not None:
            self._source.moved()

    def head(self, branch: str) -> str | None:
        return self.repository.head(branch) if self.repository else None

    def at(self, branch: str) -> Snapshot | None:
        """The branch as it is now; None where there is no such branch."""
        with self._lock:
            former = self._open.get(branch)
            if self.repository is not None:
                head = self.repository.head(branch)
                if head is None:
                    self._open.pop(branch, None)
                    return None
                if former is None or former.commit != head:
                    former = self._keep(branch, self.snapshot(head, branch))
            elif branch != self.live:
                return None
            elif former is None or former.source.moved():
                source = self._source if former is None else former.source.again()
                assert source is not None, "what is no repository has a source"
                former = self._keep(branch, Snapshot(source, self.cache, former))
            self._open.move_to_end(branch)
            return former

    def snapshot(self, commit: str, branch: str) -> Snapshot:
        """A commit that may not be on its branch yet, from what the branch or the live one is known to hold."""
        assert self.repository is not None, "only a repository has commits"
        former = self._open.get(branch) or self._open.get(self.live)
        return Snapshot(self.repository.tree(commit, branch), self.cache, former)

    def landed(self, branch: str, snapshot: Snapshot) -> None:
        """Takes up a commit that was just put on its branch."""
        with self._lock:
            self._keep(branch, snapshot)

    def _keep(self, branch: str, snapshot: Snapshot) -> Snapshot:
        self._open[branch] = snapshot
        while len(self._open) > MAX_BRANCHES:
            self._open.popitem(last=False)
        return snapshot
