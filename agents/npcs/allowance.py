"""Owns how many calls of a model what nobody waits for may make. It must not know what they are for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

HOUR = timedelta(hours=1)


class Allowance:
    """`most` calls in any hour."""

    def __init__(self, most: int, now: Callable[[], datetime]):
        self._most, self._now = most, now
        self._taken: deque[datetime] = deque()

    def take(self, calls: int = 1) -> bool:
        """Whether so many calls may be made now; they count from then on."""
        now = self._now()
        while self._taken and now - self._taken[0] >= HOUR:
            self._taken.popleft()
        if len(self._taken) + calls > self._most:
            return False
        self._taken.extend([now] * calls)
        return True
