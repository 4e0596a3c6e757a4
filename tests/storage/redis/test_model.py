"""Nobody reads a stale game, in any of many random schedules; and every part of the protocol is needed for that."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from storage.redis import Change, Copy, HotCopies
from storage.redis.copies import Memory
from storage.redis.fence import FenceView, Times
from storage.redis.scripts import BEGIN, FILL, PUBLISH, READ
from tests.storage.redis.conftest import Server
from tests.storage.redis.world import Worker, World

SCHEDULES = 400
STEPS = 400


@pytest.fixture(scope="module")
def databases(shared: Server) -> Iterator[Callable[[int], Redis]]:
    found: dict[int, Redis] = {}

    def connect(number: int) -> Redis:
        if number not in found:
            found[number] = Redis(unix_socket_path=str(shared.socket), db=number)
        return found[number]

    yield connect
    for redis in found.values():
        redis.close()


def play(databases: Callable[[int], Redis], seed: int, **given: Any) -> World:
    world = World(seed, databases, **given)
    asyncio.run(world.run(STEPS, workers=2 + seed % 2))
    return world


@pytest.mark.requirement("1.08", "2.02", "3.10")
def test_no_read_is_older_than_what_was_acknowledged_or_seen_before_it_began(databases: Callable[[int], Redis]) -> None:
    happened: Counter[str] = Counter()
    for seed in range(SCHEDULES):
        world = play(databases, seed)
        assert not world.violations, "\n".join([*world.trace, f"seed {seed}", *world.violations])
        happened["acknowledged"] += world.acked - 1
        for hot in world.hots:
            for what in ("process", "redis", "filled", "marked", "unmarked", "waited", "lost"):
                happened[what] += getattr(hot.stats, what)
    assert min(happened.values()) > 5, happened


def test_nothing_acknowledged_is_unread_even_where_redis_forgets_marks(databases: Callable[[int], Redis]) -> None:
    for seed in range(SCHEDULES):
        world = play(databases, seed, flushes=True)
        stale = [violation for violation in world.violations if violation.startswith("acknowledged")]
        assert not stale, "\n".join([*world.trace, f"seed {seed}", *stale])


class CacheFirst:
    """The dual write of the sources: the cache, then the database."""

    first = True

    def __init__(self, worker: Worker):
        self._worker, self._fill = worker, HotCopies
        self._world = worker.world

    @property
    def _redis(self) -> Redis:
        return self._world.servers[-1].redis

    async def __aenter__(self) -> CacheFirst:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def get(self, game: str) -> None:
        return None

    async def _step(self, work: Callable[[], Any]) -> Any:
        """Redis takes its time, too."""
        return await self._world.ask(work)

    async def read(self, game: str, load: Callable[[], Any]) -> Copy:
        version = await self._step(lambda: self._redis.get(game))
        if version is not None:
            return Copy(int(version), version)
        copy = await load()
        await self._step(lambda: self._redis.set(game, copy.version))
        return copy

    def writing(self, game: str) -> Any:
        return _NaiveWrite(self, game)


class DatabaseFirst(CacheFirst):
    first = False


class _NaiveWrite:
    """The cache is written before the block, or after it."""

    deadline = math.inf

    def __init__(self, copies: CacheFirst, game: str):
        self.copies, self.game = copies, game

    async def put(self, version: int) -> None:
        await self.copies._step(lambda: self.copies._redis.set(self.game, version))

    async def __aenter__(self) -> _NaiveWrite:
        if self.copies.first:
            await self.put(int(self.copies._redis.get(self.game) or 1) + 1)
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        if not self.copies.first and kind is None:
            await self.put(self.version)

    def committed(self, game: str, change: Change) -> None:
        self.version = change.version

    def refused(self, game: str) -> None:
        self.version = self.copies._world.row.version


def _never_spoils(self: Memory, game: str) -> None:
    held = self._held.get(game)
    if held is not None:
        held.until = -math.inf


def _unguarded(view: type[FenceView], monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(self: FenceView) -> None: ...

    monkeypatch.setattr(view, "hush", nothing)
    monkeypatch.setattr(view, "covered", property(lambda self: math.inf))


def _impatient(view: type[FenceView], monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(self: FenceView) -> None: ...

    monkeypatch.setattr(view, "ready", nothing)


BROKEN: dict[str, tuple[dict[str, Any], Callable[[pytest.MonkeyPatch], None]]] = {
    "the cache is written first": ({"make": CacheFirst}, lambda patch: None),
    "the database is written first": ({"make": DatabaseFirst}, lambda patch: None),
    "a fill needs no token": ({"broken": (FILL, "redis.call('GET', KEYS[3]) ~= ARGV[3]", "false")}, lambda patch: None),
    "a fill ignores marks": ({"broken": (BEGIN, "redis.call('DEL', KEYS[3])", "")}, lambda patch: None),
    "a read ignores marks": ({"broken": (READ, "if marked > 0 then", "if false then")}, lambda patch: None),
    "a copy is not hidden in itself": (
        {"broken": (BEGIN, "redis.call('HSET', KEYS[1], '@mark', ARGV[2])", "")},
        lambda patch: None,
    ),
    "readers are not waited for": ({"broken": (BEGIN, "return others", "return {}")}, lambda patch: None),
    "another writer does not matter": (
        {"broken": (PUBLISH, "if marked > 1 or found[2] ~= ARGV[3] then", "if false then")},
        lambda patch: None,
    ),
    "servers are not told apart": ({"runs": False}, lambda patch: None),
    "a worker without redis just writes": ({}, lambda patch: _unguarded(FenceView, patch)),
    "a writer does not wait for an old epoch": ({}, lambda patch: _impatient(FenceView, patch)),
    "a new server is read at once": ({}, lambda patch: patch.setattr(Times, "quiet", property(lambda self: 0.0))),
    "what is on its way is held": ({}, lambda patch: patch.setattr(Memory, "drop", _never_spoils)),
    "a late commit is not refused": ({"guard": False}, lambda patch: None),
    "a lost mark does not matter": (
        {"flushes": True, "broken": (PUBLISH, "return 'lost'", "return 'gone'")},
        lambda patch: None,
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_the_same_schedules_find_what_a_broken_protocol_does(
    databases: Callable[[int], Redis], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, patch = BROKEN[how]
    patch(monkeypatch)
    wanted = "seen" if how == "a late commit is not refused" else "acknowledged"
    for seed in range(10 * SCHEDULES):
        if any(violation.startswith(wanted) for violation in play(databases, seed, **given).violations):
            print(how, seed)
            return
    pytest.fail(f"no schedule shows that {how}")
