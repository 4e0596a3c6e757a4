"""Owns how a single try at a provider fails, before anybody decides what that means. It must not know retries."""

from __future__ import annotations

from typing import Literal


class Failure(Exception):
    """One try gave nothing: `kind` as in `ModelError`, whether another try may help, and after how many seconds at least."""

    def __init__(
        self,
        kind: Literal["unavailable", "timeout", "busy", "invalid", "refused"],
        message: str,
        *,
        again: bool = False,
        after: float | None = None,
    ):
        super().__init__(message)
        self.kind: Literal["unavailable", "timeout", "busy", "invalid", "refused"] = kind
        self.again, self.after = again, after


def by_status(status: int, told: str, after: float | None = None) -> Failure:
    """The failure that an HTTP status means: only 408, 409, 429 and the 5xx may pass."""
    what = f"HTTP {status}{': ' if told else ''}{told}"
    if status == 429:
        return Failure("busy", what, again=True, after=after)
    if status in (408, 409) or status >= 500:
        return Failure("unavailable", what, again=True, after=after)
    return Failure("refused", what)


def seconds(header: str | None) -> float | None:
    """`Retry-After` in seconds; a date counts as not told."""
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None
