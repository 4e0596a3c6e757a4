"""Owns the breaker of a provider: after five failures in a row it is left alone for a minute, then tried by three calls.

`allows()`, then `succeeded()`, `failed()` or `abandoned()`. It must not know why something failed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

FAILURES, PAUSE, PROBES = 5, 60.0, 3


class Breaker:
    """`clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._failures = 0
        self._until: float | None = None
        """When it is tried again; None: closed."""
        self._probes = self._good = 0
        """Calls under way on probation, and those that were answered."""

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        if self._until is None:
            return "closed"
        return "open" if self._clock() < self._until else "half-open"

    @property
    def seconds(self) -> float:
        """Until it is tried again."""
        return 0.0 if self._until is None else max(0.0, self._until - self._clock())

    def allows(self) -> bool:
        """Whether a call may be made; on probation it takes one of the probes."""
        if self.state == "half-open":
            if self._probes + self._good >= PROBES:
                return False
            self._probes += 1
            return True
        return self.state == "closed"

    def succeeded(self) -> None:
        self._failures = 0
        if self._until is not None and self._probes:
            self._probes -= 1
            self._good += 1
            if self._good >= PROBES:
                self._until, self._good = None, 0

    def failed(self) -> None:
        self._failures += 1
        if self._probes or (self._until is None and self._failures >= FAILURES):
            self._until, self._failures = self._clock() + PAUSE, 0
            self._probes = self._good = 0

    def abandoned(self) -> None:
        """The call tells nothing: who asked went away."""
        self._probes = max(0, self._probes - 1)
