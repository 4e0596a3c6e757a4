"""Owns the writer's half of the hot copy: nobody can read a copy of a game from before its commit until it is published.

`begin` → commit in PostgreSQL → `settle` → acknowledge. It must not know what is committed, nor how games are read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from storage.redis.copies import Change, fields
from storage.redis.link import Arg, RedisAway, RedisRefused
from storage.redis.scripts import ABORT, BEGIN, PUBLISH
from storage.redis.site import Site
from storage.store import StoreError


class Writes:
    """Games that are being written. Tell of each that it was `committed`, `refused` or `replaced`; of one that is not,
    nobody knows, and its mark stays until it lapses."""

    def __init__(self, games: Sequence[str], token: str, cover: float, deadline: float, now: Callable[[], float]):
        self.games, self.token, self.cover = tuple(dict.fromkeys(games)), token, cover
        self.deadline = deadline
        """By the database's clock, in seconds: a commit whose statement is evaluated later might be seen too early."""
        self.keys: dict[str, tuple[str, ...]] = {}
        """The keys of the games that are marked; empty where nobody reads copies at all."""
        self.changes: dict[str, Change] = {}
        self.refusals: list[str] = []
        self.replacements: list[str] = []
        self.late: set[str] = set()
        self._now = now

    def committed(self, game: str, change: Change) -> None:
        """PostgreSQL has confirmed the commit."""
        self.changes[game] = change
        self._confirmed(game)

    def replaced(self, game: str) -> None:
        """PostgreSQL has confirmed something that is no `Change`: the game was erased or mended. Its copies are deleted."""
        self.replacements.append(game)
        self._confirmed(game)

    def refused(self, game: str) -> None:
        """Nothing was or will be committed: a conflict, or it was never sent."""
        self.refusals.append(game)

    def _confirmed(self, game: str) -> None:
        if self._now() >= self.cover:
            self.late.add(game)


class _Waiting:
    """Readers in other workers that a writer waits for, as (game, worker). They may let go before we know that they hold."""

    def __init__(self) -> None:
        self._free: set[tuple[str, str]] = set()
        self._held: set[tuple[str, str]] | None = None
        self.done = asyncio.Event()

    def holds(self, held: set[tuple[str, str]]) -> None:
        self._held = held
        self._check()

    def released(self, game: str, worker: str) -> None:
        self._free.add((game, worker))
        self._check()

    def _check(self) -> None:
        if self._held is not None and self._held <= self._free:
            self.done.set()


class Writing:
    """Marks, publishes and takes back; and lets go of copies when another worker writes."""

    def __init__(self, site: Site):
        self._site = site
        self._waiting: dict[str, _Waiting] = {}

    async def begin(self, games: Sequence[str]) -> Writes:
        """Returns when nobody can read a copy of the games, for long enough to commit. Raises what the fence raises."""
        site, refused = self._site, False
        while True:
            await site.refresh()
            marks = site.linked() and not refused
            if not marks:
                await site.fence.hush()
            await site.fence.ready()
            sent = site.now()
            if not site.fence.fresh(sent):  # a mark under an old epoch hides nothing
                continue
            if marks:
                try:
                    writes = await self._mark(games, sent)
                except RedisAway:
                    continue
                except RedisRefused:
                    refused = True
                    continue
            else:
                writes = self._writes(games, site.fence.covered)
                site.stats.unmarked += len(games)
            if site.now() < writes.cover - site.times.mark / 2:
                return writes

    async def settle(self, writes: Writes) -> None:
        """What must come between the commits and their acknowledgment. Raises what the fence raises: then the commits stand,
        but may not be acknowledged."""
        lost = set(writes.late)
        for game in writes.replacements:
            self._site.memory.forget(game)
        if writes.keys:
            try:
                lost.update(await self._publish(writes))
                lost.update(await self._abort(writes))
            except StoreError:  # nobody knows whether the marks stood
                lost.update(writes.changes, writes.replacements)
        if lost:
            self._site.stats.lost += len(lost)
            again = await self.begin(sorted(lost))
            again.refusals += again.games
            await self.settle(again)

    def _writes(self, games: Sequence[str], cover: float) -> Writes:
        site = self._site
        return Writes(games, site.token(), cover, site.fence.deadline(cover, site.times.mark / 2), site.now)

    async def _mark(self, games: Sequence[str], sent: float) -> Writes:
        """Marks all games in one round trip and waits until other workers have let go of their copies."""
        site = self._site
        writes = self._writes(games, sent + site.times.mark)
        waiting = self._waiting[writes.token] = _Waiting()
        life = int(site.times.mark * 1000)
        writes.keys = {game: site.keys(game) for game in writes.games}
        try:
            replies = await site.client.run_many(BEGIN, [
                (keys, (site.worker, writes.token, life, site.life, site.channels, f"drop {writes.token} {site.worker} {game}"))
                for game, keys in writes.keys.items()
            ])  # fmt: skip
            for game in writes.games:  # what we read before the marks, also where it is on its way still
                site.memory.drop(game)
            found = zip(writes.games, replies, strict=True)
            waiting.holds({(game, reader.decode()) for game, readers in found for reader in readers})
            if not waiting.done.is_set():
                site.stats.waited += 1
                await site.either(waiting.done, site.times.lease)
        finally:
            del self._waiting[writes.token]
        site.stats.marked += len(writes.games)
        return writes

    async def _publish(self, writes: Writes) -> list[str]:
        """Shows what was committed where our mark still stands; gives the games where it does not."""
        site = self._site
        asks = {game: site.ask(game) for game in writes.changes if game in writes.keys}
        calls: list[tuple[Sequence[Arg], Sequence[Arg]]] = []
        for game in asks:
            change = writes.changes[game]
            gone = ["/" + id for id, data in change.parts.items() if data is None]
            pairs = fields(change.version, change.head, change.parts)
            calls.append((writes.keys[game], (
                site.worker, site.lease, writes.token, change.base, site.life, len(gone), *gone, *pairs,
            )))  # fmt: skip
        lost: list[str] = []
        try:
            replies = await site.client.run_many(PUBLISH, calls) if calls else []
            for (game, ask), reply in zip(asks.items(), replies, strict=True):
                held, change = site.memory.get(game), writes.changes[game]
                if reply == b"lost":
                    lost.append(game)
                elif reply == b"kept" and held is not None and held.copy.version == change.base:
                    site.hold(ask, change.upon(held.copy))
        finally:
            for ask in asks.values():
                site.memory.answered(ask)
        return lost

    async def _abort(self, writes: Writes) -> list[str]:
        """Takes marks back and deletes the copies; gives the games that were replaced and had lost their mark."""
        games = [game for game in writes.refusals + writes.replacements if game in writes.keys]
        if not games:
            return []
        stood = await self._site.client.run_many(ABORT, [(writes.keys[game], (writes.token,)) for game in games])
        return [game for game, mark in zip(games, stood, strict=True) if not mark and game in writes.replacements]

    # --- messages between workers

    def heard(self, message: bytes | None) -> None:
        """`drop token writer game`: let go of a copy. `free token worker game`: another worker has."""
        site = self._site
        if message is None:
            return site.memory.forget_all()
        kind, token, other, game = message.decode().split(" ", 3)
        if kind == "drop":
            site.memory.forget(game)
            site.client.tell("PUBLISH", site.channels + other, f"free {token} {site.worker} {game}")
        elif token in self._waiting:
            self._waiting[token].released(game, other)
        return None
