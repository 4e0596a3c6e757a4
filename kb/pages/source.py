"""Owns where pages come from: a folder as it is, or a Git repository at a branch, tag or commit.

`open_source(location, at, cache=…)` gives a `Source`. Objects are read at a commit; nothing outside the tree is followed.
It must not know what files mean.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Protocol, cast
from weakref import finalize

from git import GitCommandError, InvalidGitRepositoryError, NoSuchPathError, Repo
from git.exc import GitError

from kb.diagnostics import Diagnostic, Span, problem

SUFFIXES = (".md", ".csv", ".json", ".yaml", ".yml")
MAX_FILES = 200_000
MAX_BYTES = 1024 * 1024 * 1024
MAX_FILE = 16 * 1024 * 1024
MAX_HELD = 64 * 1024 * 1024
"""Bytes of a folder's files that are held in memory; beyond, each is read from disk again when it is asked for."""
MAX_DIFFERENCE = 1_000
"""Files that changed since the former commit, up to which only they are asked of Git."""
_REMOTE = re.compile(r"(?:https?|ssh|git|file)://\S+|[\w.-]+@[\w.-]+:\S+")
LFS = b"version https://git-lfs.github.com/spec/"


class SourceError(Exception):
    """The knowledge base cannot be opened: `args[0]` says what and where, `hint` what to do."""

    def __init__(self, message: str, hint: str):
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Blob:
    """One file: its path from the root (with `/`), an id that changes with its content, its size in bytes."""

    path: str
    id: str
    size: int


class Source(Protocol):
    """A knowledge base's files at one moment."""

    @property
    def commit(self) -> str: ...
    @property
    def place(self) -> str:
        """Where it is, the same for each moment of it; not for users: a path or a URL."""
        ...

    @property
    def problems(self) -> list[Diagnostic]:
        """Entries that were refused: links, submodules, what is too large."""
        ...

    def files(self) -> Mapping[str, Blob]: ...
    def read(self, blob: Blob) -> bytes: ...
    def moved(self) -> bool:
        """Whether the place now holds something else; cheap enough to ask every second."""
        ...

    def again(self) -> Source:
        """The same place as it is now."""
        ...


def kept(path: str) -> bool:
    """Whether a file of this name is part of a knowledge base."""
    parts = PurePosixPath(path).parts
    return path.lower().endswith(SUFFIXES) and not any(part.startswith(".") for part in parts)


def bounded(files: dict[str, Blob], problems: list[Diagnostic]) -> dict[str, Blob]:
    """The files that are not too large; the others become problems. Raises `SourceError` where they are too many."""
    if len(files) > MAX_FILES or sum(blob.size for blob in files.values()) > MAX_BYTES:
        hint = "Split the knowledge base."
        message = f"The knowledge base has more than {MAX_FILES} files or {MAX_BYTES // 2**20} MiB"
        raise SourceError(message, hint)
    for blob in list(files.values()):
        if blob.size > MAX_FILE:
            what = f"The file has {blob.size} bytes, more than {MAX_FILE}"
            problems.append(problem("RB102", Span(blob.path, 1), what, "Split it."))
            del files[blob.path]
    return files


def content_id(files: Mapping[str, str]) -> str:
    """What stands for a commit where a folder is read as it is: a hash of its paths and the SHA-1 of each file."""
    whole = "".join(f"{path}\0{id}\0" for path, id in sorted(files.items()))
    return "folder-" + hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


# --- Folders --------------------------------------------------------------------------------------


