"""Owns one game's file: JSON lines that are only ever appended, each on disk before it counts.

`Journal(path)`; several processes may hold one each for the same file. It must not know what the lines mean.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from storage.store import Damaged, Full, StoreError

if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        # The locked byte lies far behind the content, which others may go on reading.
        file.seek(2**40)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)

    def _unlock(file: BinaryIO) -> None:
        file.seek(2**40)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

    def _sync_folder(folder: Path) -> None:
        """A new file's name is kept with the file there."""

else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def _unlock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)

    def _sync_folder(folder: Path) -> None:
        """Makes the name of a new file outlive a crash."""
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class Journal:
    """A file of entries. `offset` is how much of it was read."""

    def __init__(self, path: Path):
        self.path, self.offset = path, 0

    def news(self) -> list[dict[str, Any]]:
        """The entries since the last call. A torn last line was never acknowledged and does not count."""
        try:
            if self.path.stat().st_size == self.offset:
                return []
            with self.path.open("rb") as file:
                file.seek(self.offset)
                *lines, tail = file.read().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"{self.path} cannot be read: {error.strerror}") from None
        entries: list[dict[str, Any]] = []
        for number, line in enumerate(lines):
            try:
                entries.append(json.loads(line))
            except ValueError:
                if number == len(lines) - 1 and not tail:
                    break
                raise Damaged(f"{self.path} is damaged after byte {self.offset}") from None
            self.offset += len(line) + 1
        return entries

    @contextmanager
    def writing(self, *, new: bool = False) -> Generator[BinaryIO]:
        """The file, while no other process writes to it. `new` makes it. Read the `news` before you `append`."""
        try:
            if new:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = self.path.open("x+b" if new else "r+b")
            if new:
                _sync_folder(self.path.parent)
        except OSError as error:
            raise Full(f"{self.path} cannot be written: {error.strerror}") from None
        with file:
            _lock(file)
            try:
                yield file
            finally:
                _unlock(file)

    def append(self, file: BinaryIO, entry: dict[str, Any]) -> None:
        """Writes an entry over whatever a crash left behind the last good one, and waits until it is on disk."""
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        try:
            file.truncate(self.offset)
            file.seek(self.offset)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            file.truncate(self.offset)
            raise Full(f"{self.path} cannot be written: {error.strerror}") from None
        self.offset += len(line)
