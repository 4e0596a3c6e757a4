"""Owns what a compiled expression reads from when it runs. The referee implements `Frame`.

It must not know how state is stored or changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol


class EvaluationError(Exception):
    """The expression cannot be worked out for this state (division by zero, index past the end, budget spent)."""


class Frame(Protocol):
    """A state seen from one action: what expressions and texts read."""

    @property
    def rows(self) -> Mapping[str, Mapping[str, Any]]:
        """Every instance's complete stored fields by instance id (template's values filled in; `id` and `kind` among them)."""
        ...

    vars: dict[str, Any]
    """Local names: roles and arguments; `player`, `room`, `agent` (ids), `action`, `event` (dicts)."""

    now: datetime
    """The recorded clock."""

    def derived(self, id: str, field: str) -> Any:
        """A derived field's value (memoised until the state changes). `id` may be "" or unknown: the zero."""
        ...

    def where(self, kind: str, field: str, value: Any) -> Sequence[str]:
        """Ids of the kind's instances whose stored `field` equals `value`, in order of arrival; indexed."""
        ...

    def every(self, kind: str) -> Sequence[str]:
        """Ids of all instances of the kind and its sub-kinds, in order of creation."""
        ...

    def spend(self, steps: int) -> None:
        """Counts `steps` of a loop against the turn's budget; raises `EvaluationError` when it is spent."""
        ...

    def draw(self, low: int, high: int) -> int:
        """A whole number low..high from the turn's recorded seed."""
        ...
