"""Owns Git repositories as sources of pages: objects are read at a commit, through GitPython.

`from_folder(path, at)`, `from_url(url, at, cache)`; imported only where a repository is opened. It must not know what files mean.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast
from weakref import finalize

from git import GitCommandError, InvalidGitRepositoryError, NoSuchPathError, Repo
from git.exc import GitError

from kb.diagnostics import Diagnostic, Span, problem
from kb.pages.source import LFS, Blob, SourceError, bounded, kept

MAX_DIFFERENCE = 1_000
"""Files that changed since the former commit, up to which only they are asked of Git."""


@dataclass
class GitSource:
    """A repository at a commit; `inner` is the folder of the knowledge base within it ("" for the root)."""

    repo: Repo
    revision: str
    inner: str = ""
    remote: bool = False
    problems: list[Diagnostic] = field(default_factory=list[Diagnostic])
    former: GitSource | None = None

    def __post_init__(self) -> None:
        self._mark = self._references()
        self.commit = self._resolve()
        former, self.former = self.former, None
        self._files = (former and self._since(former)) or self._tree()

    @property
    def place(self) -> str:
        return f"{self.repo.common_dir}\0{self.inner}"

    def _resolve(self) -> str:
        try:
            return self.repo.git.rev_parse("--verify", "--end-of-options", f"{self.revision}^{{commit}}")
        except GitCommandError:
            message = f"{self.repo.working_dir or self.repo.git_dir} has no branch, tag or commit {self.revision!r}"
            raise SourceError(message, "List them with `git branch -a` or `git log --oneline`.") from None

    def _tree(self) -> dict[str, Blob]:
        """Every file of the commit."""
        listing: str = self.repo.git.ls_tree("-r", "-l", "-z", "--full-tree", self.commit, "--", self.inner or ".")
        files: dict[str, Blob] = {}
        for entry in filter(None, listing.split("\0")):
            about, _, path = entry.partition("\t")
            mode, _, id, size = about.split()
            self._take(files, mode, id, path, partial(int, size))
        return bounded(files, self.problems)

    def _since(self, former: GitSource) -> dict[str, Blob] | None:
        """The former commit's files with what changed since; None where that is much, or cannot be told."""
        try:
            told: str = self.repo.git.diff_tree(
                "-r", "-z", "--raw", "--no-renames", "--no-abbrev", former.commit, self.commit, "--", self.inner or "."
            )
        except GitCommandError:
            return None  # the former commit is gone: the branch was made anew
        parts = told.split("\0")[:-1]
        if len(parts) > 2 * MAX_DIFFERENCE:
            return None
        files = dict(former.files())
        changed = {path: about.removeprefix(":").split() for about, path in zip(parts[::2], parts[1::2], strict=True)}
        own = {self._within(path) for path in changed}
        self.problems += [each for each in former.problems if each.span.path not in own]
        for path, (_, mode, _, id, _) in changed.items():
            if mode not in ("100644", "100755"):
                files.pop(self._within(path), None)
            if mode != "000000":
                self._take(files, mode, id, path, partial(self._size, id))
        if files.keys() != former.files().keys():  # in the order in which Git lists a tree
            files = dict(sorted(files.items(), key=lambda item: item[0].encode("utf-8", "surrogateescape")))
        return bounded(files, self.problems)

    def _size(self, id: str) -> int:
        return int(self.repo.odb.info(bytes.fromhex(id)).size)  # pyright: ignore

    def _within(self, path: str) -> str:
        return path.removeprefix(f"{self.inner}/") if self.inner else path

    def _take(self, files: dict[str, Blob], mode: str, id: str, path: str, size: Callable[[], int]) -> None:
        """Takes in one entry of a tree, or says why not."""
        path = self._within(path)
        if mode == "160000":
            hint = "Put the pages themselves here."
            self.problems.append(problem("RB103", Span(path, 1), "The entry is a submodule", hint))
        elif kept(path) and mode == "120000":
            hint = "Put the file itself here."
            self.problems.append(problem("RB103", Span(path, 1), "The entry is a symbolic link", hint))
        elif kept(path):
            files[path] = Blob(path, id, size())

    def files(self) -> Mapping[str, Blob]:
        return self._files

    def read(self, blob: Blob) -> bytes:
        data = cast("bytes", self.repo.odb.stream(bytes.fromhex(blob.id)).read())  # pyright: ignore
        if data.startswith(LFS):
            hint = "Store the page itself in Git."
            what = problem("RB103", Span(blob.path, 1), "The file is a Git LFS pointer", hint)
            if what not in self.problems:
                self.problems.append(what)
            return b""
        return data

    def moved(self) -> bool:
        try:
            if self.remote:
                self.repo.git.fetch("--quiet", "--prune", "--tags", "origin", "+refs/heads/*:refs/heads/*")
            mark = self._references()
            if mark == self._mark:  # every turn asks, and Git would be a process each time
                return False
            moved = self._resolve() != self.commit
            self._mark = mark
            return moved
        except (GitError, SourceError):
            return False

    def _references(self) -> list[tuple[int, int] | None]:
        """What changes on disk when the revision may mean another commit: Git puts a new file in the place of each."""
        folder = Path(self.repo.common_dir)
        head = Path(self.repo.git_dir) / "HEAD"
        names = [self.revision, f"refs/heads/{self.revision}", f"refs/tags/{self.revision}"]
        names += [f"refs/remotes/{self.revision}", "packed-refs"]
        if self.revision == "HEAD":
            names.append(head.read_text().strip().removeprefix("ref: "))
        found: list[tuple[int, int] | None] = []
        for path in (head, folder / "reftable", *(folder / name for name in names)):
            try:
                status = path.stat()
            except (OSError, ValueError):
                found.append(None)
            else:
                found.append((status.st_mtime_ns, status.st_ino))
        return found

    def again(self) -> GitSource:
        return GitSource(self.repo, self.revision, self.inner, self.remote, former=self)


