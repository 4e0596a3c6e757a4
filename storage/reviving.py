"""Owns bringing back servers of ours that died: one attempt at a time, whoever asks, and nobody waits longer than they want.

`revive = Reviver(start)`; `await revive(seconds)`. It must not know which servers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from storage.store import StoreError


class Reviver:
    """`start` starts whatever does not run, and may take long: a server that hangs is waited for. None: they are not ours."""

    def __init__(self, start: Callable[[], Awaitable[object]] | None):
        self._start = start
        self._attempt: asyncio.Task[None] | None = None
        self.trouble = ""
        """Why the last attempt failed; empty where it did not."""

    async def __call__(self, patience: float) -> None:
        """Waits for the attempt, at most so many seconds; it goes on without us."""
        if self._start is None:
            return
        if self._attempt is None or self._attempt.done():
            self._attempt = asyncio.create_task(self._try(self._start))
        await asyncio.wait({self._attempt}, timeout=max(0.0, patience))

    async def _try(self, start: Callable[[], Awaitable[object]]) -> None:
        try:
            await start()
            self.trouble = ""
        except (StoreError, OSError) as error:
            self.trouble = str(error)
