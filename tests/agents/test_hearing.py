"""What players hear of each other while they sit at the prompt: at once, in order, each thing once, whatever breaks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from agents.background import Background
from agents.hearing import Heard, listening
from agents.worlds import Where
from rulebound.app import App

pytestmark = pytest.mark.anyio
Workers = Callable[[], Awaitable[App]]


async def meet(app: App, inn: Where) -> list[str]:
    """Ann and Ben in the hall."""
    return [(await app.games.start(inn, each, name=each.title()))[0] for each in ("ann", "ben")]


async def texts(heard: AsyncIterator[Heard], number: int) -> list[str]:
    async def take() -> list[str]:
        return [(await anext(heard)).text for _ in range(number)]

    return await asyncio.wait_for(take(), 30)


def background(app: App, clock: Any) -> Background:
    return Background(app.games, app.store.work, app.store.channels, now=clock)


@pytest.mark.requirement("2.04", "2.05")
@pytest.mark.parametrize("own_database", ["servers"], indirect=True)
async def test_a_player_at_one_worker_hears_at_once_what_another_does_at_another_worker(
    new_worker: Workers, inn: Where, clock: Any
) -> None:
    one, other = await new_worker(), await new_worker()
    ann, ben = await meet(one, inn)
    async with background(other, clock), await one.games.listen(ann, "ann") as heard:
        for line in ("take coin", "north", "south"):
            await other.games.act(ben, "ben", line)
        assert await texts(heard, 3) == ["Ben takes the gold coin.", "Ben goes north.", "Ben comes in."]


async def test_what_happened_since_a_turn_is_heard_first(new_worker: Workers, inn: Where, clock: Any) -> None:
    app = await new_worker()
    ann, ben = await meet(app, inn)
    since = (await app.games.game(ann, "ann")).record.version
    await app.games.act(ben, "ben", "take coin")
    async with background(app, clock), await app.games.listen(ann, "ann", since) as heard:
        assert await texts(heard, 1) == ["Ben takes the gold coin."]
        await app.games.act(ben, "ben", "drop coin")
        await app.games.act(ben, "ben", "north")
        assert await texts(heard, 2) == ["Ben drops the gold coin.", "Ben goes north."]


@pytest.mark.requirement("0.28", "4.40")
async def test_what_no_channel_told_is_heard_from_the_store_and_not_twice_when_it_is_told_late(
    new_worker: Workers, inn: Where, clock: Any
) -> None:
    app = await new_worker()
    ann, ben = await meet(app, inn)
    seat = await app.store.seat(ann, "ann")
    since = (await app.games.game(ann, "ann")).record.version
    async with listening(app.store, seat, since, poll=0.05) as heard:
        await app.games.act(ben, "ben", "take coin")
        assert await texts(heard, 1) == ["Ben takes the gold coin."]
        await background(app, clock).tell()
        await app.games.act(ben, "ben", "drop coin")
        assert await texts(heard, 1) == ["Ben drops the gold coin."]


@pytest.mark.requirement("2.05")
async def test_time_and_beginnings_anew_are_heard(new_worker: Workers, inn: Where, clock: Any) -> None:
    app = await new_worker()
    ann, _ = await meet(app, inn)
    working = background(app, clock)
    await working.clocks()
    async with await app.games.listen(ann, "ann") as heard:
        clock.pass_(hours=3)
        await working.clocks()
        await app.games.reset_world(inn, "operator", "admin")
        await working.tell()
        assert await texts(heard, 2) == ["The bell rings.", "The world begins anew."]


async def test_who_sits_at_the_prompt_too_is_told_and_who_leaves(new_worker: Workers, inn: Where) -> None:
    app = await new_worker()
    ann, ben = [
        await app.store.seat(each, name) for each, name in zip(await meet(app, inn), ("ann", "ben"), strict=True)
    ]
    async with listening(app.store, ann, 9, poll=0.05) as heard:
        waiting = asyncio.create_task(texts(heard, 1))
        async with listening(app.store, ben, 9, poll=0.05) as other:
            assert await texts(other, 1) == ["Ann is here."]
            assert await waiting == ["Ben is here."]
        assert await texts(heard, 1) == ["Ben is away."]
