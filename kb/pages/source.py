"""Owns where pages come from: a folder as it is, or a Git repository at a branch, tag or commit.

`open_source(location, at, cache=…)` gives a `Source`. Objects are read at a commit; nothing outside the tree is followed.
It must not know what files mean, and imports Git only where a repository is opened.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol

from kb.diagnostics import Diagnostic, Span, problem

SUFFIXES = (".md", ".csv", ".json", ".yaml", ".yml")
MAX_FILES = 200_000
MAX_BYTES = 1024 * 1024 * 1024
MAX_FILE = 16 * 1024 * 1024
MAX_HELD = 64 * 1024 * 1024
"""Bytes of a folder's files that are held in memory; beyond, each is read from disk again when it is asked for."""
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


# --- Opening ---------------------------------------------------------------------------------------


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
        from kb.pages.git_source import from_url

        return from_url(text, at, cache)
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
    from kb.pages.git_source import from_folder

    return from_folder(path, at)
