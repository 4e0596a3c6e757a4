"""Channels between workers, presence, and what is kept of players: delivery, order, gaps, expiry."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest

from storage.redis import (
    ACTIVE,
    GLOBAL,
    ONLINE,
    Backoff,
    Event,
    LayeredCache,
    Leaderboards,
    Limits,
    Missed,
    PlayerCache,
    PlayerEntry,
    Presence,
    PubSub,
    RedisAway,
    RedisClient,
    Rooms,
    active_in,
    in_room,
    room,
    user,
)
from tests.storage.redis.conftest import Server, hasty, restart

pytestmark = pytest.mark.anyio
TAVERN = room("tavern")


@pytest.fixture
async def rooms(redis: RedisClient) -> AsyncIterator[Rooms]:
    async with PubSub(redis.url) as pubsub:
        yield Rooms(redis, pubsub, kept=5)


async def take(events: AsyncIterator[Event | Missed], count: int) -> list[bytes | None]:
    """The data of the next events; `None` for what was missed."""
    found: list[bytes | None] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            event = await anext(events)
            found.append(event.data if isinstance(event, Event) else None)
    return found


@pytest.mark.requirement("2.04")
async def test_what_another_process_says_is_heard_in_the_room_by_the_user_and_by_all(
    rooms: Rooms, redis: RedisClient
) -> None:
    program = f"""
import asyncio
from storage.redis import GLOBAL, PubSub, RedisClient, Rooms, room, user
async def main():
    async with RedisClient({redis.url!r}) as client, PubSub({redis.url!r}) as pubsub:
        rooms = Rooms(client, pubsub)
        for channel in (room("tavern"), user("ada"), GLOBAL, room("cellar")):
            await rooms.say(channel, channel.name.encode())
