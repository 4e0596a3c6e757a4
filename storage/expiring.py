"""Owns the `Expiring` protocol: small records that all workers share for a while, and lose without harm; and that of one process.

`store.expiring`; a record is changed by who knows what it was. It must not know what is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class ExpiringAway(Exception):
    """The records cannot be had at present."""


class Expiring(Protocol):
    """Bytes by key, for so many seconds. Every method is atomic and raises `ExpiringAway`."""

    async def get(self, key: str) -> bytes | None:
        """None: there is none, or not any more."""
        ...

    async def swap(self, key: str, old: bytes | None, new: bytes, seconds: float) -> bool:
        """Keeps `new` where `old` is (None: where nothing is); False where there is something else."""
        ...


MOST = 10_000
"""Records in one process; the one that was kept first goes first."""


class LocalExpiring:
    """`Expiring` within one process."""

    def __init__(self, now: Callable[[], float] = time.monotonic):
        self._now = now
        self._kept: dict[str, tuple[float, bytes]] = {}

    async def get(self, key: str) -> bytes | None:
        until, data = self._kept.get(key, (0.0, b""))
        return data if self._now() < until else None

    async def swap(self, key: str, old: bytes | None, new: bytes, seconds: float) -> bool:
        if await self.get(key) != old:
            return False
        self._kept.pop(key, None)
        self._kept[key] = (self._now() + seconds, new)
        while len(self._kept) > MOST:
            del self._kept[next(iter(self._kept))]
        return True
