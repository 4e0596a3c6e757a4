"""What every implementation of expiring records must do; in memory and over Redis."""

from collections.abc import AsyncIterator

import anyio
import pytest

from storage import new_id
from storage.embedded import Servers
from storage.expiring import Expiring, ExpiringAway, LocalExpiring
from storage.redis import RedisClient
from storage.redis.expiring import RedisExpiring

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["memory", "redis"])
async def expiring(request: pytest.FixtureRequest) -> AsyncIterator[Expiring]:
    if request.param == "memory":
        yield LocalExpiring()
        return
    servers: Servers = request.getfixturevalue("servers")
    async with RedisClient(servers.redis_url) as client:
        yield RedisExpiring(client)


async def test_a_record_is_changed_only_by_who_knows_what_it_is(expiring: Expiring) -> None:
    key = new_id()
    assert await expiring.get(key) is None
    assert not await expiring.swap(key, b"other", b"1", 60)
    assert await expiring.swap(key, None, b"1", 60)
    assert not await expiring.swap(key, None, b"2", 60)
    assert not await expiring.swap(key, b"2", b"3", 60)
    assert await expiring.swap(key, b"1", b"\x00\xff", 60)
    assert await expiring.get(key) == b"\x00\xff"


async def test_of_many_who_change_a_record_at_once_one_does(expiring: Expiring) -> None:
    key, won = new_id(), list[int]()

    async def change(number: int) -> None:
        if await expiring.swap(key, None, str(number).encode(), 60):
            won.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(change, number)
    assert len(won) == 1
    assert await expiring.get(key) == str(won[0]).encode()


async def test_a_record_is_forgotten_in_time(expiring: Expiring) -> None:
    key = new_id()
    await expiring.swap(key, None, b"1", 0.05)
    with anyio.fail_after(10):
        while await expiring.get(key) is not None:
            await anyio.sleep(0.01)
    assert await expiring.swap(key, None, b"2", 60)


async def test_without_redis_it_says_so() -> None:
    async with RedisClient("redis://127.0.0.1:1") as client:
        for call in (RedisExpiring(client).get("x"), RedisExpiring(client).swap("x", None, b"", 1)):
            with pytest.raises(ExpiringAway):
                await call
