"""Owns the circuit breaker: when to leave a service alone, and when to try it again.

`Breaker.failed()` and `succeeded()` tell it what happened; `state` and `wait()` say what to do. It must not know what it guards.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal


class Breaker:
    """Closed → `failures` in a row → open for `seconds` → half-open → `probes` successes → closed; a failed probe opens it again."""

    def __init__(
        self, *, failures: int = 5, seconds: float = 60.0, probes: int = 3, now: Callable[[], float] = time.monotonic
    ):
        self._limit, self._seconds, self._probes, self._now = failures, seconds, probes, now
        self._in_row = 0
        self._probed = 0
        self._until: float | None = None
        self.failures = 0
        """All failures so far."""
        self.opened = 0
        """How often it opened."""

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        if self._until is None:
            return "closed"
        return "open" if self._now() < self._until else "half-open"

    def wait(self) -> float:
        """Seconds until the next try is allowed; 0 unless it is open."""
        return 0.0 if self._until is None else max(0.0, self._until - self._now())

    def failed(self) -> None:
        self.failures += 1
        self._in_row += 1
        self._probed = 0
        if self._in_row >= self._limit:
            self.opened += self.state != "open"
            self._until = self._now() + self._seconds

    def succeeded(self) -> None:
        if self._until is not None:
            self._probed += 1
            if self._probed < self._probes:
                return
        self._in_row = self._probed = 0
        self._until = None