@dataclass
class FolderSource:
    """A folder as it is on disk; its commit is a hash of its content."""

    root: Path
    problems: list[Diagnostic] = field(default_factory=list[Diagnostic])
    former: FolderSource | None = None

    def __post_init__(self) -> None:
        self._seen = self._scan()
        self._contents: dict[str, bytes] = {}
        files: dict[str, Blob] = {}
        former, self.former = self.former, None
        held = sum(size for _, size in self._seen.values()) <= MAX_HELD
        for path, status in sorted(self._seen.items()):
            data = None
            if former is not None and former._seen.get(path) == status and path in former._files:
                data, files[path] = former._contents.get(path), former._files[path]
            elif (data := self._read_file(path)) is not None:
                files[path] = Blob(path, _sha1(data), len(data))
            if held and data is not None:
                self._contents[path] = data
        self._files = bounded(files, self.problems)
        self.commit = content_id({blob.path: blob.id for blob in self._files.values()})

    @property
    def place(self) -> str:
        return str(self.root)

    def _scan(self) -> dict[str, tuple[int, int]]:
        """Every file that counts, with its time and size; links are refused, not followed."""
        found: dict[str, tuple[int, int]] = {}
        self.problems.clear()
        folders = [(str(self.root), "")]
        while folders:
            folder, within = folders.pop()
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError as error:
                raise SourceError(f"{folder} cannot be read: {error.strerror}", "Check its permissions.") from None
            for entry in entries:
                # Text instead of `Path`: every turn asks whether its pages moved.
                path = within + entry.name
                kept = path.lower().endswith(SUFFIXES)
                if entry.name.startswith(".") or entry.name in {"node_modules", "__pycache__"}:
                    continue
                if entry.is_symlink():
                    if kept or entry.is_dir():
                        hint = "Put the file itself here."
                        self.problems.append(problem("RB103", Span(path, 1), "The entry is a symbolic link", hint))
                elif entry.is_dir(follow_symlinks=False):
                    folders.append((entry.path, f"{path}/"))
                elif entry.is_file(follow_symlinks=False) and kept:
                    status = entry.stat(follow_symlinks=False)
                    found[path] = (status.st_mtime_ns, status.st_size)
                    if len(found) > MAX_FILES:
                        raise SourceError(f"{self.root} holds more than {MAX_FILES} files", "Choose a smaller folder.")
        return found

    def _read_file(self, path: str) -> bytes | None:
        try:
            with (self.root / path).open("rb") as file:
                return file.read(MAX_FILE + 1)
        except OSError as error:
            what = f"The file cannot be read: {error.strerror}"
            self.problems.append(problem("RB101", Span(path, 1), what, "Check its permissions."))
            return None

    def files(self) -> Mapping[str, Blob]:
        return self._files

    def read(self, blob: Blob) -> bytes:
        """Its bytes. Raises `SourceError` where a file that is not held has changed on disk since."""
        data = self._contents.get(blob.path)
        if data is None:
            data = self._read_file(blob.path)
            if data is None or _sha1(data) != blob.id:
                raise SourceError(f"{blob.path} changed while the folder was read", "Try again.")
        return data

    def moved(self) -> bool:
        kept = list(self.problems)
        try:
            return self._scan() != self._seen
        except SourceError:
            return True
        finally:
            self.problems[:] = kept

    def again(self) -> FolderSource:
        return FolderSource(self.root, former=self)


# --- Git ------------------------------------------------------------------------------------------


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


def open_source(location: str | Path, at: str | None = None, *, cache: Path | None = None) -> Source:
    """The knowledge base at a path or URL. Without `at` a path is read as it is on disk, a URL at its default branch.

    Remote repositories are kept bare below `cache`. Raises `SourceError`.
    """
    if at is not None and (
        at.startswith("-") or re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{", at) or not at or len(at) > 200
    ):
        raise SourceError(f"{at!r} is not a branch, tag or commit", "Name one, as in `--at main`.")
    text = str(location)
    if isinstance(location, str) and _REMOTE.fullmatch(text):
        return _remote(text, at, cache)
    if (re.match(r"[A-Za-z][A-Za-z0-9+.-]*::?/?/?", text) and "://" in text) or "::" in text:
        raise SourceError(f"{text!r} is not a location that can be read", "Use a path, or an https, ssh or git URL.")
    path = Path(text).expanduser()
    if not path.exists():
        raise SourceError(
            f"There is no {text!r}", "Name a folder, a Git URL, or a world that `rulebound worlds` lists."
        )
    if not path.is_dir():
        raise SourceError(f"{text!r} is not a folder", "Name the folder that holds the pages.")
    if at is None:
        return FolderSource(path.resolve())
    try:
        repo = _repository(path)
    except (InvalidGitRepositoryError, NoSuchPathError):
        raise SourceError(
            f"{text!r} is not in a Git repository", "Leave `--at` out to read the folder as it is."
        ) from None
    root = Path(repo.working_dir or repo.git_dir).resolve()
    inner = path.resolve().relative_to(root).as_posix() if path.resolve() != root else ""
    return GitSource(repo, at, inner)


def _repository(folder: Path) -> Repo:
    """The repository that holds a folder. Its helper processes end with it, also where it goes as part of a cycle."""
    repo = Repo(folder, search_parent_directories=True)
    finalize(repo, repo.git.clear_cache)
    return repo


def _remote(url: str, at: str | None, cache: Path | None) -> GitSource:
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
