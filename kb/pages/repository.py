"""Owns a repository that is read and written by its objects: branches, trees at a commit, history, differences.

`Repository(folder)`; `repository.tree(commit)` is a `Source`. Names and revisions from outside are only ever looked up, never
parsed by Git nor put on a command line. It must not know what files mean.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pygit2
from pygit2.enums import FileMode, ObjectType, Option, SortMode

from kb.diagnostics import Diagnostic, Span, problem
from kb.pages.names import WriteError
from kb.pages.source import LFS, Blob, bounded, kept

MAX_HISTORY = 5_000
MAX_DIFF = 64 * 1024
_KNOWN = 20_000


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit that changed a page, or the whole; `etag` is the page's content then, None where it was deleted."""

    commit: str
    author: str
    time: datetime
    message: str
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """One file that differs between two trees, with its content ids."""

    path: str
    before: str | None
    after: str | None

    @property
    def status(self) -> Literal["added", "changed", "deleted"]:
        return "added" if self.before is None else "deleted" if self.after is None else "changed"


@dataclass
class Tree:
    """A commit's files, as a `Source`; `branch` is where `moved` looks."""

    repository: Repository
    commit: str
    branch: str
    problems: list[Diagnostic] = field(default_factory=list[Diagnostic])

    def __post_init__(self) -> None:
        self._files = bounded(self.repository.listing(self.commit, self.problems), self.problems)

    @property
    def place(self) -> str:
        return f"{self.repository.shared}\0{self.repository.inner}"

    def files(self) -> Mapping[str, Blob]:
        return self._files

    def read(self, blob: Blob) -> bytes:
        data = self.repository.content(blob.id)
        if not data.startswith(LFS):
            return data
        what = problem("RB103", Span(blob.path, 1), "The file is a Git LFS pointer", "Store the page itself in Git.")
        if what not in self.problems:
            self.problems.append(what)
        return b""

    def moved(self) -> bool:
        return self.repository.head(self.branch) not in (self.commit, None)

    def again(self) -> Tree:
        return Tree(self.repository, self.repository.head(self.branch) or self.commit, self.branch)


