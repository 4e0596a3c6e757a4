"""Owns turns that wait for the database: on disk, in order, each done once when it is back.

`WaitingTurns(folder)`; a caller asks for it with `GameService.act(…, wait=True)`. A file is one turn with its idempotency key, so
that one that is done twice is one turn. It must not know how turns are done.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from storage import Conflict, Full, StoreAway, new_id

Json = dict[str, Any]


class WaitingTurns:
    """The turns in a folder; several processes may share it."""

    def __init__(self, folder: Path):
        self._folder = folder

    def __len__(self) -> int:
        return len(self._files())

    async def put(self, turn: Json) -> None:
        """Keeps a turn; it outlives the process. Raises `Full`."""
        await asyncio.to_thread(self._write, turn)

    async def drain(self, do: Callable[[Json], Awaitable[object]]) -> int:
        """Does what waits, the oldest first, until the database is away again; how many were done. What a rule or the game
        refuses is done, too: it was tried."""
        done = 0
        for path in self._files():
            try:
                data = path.read_bytes()
            except FileNotFoundError:  # another process was faster
                continue
            try:
                await do(json.loads(data))
            except (StoreAway, Conflict, Full):
                break
            except Exception as error:  # also of a file that is none of ours: those behind it must not wait for it
                path.with_suffix(".refused").write_bytes(f"{type(error).__name__}: {error}\n".encode() + data)
            with suppress(FileNotFoundError):
                path.unlink()
            done += 1
        return done

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.json"))

    def _write(self, turn: Json) -> None:
        # Ids are in order of time, and so are the names.
        path = self._folder / f"{new_id()}.json"
        part = path.with_suffix(".part")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with part.open("xb") as file:
                file.write(json.dumps(turn).encode())
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise Full(f"{path} cannot be written: {error.strerror}") from None
