"""The client of Redis: shared writes, answers in order, run ids, breaker, reconnection."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from storage.redis.breaker import Breaker
from storage.redis.client import Backoff, RedisClient, Script
from storage.redis.link import RedisAway, RedisRefused
from tests.storage.redis.conftest import Server, hasty

pytestmark = pytest.mark.anyio


@pytest.mark.requirement("2.10")
async def test_commands_of_one_tick_share_a_write_and_each_gets_its_own_answer(redis: RedisClient) -> None:
    before = redis.status()
    await asyncio.gather(*(redis.call("SET", f"k{n}", b"v%d" % n) for n in range(200)))
    answers = await asyncio.gather(*(redis.call("GET", f"k{n}") for n in range(200)))
    assert answers == [b"v%d" % n for n in range(200)]
    after = redis.status()
    assert after.calls - before.calls == 400
    assert after.writes - before.writes == 2


async def test_an_error_reply_reaches_only_its_caller(redis: RedisClient) -> None:
    await redis.call("SET", "text", "x")
    bad, good = await asyncio.gather(
        redis.call("LPUSH", "text", "y"), redis.call("GET", "text"), return_exceptions=True
    )
    assert isinstance(bad, RedisRefused)
    assert "WRONGTYPE" in str(bad)
    assert good == b"x"


async def test_a_cancelled_caller_takes_nobody_elses_answer(redis: RedisClient) -> None:
    first = asyncio.create_task(redis.call("ECHO", "first"))
    await asyncio.sleep(0)
    first.cancel()
    assert await redis.call("ECHO", "second") == b"second"


async def test_a_script_runs_where_the_server_never_saw_it_and_after_it_forgot_it(redis: RedisClient) -> None:
    script = Script.of("return {KEYS[1], ARGV[1]}")
    assert await redis.run(script, ["k"], [b"\0raw"]) == [b"k", b"\0raw"]
    await redis.call("SCRIPT", "FLUSH")
    assert await redis.run(script, ["k"], ["v"]) == [b"k", b"v"]


@pytest.mark.requirement("2.13")
async def test_calls_fail_at_once_while_the_server_is_dead_and_it_heals_by_itself(server: Server) -> None:
    async with hasty(server) as redis:
        first = redis.run_id
        assert first.encode() in server.command("INFO", "server")
        server.kill()
        while redis.breaker.state == "closed":
            await asyncio.sleep(0.005)
        with pytest.raises(RedisAway) as caught:
            await redis.call("PING")
        assert "PostgreSQL" in caught.value.hint
        assert redis.run_id == ""
        assert not redis.status().connected
        server.start()
        async with asyncio.timeout(20):
            second = await redis.connected()
        assert second != first
        assert await redis.call("PING") == b"PONG"
        status = redis.status()
        assert (status.connected, status.breaker) == (True, "closed")
        assert status.opened >= 1


async def test_a_server_that_is_paused_is_left_and_found_again(server: Server) -> None:
    assert server.process is not None
    async with hasty(server) as redis:
        run = redis.run_id
        os.kill(server.process.pid, signal.SIGSTOP)
        with pytest.raises(RedisAway, match="no answer"):
            await redis.call("SET", "k", "late")
        os.kill(server.process.pid, signal.SIGCONT)
        async with asyncio.timeout(20):
            assert await redis.connected() == run
        assert await redis.call("ECHO", "x") == b"x", "the answers are in order again"


async def test_a_client_of_no_server_starts_and_says_so(tmp_path: object) -> None:
    async with RedisClient(f"unix://{tmp_path}/none.sock") as redis:
        with pytest.raises(RedisAway):
            await redis.call("PING")
        assert "cannot be reached" in redis.status().error


@pytest.mark.requirement("4.38")
def test_the_breaker_opens_after_five_failures_and_closes_after_three_probes() -> None:
    clock = [0.0]
    breaker = Breaker(failures=5, seconds=60, probes=3, now=lambda: clock[0])
    for _ in range(4):
        breaker.failed()
    assert breaker.state == "closed"
    breaker.succeeded()
    for _ in range(5):
        breaker.failed()
    assert (breaker.state, breaker.wait(), breaker.opened) == ("open", 60, 1)
    clock[0] = 60
    assert (breaker.state, breaker.wait()) == ("half-open", 0)
    breaker.succeeded()
    breaker.failed()
    assert (breaker.state, breaker.opened) == ("open", 2)
    clock[0] = 120
    for _ in range(3):
        assert breaker.state == "half-open"
        breaker.succeeded()
    assert (breaker.state, breaker.failures) == ("closed", 10)


@pytest.mark.requirement("2.13")
def test_waiting_times_double_up_to_a_limit_and_differ_from_process_to_process() -> None:
    steady, hurried = Backoff(0.1, 0.5, rng=lambda: 0.0), Backoff(0.1, 0.5, rng=lambda: 1.0)
    assert [steady.take() for _ in range(4)] == [0.1, 0.2, 0.4, 0.5]
    assert [hurried.take() for _ in range(2)] == [0.05, 0.1]
    steady.reset()
    assert steady.take() == 0.1
