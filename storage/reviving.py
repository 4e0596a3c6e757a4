"""Owns bringing back servers of ours that died: one attempt at a time, whoever asks, and nobody waits for it.

`revive = Reviver(start)`; `revive()` wherever one is missed, and then try again. It must not know which servers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from storage.store import StoreError

REST = 0.5
"""Seconds between a failed attempt and the next."""


class Reviver:
    """`start` starts whatever does not run, and may take long: one that hangs is waited for. None: they are not ours."""

    def __init__(self, start: Callable[[], Awaitable[object]] | None):
        self._start = start
        self._attempt: asyncio.Task[None] | None = None
        self.trouble = ""
        """Why the last attempt failed; empty where it did not."""

    def __call__(self) -> None:
        if self._start is not None and (self._attempt is None or self._attempt.done()):
            self._attempt = asyncio.create_task(self._try(self._start))

    async def _try(self, start: Callable[[], Awaitable[object]]) -> None:
        try:
            await start()
            self.trouble = ""
        except (StoreError, OSError) as error:
            self.trouble = str(error)
            await asyncio.sleep(REST)