class Repository:
    """A Git repository on this machine, bare or with a checkout; `inner` is the folder of the pages within it.

    Raises `WriteError` where it is none, or one that cannot be written. It may be used by many threads.
    """

    def __init__(self, folder: Path, inner: str = ""):
        self.folder, self.inner = folder, inner
        self._local = threading.local()
        self._flat: dict[str, tuple[tuple[str, int, str], ...]] = {}
        self._sizes: dict[str, int] = {}
        head = self.git.lookup_reference("HEAD").target
        if not isinstance(head, str):
            raise WriteError(f"{folder} has no branch checked out", "Check out the branch that shall be live.")
        self.live = head.removeprefix("refs/heads/")

    @staticmethod
    def of(folder: Path) -> Repository:
        """The repository that holds a folder of pages."""
        found = pygit2.discover_repository(str(folder))
        if found is None:
            raise WriteError(f"{folder} is not in a Git repository", "Make it one: `git init`, then commit the pages.")
        git = _opened(Path(found))
        root = Path(git.workdir or git.path).resolve()
        inner = folder.resolve().relative_to(root).as_posix() if folder.resolve() != root else ""
        return Repository(Path(found), "" if inner == "." else inner)

    @staticmethod
    def create(folder: Path) -> Repository:
        """A new bare repository, whose live branch is `main`."""
        if folder.exists():
            raise WriteError(f"{folder} exists", "Choose another name.")
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        pygit2.init_repository(str(folder), bare=True, initial_head="main").config["core.logAllRefUpdates"] = True
        return Repository(folder)

    @property
    def git(self) -> pygit2.Repository:
        """This thread's own handle."""
        if getattr(self._local, "git", None) is None:
            self._local.git = _opened(self.folder)
        return self._local.git

    @property
    def checkout(self) -> Path | None:
        """The folder in which the live branch is checked out."""
        return None if self.git.is_bare else Path(self.git.workdir)

    @property
    def shared(self) -> Path:
        """The folder of Git's references, also where this is a linked worktree."""
        path = Path(self.git.path.rstrip("/"))
        common = path / "commondir"
        return (path / common.read_text().strip()).resolve() if common.exists() else path

    @property
    def committed(self) -> bool:
        """Whether the live branch holds the folder at all."""
        head = self.head(self.live)
        return head is not None and (not self.inner or self._folder(head) is not None)

    def head(self, branch: str) -> str | None:
        """The commit that a branch is at; None where there is no such branch."""
        try:
            return str(self.git.references[f"refs/heads/{branch}"].target)
        except (KeyError, ValueError):
            return None

    def branches(self, prefix: str) -> dict[str, str]:
        """Branches below a prefix, and the commits that they are at."""
        names = [name for name in self.git.branches.local if name.startswith(prefix)]
        return {name: head for name in sorted(names) if (head := self.head(name))}

    def tree(self, commit: str, branch: str = "") -> Tree:
        """The files at a commit."""
        return Tree(self, commit, branch or self.live)

    def root(self, commit: str) -> pygit2.Tree:
        """The whole tree of a commit, with what lies beside the pages."""
        return self.git[commit].peel(pygit2.Tree)

    def entry(self, commit: str | None, path: str) -> pygit2.Object | None:
        """What stands at a path below `inner`."""
        try:
            return self.root(commit)[f"{self.inner}/{path}" if self.inner else path] if commit else None
        except KeyError:
            return None

    def etag(self, commit: str | None, path: str) -> str | None:
        """The id of a page's content at a commit; None where there is no such page."""
        found = self.entry(commit, path)
        plain = found is not None and found.type == ObjectType.BLOB and found.filemode != FileMode.LINK
        return str(found.id) if found is not None and plain else None

    def content(self, id: str) -> bytes:
        """The bytes with an id."""
        return self.git.odb.read(id)[1]

    def listing(self, commit: str, problems: list[Diagnostic]) -> dict[str, Blob]:
        """The files of a commit that are pages or data; what is refused is added to the problems."""
        found: dict[str, Blob] = {}
        top = self.root(commit) if not self.inner else self._folder(commit)
        for path, mode, id in self._walk(top) if top is not None else ():
            if mode == FileMode.COMMIT or (mode == FileMode.LINK and kept(path)):
                what = "a submodule" if mode == FileMode.COMMIT else "a symbolic link"
                hint = "Put the pages themselves here." if mode == FileMode.COMMIT else "Put the file itself here."
                problems.append(problem("RB103", Span(path, 1), f"The entry is {what}", hint))
            elif mode != FileMode.LINK and kept(path):
                found[path] = Blob(path, id, self._size(id))
        return found

    def _folder(self, commit: str) -> pygit2.Tree | None:
        root = self.root(commit)
        found = root[self.inner] if self.inner in root else None  # noqa: SIM401 — a tree has no `get`
        return found if isinstance(found, pygit2.Tree) else None

    def _walk(self, tree: pygit2.Tree) -> tuple[tuple[str, int, str], ...]:
        """(path, mode, id) of everything below a tree; a folder that did not change is not read again."""
        known = self._flat.get(str(tree.id))
        if known is None:
            entries: list[tuple[str, int, str]] = []
            for each in tree:
                name = each.name or ""
                if isinstance(each, pygit2.Tree):
                    entries += [(f"{name}/{path}", mode, id) for path, mode, id in self._walk(each)]
                else:
                    entries.append((name, int(each.filemode), str(each.id)))
            if len(self._flat) > _KNOWN:
                self._flat.clear()
            known = self._flat[str(tree.id)] = tuple(entries)
        return known

    def _size(self, id: str) -> int:
        size = self._sizes.get(id)
        if size is None:
            if len(self._sizes) > 10 * _KNOWN:
                self._sizes.clear()
            size = self._sizes[id] = self.git.odb.read_header(id)[1]
        return size

    def deltas(self, before: str | None, after: str) -> list[Delta]:
        """The files of the whole repository that differ between two commits, by their paths from its root."""
        former = {path: id for path, _, id in self._walk(self.root(before))} if before else {}
        new = {path: id for path, _, id in self._walk(self.root(after))}
        changed = sorted({path for path, _ in former.items() ^ new.items()})
        return [Delta(path, former.get(path), new.get(path)) for path in changed]

    def base(self, one: str, other: str) -> str | None:
        """The commit where two histories parted."""
        found = self.git.merge_base(one, other)
        return str(found) if found else None

    def diff(self, before: str, after: str) -> str:
        """The difference between two commits as text, at most 64 KiB."""
        patches = self.root(before).diff_to_tree(self.root(after))
        text = b"".join(each.data for each in patches if each is not None)[: MAX_DIFF + 1]
        shown = text[:MAX_DIFF].decode("utf-8", "replace")
        return shown if len(text) <= MAX_DIFF else f"{shown}\n… the rest is left out."

    def history(self, head: str, path: str | None = None) -> Iterator[Revision]:
        """The commits of a branch from the newest, or those that changed a page; at most 5,000 are looked at."""
        for number, commit in enumerate(self.git.walk(head, SortMode.TOPOLOGICAL | SortMode.TIME)):
            if number >= MAX_HISTORY:
                return
            etag = None
            if path is not None:
                etag = self.etag(str(commit.id), path)
                former = [self.etag(str(parent), path) for parent in commit.parent_ids] or [None]
                if etag in former:
                    continue
            time = datetime.fromtimestamp(commit.commit_time, UTC)
            yield Revision(str(commit.id), commit.author.name, time, commit.message.strip(), etag)

    def commit_named(self, text: str, head: str) -> str | None:
        """The commit of a branch's history that an id, or the beginning of one, means."""
        if not re.fullmatch(r"[0-9a-f]{7,40}", text):
            return None
        try:
            found = self.git[text].peel(pygit2.Commit).id
        except (KeyError, ValueError, pygit2.InvalidSpecError):
            return None
        return str(found) if str(found) == head or self.git.descendant_of(head, found) else None


def _opened(folder: Path) -> pygit2.Repository:
    # A commit that was acknowledged outlives a loss of power; that costs some 2 ms a commit.
    pygit2.option(Option.ENABLE_FSYNC_GITDIR, True)
    try:
        return pygit2.Repository(str(folder))
    except pygit2.GitError as error:
        raise WriteError(f"{folder} is not a repository that can be used: {error}", "Look with `git status`.") from None
