"""Nobody reads a stale game, in any of many random schedules; and every part of the protocol is needed for that."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis import Redis

from storage.redis import Change, Copy
from storage.redis.copies import Memory
from storage.redis.fence import FenceView, Times
from storage.redis.scripts import BEGIN, FILL, PUBLISH, READ
from tests.storage.redis.conftest import Server
from tests.storage.redis.world import Worker, World

SCHEDULES = 250
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
        self.world = worker.world

    @property
    def redis(self) -> Redis:
        return self.world.servers[-1].redis

    async def __aenter__(self) -> CacheFirst:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def get(self, game: str) -> None:
        return None

    async def step(self, work: Callable[[Redis], Any]) -> Any:
        """Redis takes its time, too."""
        return await self.world.ask(lambda: work(self.redis))

    async def read(self, game: str, load: Callable[[], Any]) -> Copy:
        version = await self.step(lambda redis: redis.get(game))
        if version is not None:
            return Copy(int(version), version)
        copy = await load()
        await self.step(lambda redis: redis.set(game, copy.version))
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
        self.changes: dict[str, Change] = {}

    async def put(self, version: int) -> None:
        await self.copies.step(lambda redis: redis.set(self.game, version))

    async def __aenter__(self) -> _NaiveWrite:
        if self.copies.first:
            await self.put(int(self.copies.redis.get(self.game) or 1) + 1)
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        if not self.copies.first and kind is None and self.changes:
            await self.put(self.changes[self.game].version)

    def committed(self, game: str, change: Change) -> None:
        self.changes[game] = change

    def replaced(self, game: str) -> None:
        self.changes.clear()

    def refused(self, game: str) -> None:
        self.changes.clear()


def _never_spoils(self: Memory, game: str) -> None:
    held = self._held.get(game)
    if held is not None:
        held.until = -math.inf


async def _nothing(self: FenceView) -> None: ...


@dataclass(frozen=True)
class Broken:
    """A world in which something is missing: `given` to it, or changed in our classes by `patch`."""

    seed: int
    """The first schedule that shows it; where the world was changed since, a later one does."""
    given: Mapping[str, Any] = field(default_factory=dict[str, Any])
    patch: tuple[tuple[type, str, Any], ...] = ()
    shows: str = "acknowledged"


BROKEN = {
    "the cache is written first": Broken(2, {"make": CacheFirst}),
    "the database is written first": Broken(0, {"make": DatabaseFirst}),
    "a fill needs no token": Broken(96, {"broken": (FILL, "redis.call('GET', KEYS[3]) ~= ARGV[3]", "false")}),
    "a mark lets a fill pass": Broken(96, {"broken": (BEGIN, "redis.call('DEL', KEYS[3])", "")}),
    "a mark lets a read pass": Broken(132, {"broken": (READ, "if marked > 0 then", "if false then")}),
    "a copy is not hidden in itself": Broken(
        192, {"broken": (BEGIN, "redis.call('HSET', KEYS[1], '@mark', ARGV[2])", "")}, shows="seen"
    ),
    "readers are not waited for": Broken(133, {"broken": (BEGIN, "return others", "return {}")}),
    "another writer does not matter": Broken(
        3668, {"broken": (PUBLISH, "if marked > 1 or found[2] ~= ARGV[3] then", "if false then")}
    ),
    "servers are not told apart": Broken(795, {"runs": False}),
    "a new server is read at once": Broken(795, patch=((Times, "quiet", property(lambda self: 0.0)),)),
    "a worker without redis just writes": Broken(
        63, patch=((FenceView, "hush", _nothing), (FenceView, "covered", property(lambda self: math.inf)))
    ),
    "a writer does not wait for an old epoch": Broken(406, patch=((FenceView, "ready", _nothing),)),
    "what is on its way is held": Broken(109, patch=((Memory, "drop", _never_spoils),)),
    "a late commit is not refused": Broken(1754, {"guard": False}, shows="seen"),
    "a lost mark does not matter": Broken(
        289, {"flushes": True, "broken": (PUBLISH, "return 'lost'", "return 'gone'")}
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_the_same_schedules_find_what_a_broken_protocol_does(
    databases: Callable[[int], Redis], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = BROKEN[how]
    for owner, name, value in broken.patch:
        monkeypatch.setattr(owner, name, value)
    for seed in range(broken.seed, broken.seed + 5000):
        if any(violation.startswith(broken.shows) for violation in play(databases, seed, **broken.given).violations):
            return
    pytest.fail(f"no schedule shows that {how}")
