"""Owns what a model filled in a turn: how it read the line, what it judged. Recorded with the turn, and all that a replay asks.

`Filled(...)` goes into `GameService.act`; `Filled.load(inputs)` comes back out of a stored turn. It must not call any model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from storage.records import Json


@dataclass(frozen=True, slots=True)
class Filled:
    """The typed holes of one turn. Empty: no model took part."""

    said_as: str = ""
    """The command that free speech was understood as; the referee decides on it as if the player had typed it."""
    judged: Mapping[str, str] = field(default_factory=dict[str, str])
    """The answer to each judgement by its name; the referee takes the fallback for any other, and for no option of it."""
    by: tuple[Json, ...] = ()
    """The calls that filled them: `purpose`, `tier`, `model`, `input_tokens`, `output_tokens`, `cost` (US dollars)."""

    def dump(self) -> Json:
        """For a turn's recorded inputs; nothing where nothing was filled."""
        told: Json = {"as": self.said_as, "judged": dict(self.judged), "models": list(self.by)}
        return {name: value for name, value in told.items() if value}

    @staticmethod
    def load(inputs: Mapping[str, Any]) -> Filled:
        """From a turn's recorded inputs."""
        return Filled(inputs.get("as", ""), inputs.get("judged", {}), tuple(inputs.get("models", ())))


NOTHING = Filled()
