"""Owns where indexes lie: below the cache's folder, one folder for each commit, whole or not there.

`Store(cache, place)`; `find(commit)`, and `filling(commit, former)`, a folder that takes its name when it is
whole. Unchanged files of a former index are shared by hard links. Any of it may be deleted at any time. It must not know
what an index holds.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path

import orjson

from kb import library
from kb.pages import front, page

try:
    import fcntl
except ImportError:  # Windows: two processes may build the same index, and the first to finish wins
    fcntl = None

KEEP = 8
"""Indexes that are kept of one place; each commit beyond the first costs what it changed."""
_WHOLE = "whole.json"
_OWN = ("meta.json", ".managed.json")
"""Files that tantivy writes anew; all others are written once."""


@cache
def _version() -> str:
    """Changes with the code that makes an index and with the libraries that ship."""
    code = [*Path(__file__).parent.glob("*.py"), *(Path(module.__file__ or "") for module in (page, front))]
    pages = [path for root in library.libraries().values() for path in root.rglob("*.md")]
    whole = b"".join(path.read_bytes() for path in sorted(code) + sorted(pages))
    return hashlib.sha256(whole + version("tantivy").encode()).hexdigest()[:12]


_seen: dict[tuple[int, int, int, int], int] = {}
"""The checksums of files by device, number, time and size: hard links are one file."""


def _sums(folder: Path) -> dict[str, int]:
    """The checksum of each file; a file that this process has seen before is not read again."""
    found: dict[str, int] = {}
    for entry in os.scandir(folder):
        if entry.name == _WHOLE or entry.name.endswith(".lock"):
            continue
        status = entry.stat()
        key = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
        if key not in _seen:
            if len(_seen) > 4096:
                _seen.clear()
            _seen[key] = _sum(entry.path)
        found[entry.name] = _seen[key]
    return found


def _sum(path: str) -> int:
    found = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            found = zlib.crc32(block, found)
    return found


class Store:
    """The indexes of one place: a repository's folder, or a folder."""

    def __init__(self, cache: Path, place: str):
        self.folder = cache / "search" / hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def path(self, commit: str) -> Path:
        """Where the index of a commit lies, or would."""
        return self.folder / f"{_version()}-{hashlib.sha256(commit.encode()).hexdigest()[:16]}"

    def find(self, commit: str) -> Path | None:
        """The index of a commit; one that is torn or damaged is deleted."""
        return self._checked(self.path(commit))

    def newest(self) -> Path | None:
        """The index that was used last."""
        return next((path for path in self._all() if path.name.startswith(_version()) and self._checked(path)), None)

    def discard(self, path: Path) -> None:
        shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def building(self) -> Generator[None]:
        """One process of this machine builds at a time; what others left unfinished is deleted. Raises `OSError`."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / "lock").open("wb") as lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
                for left in self.folder.glob("new-*"):
                    self.discard(left)
            yield

    @contextmanager
    def filling(self, commit: str, former: Path | None) -> Generator[Path]:
        """A folder to fill, with a former index's files; it becomes the commit's where nothing is raised."""
        new, path = self.folder / f"new-{os.getpid()}-{os.urandom(4).hex()}", self.path(commit)
        try:
            new.mkdir(mode=0o700)
            for entry in os.scandir(former) if former is not None else ():
                if entry.name in _OWN:
                    shutil.copyfile(entry.path, new / entry.name)
                elif entry.name != _WHOLE and not entry.name.endswith(".lock"):
                    os.link(entry.path, new / entry.name)
            yield new
            (new / _WHOLE).write_bytes(orjson.dumps(_sums(new)))
            os.rename(new, path)
        finally:
            self.discard(new)
        for old in self._all()[KEEP:]:
            self.discard(old)

    def _all(self) -> list[Path]:
        """Every index here, that used last first."""
        found: list[tuple[int, Path]] = []
        for path in self.folder.glob("*-*"):
            try:
                found.append((path.stat().st_mtime_ns, path))
            except OSError:
                continue  # another process has just deleted it
        return [path for _, path in sorted(found, reverse=True) if not path.name.startswith("new-")]

    def _checked(self, path: Path) -> Path | None:
        try:
            whole = orjson.loads((path / _WHOLE).read_bytes()) == _sums(path)
            if whole:
                os.utime(path)
        except (OSError, ValueError):
            whole = False
        if not whole and path.exists():
            self.discard(path)
        return path if whole else None
