"""Owns the seam for where runs are kept: `Checkpoints`, and `MemoryCheckpoints` where there is no database.

`storage.postgres.checkpoints` keeps them for good. It must not know graphs.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from storage.store import StoreError

KEPT = 200
"""Runs that a process without a database remembers."""


class RunBusy(StoreError):
    """Somebody works on this run at this moment."""

    hint = "Ask again in a moment."


def owner(principal: str) -> str:
    """What begins the names of a principal's runs: no two principals' are alike, and none holds a space."""
    return hashlib.sha256(principal.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class Checkpoints(Protocol):
    def run(self, thread: str) -> AbstractAsyncContextManager[Any]:
        """LangGraph's saver, for a run that nobody else works on meanwhile. Raises `RunBusy`, `StoreAway`."""
        ...

    async def finished(self, saver: Any, thread: str) -> None:
        """Only what the run came to needs to be kept."""
        ...

    async def forget(self, principal: str) -> int:
        """Deletes every run of a principal; how many."""
        ...


class MemoryCheckpoints:
    """Runs of this process; the ones that were begun first are forgotten first."""

    def __init__(self) -> None:
        self._saver: Any = None
        self._threads: OrderedDict[str, bool] = OrderedDict()
        """thread → whether somebody works on it"""

    @asynccontextmanager
    async def run(self, thread: str) -> AsyncGenerator[Any]:
        from langgraph.checkpoint.memory import InMemorySaver

        self._saver = self._saver or InMemorySaver()
        if self._threads.get(thread):
            raise RunBusy("Somebody works on this run at this moment")
        self._threads[thread] = True
        try:
            yield self._saver
        finally:
            self._threads[thread] = False
            self._threads.move_to_end(thread)
            while len(self._threads) > KEPT:
                self._saver.delete_thread(self._threads.popitem(last=False)[0])

    async def finished(self, saver: Any, thread: str) -> None:
        """Everything goes with the process."""

    async def forget(self, principal: str) -> int:
        mine = [thread for thread in self._threads if thread.startswith(f"{owner(principal)} ")]
        for thread in mine:
            self._saver.delete_thread(thread)
            del self._threads[thread]
        return len(mine)
