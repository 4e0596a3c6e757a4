"""Owns copies of games: as values, as fields of a Redis hash, and those in the memory of this process.

A copy is a version, a head and named parts, all opaque bytes. It must not know who asks for copies, or when they may be read.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LARGE = 4096
"""Bytes from which a value is compressed."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A game as it was at one version. Nobody changes what is in it."""

    version: int
    head: bytes
    parts: Mapping[str, bytes] = field(default_factory=dict[str, bytes])


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit made of the version `base`: a new version, a new head, and the parts that differ (`None`: it is gone)."""

    base: int
    version: int
    head: bytes
    parts: Mapping[str, bytes | None] = field(default_factory=dict[str, bytes | None])

    def upon(self, copy: Copy) -> Copy:
        """The copy after the change; `copy` is at `base`."""
        parts = {id: data for id, data in {**copy.parts, **self.parts}.items() if data is not None}
        return Copy(self.version, self.head, parts)


def _pack(data: bytes) -> bytes:
    """The value of a field: a byte that says how, and the data."""
    if len(data) >= LARGE:
        small = zlib.compress(data, 1)
        if len(small) < len(data):
            return b"z" + small
    return b"=" + data


def _unpack(value: bytes) -> bytes:
    return zlib.decompress(value[1:]) if value[:1] == b"z" else value[1:]


def fields(version: int, head: bytes, parts: Mapping[str, bytes | None]) -> list[bytes | str | int]:
    """Fields and values of a hash, the version last: a hash without it is not complete. Parts that are gone are left out."""
    pairs: list[bytes | str | int] = []
    for id, data in parts.items():
        if data is not None:
            pairs += ["/" + id, _pack(data)]
    return [*pairs, "@head", _pack(head), "@version", version]


def copy_of(pairs: Sequence[bytes]) -> Copy:
    """The copy that a hash's fields and values are."""
    values = dict(zip(pairs[::2], pairs[1::2], strict=True))
    parts = {name[1:].decode(): _unpack(value) for name, value in values.items() if name[:1] == b"/"}
    return Copy(int(values[b"@version"]), _unpack(values[b"@head"]), parts)


@dataclass(slots=True)
class Held:
    """A copy in memory. It may be read before `until`; later it is only a base to ask whether it is still the newest."""

    copy: Copy
    until: float
    used: bool = True


@dataclass(slots=True, eq=False)
class Ask:
    """A question to Redis that is on its way. `spoiled`: the game changed meanwhile, so the answer must not be held."""

    game: str
    sent: float
    epoch: int
    spoiled: bool = False


class Memory:
    """The copies of this process, at most `limit`; the one whose lease was renewed longest ago goes first."""

    def __init__(self, limit: int):
        self._limit = limit
        self._held: dict[str, Held] = {}
        self._asks: dict[str, set[Ask]] = {}
        self.get = self._held.get

    def ask(self, game: str, sent: float, epoch: int) -> Ask:
        ask = Ask(game, sent, epoch)
        self._asks.setdefault(game, set()).add(ask)
        return ask

    def answered(self, ask: Ask) -> None:
        asks = self._asks[ask.game]
        asks.discard(ask)
        if not asks:
            del self._asks[ask.game]

    def hold(self, game: str, copy: Copy, until: float) -> None:
        self._put(game, Held(copy, until))

    def keep(self, game: str, copy: Copy) -> None:
        """Keeps what was loaded, not to be read, but as the base of our own change."""
        held = self._held.get(game)
        if held is None or held.copy.version < copy.version:
            self._put(game, Held(copy, float("-inf"), used=False))

    def _put(self, game: str, held: Held) -> None:
        self._held.pop(game, None)
        self._held[game] = held
        while len(self._held) > self._limit:
            del self._held[next(iter(self._held))]

    def drop(self, game: str) -> None:
        """Nobody reads it from now on, nor what is on its way. What is held stays as the base of our own change."""
        held = self._held.get(game)
        if held is not None:
            held.until = float("-inf")
        for ask in self._asks.get(game, ()):
            ask.spoiled = True

    def forget(self, game: str) -> None:
        """Drops it, and keeps not even its bytes."""
        self.drop(game)
        self._held.pop(game, None)

    def forget_all(self) -> None:
        for game in {*self._held, *self._asks}:
            self.forget(game)

    def lapsing(self, before: float) -> list[str]:
        """The games that were read since the last time and whose lease ends before a time."""
        found = [game for game, held in self._held.items() if held.used and held.until < before]
        for game in found:
            self._held[game].used = False
        return found

    def __len__(self) -> int:
        return len(self._held)