asyncio.run(main())
"""
    async with rooms.listen(TAVERN) as here, rooms.listen(user("ada")) as mine, rooms.listen(GLOBAL) as everywhere:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
        assert await process.wait() == 0
        assert await take(here, 1) == [b"room:tavern"]
        assert await take(mine, 1) == [b"user:ada"]
        assert await take(everywhere, 1) == [b"global"]


@pytest.mark.requirement("2.21")
async def test_a_new_joiner_gets_the_recent_events_and_then_the_new_ones(rooms: Rooms) -> None:
    for number in range(8):
        await rooms.say(TAVERN, b"%d" % number)
    async with rooms.listen(TAVERN) as events:
        assert await take(events, 5) == [b"3", b"4", b"5", b"6", b"7"]
        await rooms.say(TAVERN, b"8")
        assert await take(events, 1) == [b"8"]


async def test_a_client_resumes_after_the_event_that_it_saw_last_or_is_told_of_a_gap(rooms: Rooms) -> None:
    ids = [await rooms.say(TAVERN, b"%d" % number) for number in range(5)]
    async with rooms.listen(TAVERN, after=ids[2]) as events:
        assert await take(events, 2) == [b"3", b"4"]
    for number in range(5, 9):
        await rooms.say(TAVERN, b"%d" % number)
    async with rooms.listen(TAVERN, after=ids[2]) as events:
        assert await take(events, 6) == [None, b"4", b"5", b"6", b"7", b"8"]


async def test_a_slow_listener_is_told_and_loses_nothing_that_is_kept(rooms: Rooms, redis: RedisClient) -> None:
    async with PubSub(redis.url) as pubsub:
        slow = Rooms(redis, pubsub, kept=100, backlog=3)
        async with slow.listen(TAVERN) as events:
            await slow.say(TAVERN, b"0")
            assert await take(events, 1) == [b"0"]
            for number in range(1, 20):
                await slow.say(TAVERN, b"%d" % number)
            assert await take(events, 19) == [b"%d" % number for number in range(1, 20)]


async def test_a_listener_survives_a_restart_and_is_told_that_something_may_be_missing(server: Server) -> None:
    async with hasty(server) as client, PubSub(server.url, timeout=0.3, backoff=Backoff(0.005, 0.02)) as pubsub:
        rooms = Rooms(client, pubsub)
        async with rooms.listen(TAVERN) as events:
            await rooms.say(TAVERN, b"before")
            assert await take(events, 1) == [b"before"]
            await restart(server, client)
            assert await take(events, 1) == [None]
            await rooms.say(TAVERN, b"after")
            assert await take(events, 1) == [b"after"]


@pytest.mark.requirement("2.03")
async def test_who_is_in_a_room_is_known_until_they_leave_or_fall_silent(redis: RedisClient) -> None:
    presence, place = Presence(redis), in_room("tavern")
    assert await presence.enter(place, "ada", 60)
    assert not await presence.enter(place, "ada", 60)
    assert await presence.enter(place, "bob", 0.001)
    await presence.enter(place, "cyn", 30)
    while await presence.who(place) != ["cyn", "ada"]:
        await asyncio.sleep(0.001)
    assert await presence.leave(place, "ada")
    assert await presence.who(place) == ["cyn"]
    assert place == "room:{tavern}:players"
    assert await presence.enter(ONLINE, "ada", 60)


@pytest.mark.requirement("1.06")
async def test_active_players_are_kept_for_half_an_hour_for_each_experience(redis: RedisClient) -> None:
    presence = Presence(redis)
    await presence.enter(active_in("woods"), "ada", ACTIVE)
    assert await presence.who(active_in("woods")) == ["ada"]
    assert await presence.who(active_in("cave")) == []
    assert 1790 < await redis.call("TTL", active_in("woods")) <= 1800


@pytest.mark.requirement("1.05", "1.06")
async def test_a_player_s_session_and_sets_are_kept_an_hour_for_each_experience(redis: RedisClient) -> None:
    cache = PlayerCache(redis)
    woods = PlayerEntry(3, b"state", ["lamp", "rope"], ["glade"])
    assert await cache.put("ada", "woods", woods)
    await cache.put("ada", "cave", PlayerEntry(1, b"other", [], []))
    assert await cache.session("ada", "woods") == (3, b"state")
    assert await cache.session("ada", "cave") == (1, b"other")
    assert await cache.inventory("ada", "woods") == {"lamp", "rope"}
    assert await cache.inventory("ada", "cave") == frozenset()
    assert await cache.carries("ada", "woods", "lamp") is True
    assert await cache.has_visited("ada", "woods", "cave") is False
    assert await cache.visited("ada", "woods") == {"glade"}
    assert await cache.session("bob", "woods") is None
    assert 3590 < await redis.call("TTL", "player:{ada}:session:woods") <= 3600
    await cache.forget("ada", "woods")
    assert await cache.inventory("ada", "woods") is None


@pytest.mark.requirement("1.05")
async def test_an_older_entry_of_a_player_never_replaces_a_newer_one_nor_answers_for_it(redis: RedisClient) -> None:
    cache = PlayerCache(redis)
    await cache.put("ada", "woods", PlayerEntry(5, b"five", ["lamp"], []))
    assert not await cache.put("ada", "woods", PlayerEntry(4, b"four", ["rope"], []))
    assert await cache.session("ada", "woods") == (5, b"five")
    assert await cache.carries("ada", "woods", "lamp", least=5) is True
    assert await cache.carries("ada", "woods", "lamp", least=6) is None


async def test_a_server_with_an_older_file_has_no_entry_of_a_player(server: Server) -> None:
    async with hasty(server) as redis:
        cache = PlayerCache(redis)
        await cache.put("ada", "woods", PlayerEntry(1, b"old", [], []))
        server.command("SAVE")
        await cache.put("ada", "woods", PlayerEntry(2, b"new", [], []))
        await restart(server, redis)
        assert await redis.call("HGET", "player:{ada}:session:woods", "data") == b"old"
        assert await cache.session("ada", "woods") is None
        assert await cache.put("ada", "woods", PlayerEntry(2, b"new", [], []))


@pytest.mark.requirement("1.06")
async def test_a_leaderboard_is_made_once_in_five_minutes_and_takes_new_scores(redis: RedisClient) -> None:
    boards, loads = Leaderboards(redis), 0

    async def load() -> dict[str, float]:
        nonlocal loads
        loads += 1
        return {"ada": 10.5, "bob": 30.0, "cyn": 20.0}

    await boards.raise_to("woods", "distance", "ada", 99.0)
    best = [("bob", 30.0), ("cyn", 20.0)]
    assert await boards.top("woods", "distance", 2, load) == best
    assert await boards.top("woods", "distance", 2, load) == best
    await boards.raise_to("woods", "distance", "dan", 25.0)
    await boards.raise_to("woods", "distance", "bob", 1.0)
    assert await boards.top("woods", "distance", 2, load) == [("bob", 30.0), ("dan", 25.0)]
    assert loads == 1
    assert 290 < await redis.call("TTL", "experience:{woods}:leaderboard:distance") <= 300


async def test_a_leaderboard_is_there_without_redis(tmp_path: object) -> None:
    async def load() -> dict[str, float]:
        return {"ada": 1.0, "bob": 2.0}

    async with RedisClient(f"unix://{tmp_path}/none.sock") as redis:
        assert await Leaderboards(redis).top("woods", "distance", 1, load) == [("bob", 2.0)]


async def test_a_bucket_lets_a_burst_pass_and_then_says_how_long_to_wait(redis: RedisClient) -> None:
    limits = Limits(redis)
    taken = [await limits.take("ada", rate=0.001, burst=3) for _ in range(5)]
    assert [one.allowed for one in taken] == [True, True, True, False, False]
    assert 900 < taken[-1].wait <= 1000
    assert (await limits.take("bob", rate=0.001, burst=3)).allowed
    while not (await limits.take("cyn", rate=1000, burst=1)).allowed:
        await asyncio.sleep(0.001)


@pytest.mark.requirement("4.41")
async def test_a_layered_cache_answers_from_memory_then_from_redis_then_not_at_all(redis: RedisClient) -> None:
    clock = [0.0]
    one = LayeredCache(redis, "decisions", memory=10, redis=3600, now=lambda: clock[0])
    two = LayeredCache(redis, "decisions", memory=10, redis=3600, limit=1, now=lambda: clock[0])
    assert await one.get("k") is None
    await one.put("k", b"v")
    assert await one.get("k") == await two.get("k") == await two.get("k") == b"v"
    assert (one.hits, one.misses, two.redis_hits, two.hits) == (1, 1, 1, 1)
    clock[0] = 10
    assert await two.get("k") == b"v"
    assert two.redis_hits == 2
    await two.put("other", b"w")
    await redis.call("FLUSHALL")
    assert await two.get("k") is None
    assert await two.get("other") == b"w"


async def test_who_speaks_without_redis_is_told(tmp_path: object) -> None:
    url = f"unix://{tmp_path}/none.sock"
    async with RedisClient(url) as client, PubSub(url, timeout=0.01) as pubsub:
        rooms = Rooms(client, pubsub)
        async with rooms.listen(TAVERN):
            with pytest.raises(RedisAway):
                await rooms.say(TAVERN, b"hello?")
