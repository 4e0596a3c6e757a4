"""Owns `storage.work.Work` in memory: clocks and messages of one process. It must not know who publishes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from storage.records import Told
from storage.work import MAX_ATTEMPTS, Due, Trouble, Untold

_ONCE = datetime.min.replace(tzinfo=UTC)
_NOTHING = Told("", "", {})


@dataclass(slots=True)
class _Waiting:
    """A clock or a message."""

    due: datetime
    attempts: int = 0
    error: str = ""
    dead: bool = False


@dataclass(slots=True)
class _Message(_Waiting):
    game: str = ""
    told: Told = _NOTHING


class MemoryWork:
    """See `storage.work.Work`; the store adds with `set_clock` and `add`."""

    def __init__(self) -> None:
        self._clocks: dict[str, _Waiting] = {}
        self._messages: dict[str, _Message] = {}

    def set_clock(self, game: str, due: datetime) -> None:
        """A turn has set the clock."""
        self._clocks[game] = _Waiting(due)

    def add(self, game: str, told: Iterable[Told]) -> None:
        """A turn has led to these."""
        self._messages.update({each.id: _Message(_ONCE, game=game, told=each) for each in told})

    # --- clocks

    async def due(self, now: datetime, limit: int, lease: float) -> Sequence[Due]:
        late = [(each.due, game) for game, each in self._clocks.items() if each.due <= now and not each.dead]
        until = now + timedelta(seconds=lease)
        found: list[Due] = []
        for since, game in sorted(late)[:limit]:
            clock = self._clocks[game]
            clock.due, clock.attempts = until, clock.attempts + 1
            found.append(Due(game, since, until, clock.attempts))
        return found

    async def done(self, due: Due, next: datetime | None) -> None:
        clock = self._leased(due)
        if clock is not None and next is None:
            del self._clocks[due.game]
        elif clock is not None and next is not None:
            self._clocks[due.game] = _Waiting(next)

    async def failed(self, due: Due, error: str, again: datetime) -> None:
        clock = self._leased(due)
        if clock is not None:
            clock.due, clock.error, clock.dead = again, error, clock.attempts >= MAX_ATTEMPTS

    def _leased(self, due: Due) -> _Waiting | None:
        clock = self._clocks.get(due.game)
        return clock if clock is not None and clock.due == due.until else None

    # --- messages

    async def untold(self, now: datetime, limit: int, lease: float) -> Sequence[Untold]:
        oldest: dict[str, _Message] = {}
        for each in self._messages.values():
            if not each.dead:
                oldest.setdefault(each.game, each)
        mine = {game for game, each in oldest.items() if each.due <= now}
        found = [each for each in self._messages.values() if each.game in mine and not each.dead][:limit]
        for each in found:
            each.due = now + timedelta(seconds=lease)
        return [Untold(each.game, each.told, each.attempts) for each in found]

    async def told(self, ids: Iterable[str]) -> None:
        for id in ids:
            self._messages.pop(id, None)

    async def unheard(self, untold: Untold, error: str, again: datetime) -> None:
        each = self._messages[untold.told.id]
        each.attempts += 1
        each.due, each.error, each.dead = again, error, each.attempts >= MAX_ATTEMPTS

    async def wait(self, games: Iterable[str], until: datetime) -> None:
        given = set(games)
        for each in self._messages.values():
            if each.game in given:
                each.due = until

    # --- what failed

    async def troubles(self, limit: int = 100) -> Sequence[Trouble]:
        found = [
            Trouble("tick", game, "", each.attempts, each.error, each.dead)
            for game, each in self._clocks.items()
            if each.error
        ] + [
            Trouble("told", id, each.told.channel, each.attempts, each.error, each.dead)
            for id, each in self._messages.items()
            if each.error
        ]
        return sorted(found, key=lambda each: (not each.dead, each.kind, each.key))[:limit]

    async def retry(self, now: datetime) -> int:
        given_up = [each for each in (*self._clocks.values(), *self._messages.values()) if each.dead]
        for each in given_up:
            each.due, each.attempts, each.dead = now, 0, False
        return len(given_up)
