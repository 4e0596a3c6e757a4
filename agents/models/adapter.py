"""Owns what carries a request to a provider, and how a single try fails before anybody decides what that means.

`Adapter` is the protocol; `adapter(provider)` gives the one that a provider says. It must not know retries.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Literal, Protocol

from agents.models.configuration import Provider
from storage.records import Json


class Adapter(Protocol):
    """Carries what `agents.models.wire` writes. Every method raises `Failure` and nothing else."""

    async def chat(self, body: Json) -> Json:
        """A whole answer."""
        ...

    def stream(self, body: Json) -> AsyncGenerator[Json]:
        """The chunks of an answer. Closing the iterator closes the connection."""
        ...

    async def embed(self, texts: list[str]) -> Json:
        """`data` has an `embedding` and its `index` for each."""
        ...

    async def close(self) -> None: ...


def adapter(provider: Provider) -> Adapter:
    """Imports what it needs, and so is called by who asks."""
    if provider.through == "litellm":
        from agents.models.over_litellm import OverLitellm

        return OverLitellm(provider)
    from agents.models.over_http import OverHTTP

    return OverHTTP(provider)


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
