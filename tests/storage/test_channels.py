"""What every implementation of channels must do; in memory and over Redis."""

import asyncio

import pytest

from storage import Store, new_id
from storage.channels import ChannelsAway
from storage.fenced import FencedStore
from storage.redis.channels import RedisChannels

pytestmark = pytest.mark.anyio


@pytest.mark.requirement("2.04")
@pytest.mark.parametrize("kind", ["user", "room", "global"])
async def test_what_is_said_is_heard_by_all_who_listen_and_by_nobody_else(store: Store, kind: str) -> None:
    name = kind if kind == "global" else f"{kind}:{new_id()}"
    channels = store.channels
    async with channels.listen(name) as one, channels.listen(name) as two, channels.listen(f"user:{new_id()}") as other:
        await channels.say(name, {"text": "hello"})
        for events in (one, two):
            assert await asyncio.wait_for(anext(events), 20) == {"text": "hello"}
        silent = asyncio.ensure_future(anext(other))
        await asyncio.sleep(0)
        assert not silent.done()
        silent.cancel()


@pytest.mark.requirement("2.21")
async def test_what_was_said_last_is_kept_for_those_who_come_later(store: Store) -> None:
    name = f"room:{new_id()}"
    for number in range(105):
        await store.channels.say(name, {"number": number})
    assert [each["number"] for each in await store.channels.recent(name)] == list(range(5, 105))
    assert await store.channels.recent(f"room:{new_id()}") == []


async def test_who_is_there_is_known_until_they_leave(store: Store) -> None:
    place = new_id()
    for member in ("ann", "ben"):
        await store.channels.enter(place, member, 60)
    assert sorted(await store.channels.who(place)) == ["ann", "ben"]
    await store.channels.leave(place, "ann")
    assert await store.channels.who(place) == ["ben"]


@pytest.mark.requirement("0.28")
async def test_without_redis_nothing_can_be_said_and_that_is_told(database: str, anyio_backend: str) -> None:
    async with FencedStore.opened(database, "redis://127.0.0.1:1") as store:
        assert isinstance(store.channels, RedisChannels)
        for call in (store.channels.say("global", {}), store.channels.recent("global"), store.channels.who("x")):
            with pytest.raises(ChannelsAway):
                await call
