"""The hot copy between workers that are alive: where reads are answered, and what a write does to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from storage.redis import Change, Copy, HotCopies, MemoryFence, PubSub, RedisClient, Times, Writes
from tests.storage.redis.conftest import Server, hasty

pytestmark = pytest.mark.anyio
TIMES = Times(fresh=60, lease=60, mark=60, hush=120)


class Table:
    """The truth: what PostgreSQL would hold."""

    def __init__(self) -> None:
        self.rows = {"g": Copy(1, b"head", {"a": b"1", "b": b"2"})}
        self.loads = 0

    async def load(self, game: str = "g") -> Copy:
        self.loads += 1
        return self.rows[game]

    def commit(self, writes: Writes, change: Change, game: str = "g") -> None:
        assert self.rows[game].version == change.base
        self.rows[game] = change.upon(self.rows[game])
        writes.committed(game, change)


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
async def workers(shared: Server) -> AsyncIterator[tuple[HotCopies, HotCopies]]:
    """Two workers, with a fence that is open already."""
    shared.command("FLUSHALL")
    fence = MemoryFence()
    async with AsyncExitStack() as stack:
        found: list[HotCopies] = []
        for name in ("one", "two"):
            client = await stack.enter_async_context(RedisClient(shared.url))
            pubsub = await stack.enter_async_context(PubSub(shared.url))
            if not found:
                await fence.hush(0, client.run_id)
            found.append(await stack.enter_async_context(HotCopies(client, pubsub, fence, name, times=TIMES)))
        yield found[0], found[1]


async def filled(hot: HotCopies) -> None:
    while not hot.stats.filled:
        await asyncio.sleep(0.001)


@pytest.mark.requirement("1.08", "3.10")
async def test_a_miss_is_read_once_from_the_database_then_from_redis_then_from_the_process(
    workers: tuple[HotCopies, HotCopies], table: Table
) -> None:
    one, two = workers
    assert await one.read("g", table.load) == table.rows["g"]
    await filled(one)
    assert await two.read("g", table.load) == table.rows["g"]
    assert table.loads == 1
    assert two.stats.redis == 1
    assert one.get("g") == two.get("g") == table.rows["g"]
    assert (one.stats.process, two.stats.process) == (1, 1)


@pytest.mark.requirement("2.10")
async def test_a_large_part_is_compressed_and_a_copy_expires(
    workers: tuple[HotCopies, HotCopies], table: Table, redis: RedisClient
) -> None:
    one, two = workers
    table.rows["g"] = Copy(1, b"h" * 10_000, {"a": b"abc" * 10_000})
    await one.read("g", table.load)
    await filled(one)
    (key,) = [key for key in await redis.call("KEYS", "*") if key.endswith(b":h")]
    assert await redis.call("HSTRLEN", key, "/a") < 1000
    assert 800 < await redis.call("TTL", key) <= 900
    assert await two.read("g", table.load) == table.rows["g"]
    assert table.loads == 1


async def test_a_write_is_seen_at_once_by_the_other_worker_and_costs_no_load(
    workers: tuple[HotCopies, HotCopies], table: Table
) -> None:
    one, two = workers
    await one.read("g", table.load)
    await filled(one)
    await two.read("g", table.load)
    async with one.writing("g") as writes:
        assert two.get("g") is None, "the other worker has let go before the commit"
        assert (await two.read("g", table.load)).version == 1
        table.commit(writes, Change(1, 2, b"new", {"a": b"3", "b": None, "c": b"4"}))
        assert (await two.read("g", table.load)).version == 2
    loads = table.loads
    assert one.get("g") == await two.read("g", table.load) == Copy(2, b"new", {"a": b"3", "c": b"4"})
    assert table.loads == loads


async def test_a_refused_write_leaves_no_mark(workers: tuple[HotCopies, HotCopies], table: Table) -> None:
    one, two = workers
    async with one.writing("g") as writes:
        writes.refused("g")
    await two.read("g", table.load)
    await filled(two)


async def test_of_two_writers_neither_publishes_under_the_others_mark(
    workers: tuple[HotCopies, HotCopies], table: Table
) -> None:
    one, two = workers
    await one.read("g", table.load)
    await filled(one)
    async with one.writing("g") as first:
        async with two.writing("g") as second:
            table.commit(second, Change(1, 2, b"second"))
        assert (await two.read("g", table.load)).version == 2
        first.refused("g")
    assert (await two.read("g", table.load)).version == 2
    assert (await one.read("g", table.load)).version == 2


async def test_a_worker_tells_whether_copies_are_read(server: Server) -> None:
    fence = MemoryFence()
    async with hasty(server) as client, PubSub(server.url) as pubsub:
        await fence.hush(0, client.run_id)
        async with HotCopies(client, pubsub, fence, times=TIMES) as hot:
            assert hot.mode == "hot"
            hot.note_fence(await fence.hush(100), time.monotonic())
            assert hot.mode == "quiet"
            server.kill()
            while client.run_id:
                await asyncio.sleep(0.002)
            assert hot.mode == "off"


async def test_many_games_are_marked_and_published_in_one_round_trip_each(
    workers: tuple[HotCopies, HotCopies], table: Table
) -> None:
    one, two = workers
    games = [f"g{n}" for n in range(50)]
    for game in games:
        table.rows[game] = Copy(1, b"head")
    writes = await one.begin(games)
    for game in games[:40]:
        table.commit(writes, Change(1, 2, b"new"), game)
    for game in games[40:]:
        writes.refused(game)
    await one.settle(writes)
    for game in games:

        async def load(game: str = game) -> Copy:
            return await table.load(game)

        assert await two.read(game, load) == table.rows[game]


async def test_a_mark_that_was_flushed_is_set_again_before_the_write_is_acknowledged(
    workers: tuple[HotCopies, HotCopies], table: Table, redis: RedisClient
) -> None:
    one, two = workers
    async with one.writing("g") as writes:
        await redis.call("FLUSHALL")
        await two.read("g", table.load)
        await filled(two)
        table.commit(writes, Change(1, 2, b"new"))
    assert one.stats.lost == 1
    assert (await two.read("g", table.load)).version == 2


async def test_a_worker_forgets_the_copies_that_were_used_longest_ago(shared: Server, table: Table) -> None:
    fence = MemoryFence()
    async with RedisClient(shared.url) as client, PubSub(shared.url) as pubsub:
        await fence.hush(0, client.run_id)
        async with HotCopies(client, pubsub, fence, times=TIMES, limit=2) as hot:
            for game in ("g1", "g2", "g3"):
                await hot.read(game, table.load)
                while hot.stats.filled < int(game[1]):
                    await asyncio.sleep(0.001)
            assert hot.get("g1") is None
            assert hot.get("g2") is not None


async def test_nobody_keeps_a_byte_of_a_game_that_was_erased(
    workers: tuple[HotCopies, HotCopies], table: Table, redis: RedisClient
) -> None:
    one, two = workers
    await one.read("g", table.load)
    await filled(one)
    await two.read("g", table.load)
    async with one.writing("g") as writes:
        writes.replaced("g")
    assert one.last_known("g") is None
    assert two.last_known("g") is None
    assert [key for key in await redis.call("KEYS", "*") if key.endswith(b":h")] == []


async def test_a_writer_that_was_held_up_marks_under_the_epoch_of_now(shared: Server) -> None:
    """Found by the long run of the model: a mark under an epoch that is over hides nothing."""
    clock = [0.0]
    fence = MemoryFence(lambda: clock[0])

    async def held_up(seconds: float) -> None:
        if seconds > TIMES.fresh / 2:  # it waits for readers of an epoch; meanwhile another begins, and its quiet ends
            clock[0] += 1000
            await fence.hush(0)
        else:
            await asyncio.get_running_loop().create_future()

    async with RedisClient(shared.url) as client, PubSub(shared.url) as pubsub:
        await fence.hush(100, client.run_id)
        async with HotCopies(client, pubsub, fence, times=TIMES, now=lambda: clock[0], sleep=held_up) as hot:
            writes = await hot.begin(["g"])
            assert f":{(await fence.look()).epoch}:" in writes.keys["g"][0]
            assert clock[0] == 1000


@pytest.mark.requirement("1.15", "2.09")
async def test_a_game_that_is_played_is_hardly_ever_read_from_the_database(
    workers: tuple[HotCopies, HotCopies], table: Table
) -> None:
    one, _ = workers
    for turn in range(1, 101):
        copy = await one.read("g", table.load)
        async with one.writing("g") as writes:
            table.commit(writes, Change(copy.version, copy.version + 1, b"turn %d" % turn))
    assert table.loads == 1
    assert one.stats.hit_rate >= 0.99
    assert one.stats.process >= 95


@pytest.mark.requirement("2.02")
async def test_a_copy_that_is_read_stays_for_another_quarter_of_an_hour(
    workers: tuple[HotCopies, HotCopies], table: Table, redis: RedisClient
) -> None:
    one, two = workers
    await one.read("g", table.load)
    await filled(one)
    (key,) = [key for key in await redis.call("KEYS", "*") if key.endswith(b":h")]
    await redis.call("EXPIRE", key, 10)
    await two.read("g", table.load)
    assert 800 < await redis.call("TTL", key) <= 900


async def test_a_reader_that_was_waited_for_once_is_not_told_again(
    workers: tuple[HotCopies, HotCopies], table: Table, redis: RedisClient
) -> None:
    one, two = workers
    await one.read("g", table.load)
    await filled(one)
    await two.read("g", table.load)
    for version in (1, 2):
        async with one.writing("g") as writes:
            table.commit(writes, Change(version, version + 1, b"new"))
        assert one.stats.waited == 1
    (key,) = [key for key in await redis.call("KEYS", "*") if key.endswith(b":r")]
    assert await redis.call("ZRANGE", key, 0, -1) == [b"one"]