def from_folder(path: Path, at: str) -> GitSource:
    """The repository that holds a folder, at a revision. Raises `SourceError`."""
    try:
        repo = _repository(path)
    except (InvalidGitRepositoryError, NoSuchPathError):
        hint = "Leave `--at` out to read the folder as it is."
        raise SourceError(f"{str(path)!r} is not in a Git repository", hint) from None
    root = Path(repo.working_dir or repo.git_dir).resolve()
    inner = path.resolve().relative_to(root).as_posix() if path.resolve() != root else ""
    return GitSource(repo, at, inner)


def from_url(url: str, at: str | None, cache: Path | None) -> GitSource:
    """A remote repository, kept bare below `cache`. Raises `SourceError`."""
    if cache is None:
        raise SourceError("A remote knowledge base needs a folder to keep it in", "Set RULEBOUND_HOME.")
    folder = cache / "repositories" / hashlib.sha256(url.encode()).hexdigest()[:20]
    settings = {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file",
    }
    try:
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            Repo.clone_from(url, folder, env=settings, multi_options=["--bare", "--quiet"])
        repo = _repository(folder)
        repo.git.update_environment(**settings)
        repo.git.fetch("--quiet", "--prune", "--tags", "origin", "+refs/heads/*:refs/heads/*")
    except GitError as error:
        if not folder.exists():
            reason = str(getattr(error, "stderr", error)).strip().splitlines()[-1:] or ["it does not answer"]
            raise SourceError(f"{url} cannot be cloned: {reason[0][:200]}", "Check the URL and your access.") from None
        repo = _repository(folder)
    return GitSource(repo, at or "HEAD", remote=True)


def _repository(folder: Path) -> Repo:
    """The repository that holds a folder. Its helper processes end with it, also where it goes as part of a cycle."""
    repo = Repo(folder, search_parent_directories=True)
    finalize(repo, repo.git.clear_cache)
    return repo
