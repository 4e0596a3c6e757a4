"""Owns the `Memories` protocol: what NPCs remember of talk, a small document for each game, NPC and player; and that of one process.

`store.memories`. Trust and everything else that rules read is state and not here. It must not know what a document holds, but
for what an erasure looks for: `lines`, each with `by` (a player's id) where it was overheard from somebody.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from storage.records import Json

MAX_BYTES = 262_144
"""Of one document as JSON: who keeps more has forgotten their own caps."""


class MemoryKey(NamedTuple):
    """Whose memory of whom. `player` is the game's id for what an NPC remembers apart from any player's talk with it."""

    game: str
    player: str
    npc: str


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """A document; `version` counts how often it was written."""

    key: MemoryKey
    version: int
    data: Json


class Memories(Protocol):
    """Every method is atomic and durable when it returns."""

    async def load(self, key: MemoryKey) -> MemoryRecord | None: ...

    async def of(self, game: str, player: str) -> Sequence[MemoryRecord]:
        """What every NPC of a game remembers of a player, by NPC."""
        ...

    async def keep(self, records: Sequence[MemoryRecord]) -> Sequence[MemoryKey]:
        """Keeps each record whose version follows the kept one's (the first is 1), and whose player has a place in the game;
        gives the keys of those. Raises ValueError where one is over `MAX_BYTES`."""
        ...


def check_size(records: Sequence[MemoryRecord]) -> None:
    """Raises ValueError."""
    for each in records:
        size = len(json.dumps(each.data).encode())
        if size > MAX_BYTES:
            raise ValueError(f"a memory of {each.key.npc!r} has {size} bytes, more than {MAX_BYTES}")


class LocalMemories:
    """`Memories` within one process; everybody has a place."""

    def __init__(self) -> None:
        self._kept: dict[MemoryKey, MemoryRecord] = {}

    async def load(self, key: MemoryKey) -> MemoryRecord | None:
        return self._kept.get(key)

    async def of(self, game: str, player: str) -> Sequence[MemoryRecord]:
        return sorted(
            (each for key, each in self._kept.items() if key[:2] == (game, player)), key=lambda each: each.key
        )

    async def keep(self, records: Sequence[MemoryRecord]) -> Sequence[MemoryKey]:
        check_size(records)
        following = [each for each in records if each.version == 1 + getattr(self._kept.get(each.key), "version", 0)]
        self._kept.update({each.key: each for each in following})
        return [each.key for each in following]
