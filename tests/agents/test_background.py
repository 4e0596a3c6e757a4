"""What runs between turns: clocks that are due, and telling others, each done by whichever worker comes first."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agents.background import Background
from agents.game import GameError
from agents.worlds import Where
from rulebound.app import App
from storage import Trouble
from storage.channels import Channels, ChannelsAway, LocalChannels

pytestmark = pytest.mark.anyio


def background(app: App, clock: Any, channels: Channels | None = None) -> Background:
    return Background(app.games, app.store.work, channels or app.store.channels, now=clock)


async def rung(app: App, handle: str, principal: str = "ann") -> int:
    return (await app.games.game(handle, principal)).state.rows["world"]["rung"]


@pytest.mark.requirement("0.28")
async def test_a_clock_that_is_due_runs_without_anybody_saying_anything(
    new_worker: Callable[[], Awaitable[App]], inn: Where, clock: Any
) -> None:
    app = await new_worker()
    handle, _ = await app.games.start(inn, "ann", name="Ann")
    bells = background(app, clock)
    await bells.clocks()
    assert await rung(app, handle) == 0
    for hours in (3, 6):
        clock.pass_(hours=3)
        assert await bells.clocks() == 1
        assert await bells.clocks() == 0
        assert await rung(app, handle) == hours // 3
    (heard,) = (await app.games.observe(handle, "ann", (await app.games.game(handle, "ann")).record.version - 1))[
        "since"
    ]
    assert heard["text"] == "The bell rings."


async def test_a_world_that_slept_for_days_catches_up_once(
    new_worker: Callable[[], Awaitable[App]], inn: Where, clock: Any
) -> None:
    app = await new_worker()
    handle, _ = await app.games.start(inn, "ann")
    await background(app, clock).clocks()
    clock.pass_(days=3)
    assert await background(app, clock).clocks() == 1
    assert await background(app, clock).clocks() == 0
    assert await rung(app, handle) == 24


@pytest.mark.requirement("2.01")
@pytest.mark.parametrize("own_database", ["servers"], indirect=True)
async def test_two_workers_never_run_one_clock_twice(
    new_worker: Callable[[], Awaitable[App]], inn: Where, clock: Any
) -> None:
    apps = [await new_worker(), await new_worker()]
    handle, _ = await apps[0].games.start(inn, "ann")
    await background(apps[0], clock).clocks()
    for rings in range(1, 6):
        clock.pass_(hours=3)
        ran = await asyncio.gather(*(background(app, clock).clocks() for app in apps * 3))
        assert sum(ran) == 1
        assert await rung(apps[rings % 2], handle) == rings


@pytest.mark.parametrize("own_database", ["servers"], indirect=True)
async def test_a_clock_whose_worker_died_is_run_by_another_when_the_lease_is_over(
    new_worker: Callable[[], Awaitable[App]], inn: Where, clock: Any
) -> None:
    one, other = await new_worker(), await new_worker()
    handle, _ = await one.games.start(inn, "ann")
    await background(one, clock).clocks()
    clock.pass_(hours=3)
    assert len(await one.store.work.due(clock(), 10, 60)) == 1  # and then the worker is gone
    clock.pass_(seconds=59)
    assert await background(other, clock).clocks() == 0
    clock.pass_(seconds=1)
    assert await background(other, clock).clocks() == 1
    assert await rung(other, handle) == 1


async def test_a_clock_that_cannot_run_is_given_up_after_ten_times_and_listed_until_it_is_retried(
    new_worker: Callable[[], Awaitable[App]], inn: Where, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await new_worker()
    handle, _ = await app.games.start(inn, "ann")
    await background(app, clock).clocks()

    async def fail(game: str) -> None:
        raise GameError("The kept game cannot be read", "Mend it.")

    trouble: Trouble | None = None
    with monkeypatch.context() as broken:
        broken.setattr(app.games, "tick", fail)
        for attempt in range(1, 11):
            clock.pass_(hours=3)
            await background(app, clock).clocks()
            (trouble,) = await app.store.work.troubles()
            assert (trouble.attempts, trouble.dead) == (attempt, attempt == 10)
    assert trouble is not None
    assert trouble.error == "GameError: The kept game cannot be read"
    clock.pass_(hours=3)
    assert await background(app, clock).clocks() == 0
    assert await app.store.work.retry(clock()) == 1
    assert await background(app, clock).clocks() == 1
    assert await app.store.work.troubles() == []
    assert await rung(app, handle) == 11


async def test_the_clock_of_a_world_of_ones_own_stops_an_hour_after_the_last_turn_and_the_next_one_catches_up(
    new_worker: Callable[[], Awaitable[App]], inn: Where, clock: Any
) -> None:
    page = Path(inn.location) / "world.md"
    page.write_text(page.read_text(encoding="utf-8").replace("world: shared\n", ""), encoding="utf-8")
    app = await new_worker()
    handle, _ = await app.games.start(inn, "ann")
    ran = 0
    for _ in range(9):
        ran += await background(app, clock).clocks()
        clock.pass_(hours=1)
    assert (ran, await rung(app, handle)) == (2, 0)
    await app.games.act(handle, "ann", "wait")
    assert await rung(app, handle) == 3


class Channel(LocalChannels):
    """Where messages are published: it may be away, and may not take some (by their text)."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[dict[str, Any]] = []
        self.names: set[str] = set()
        self.away = False
        self.refused = ""

    async def say(self, channel: str, data: dict[str, Any]) -> None:
        if self.away:
            raise ChannelsAway("nobody answers")
        if data["text"] == self.refused:
            raise ValueError("too long")
        await super().say(channel, data)
        if channel.startswith("user:"):
            self.names.add(channel)
            self.heard.append(data)


async def meet(app: App, inn: Where) -> list[str]:
    """Ann and Ben in the hall."""
    return [(await app.games.start(inn, each, name=each.title()))[0] for each in ("ann", "ben")]


@pytest.mark.requirement("2.04", "2.05", "4.40")
async def test_what_others_are_told_is_published_in_order_once_the_turn_is_kept(
    new_worker: Callable[[], Awaitable[App]], inn: Where, clock: Any
) -> None:
    app, channel = await new_worker(), Channel()
    ann, ben = await meet(app, inn)
    for line in ("take coin", "north"):
        await app.games.act(ben, "ben", line)
    clocks = background(app, clock, channel)
    await clocks.tell()
    assert await clocks.tell() == 0
    player = (await app.store.seat(ann, "ann")).player
    assert channel.names == {f"user:{player}"}
    assert [(each["type"], each["text"]) for each in channel.heard] == [
        ("player_move", "Ben comes."),
        ("player_message", "Ben takes the gold coin."),
        ("player_message", "Ben goes north."),
    ]
    assert not any("player-" in str(each) for each in channel.heard)


@pytest.mark.requirement("4.40")
async def test_nothing_is_lost_while_the_channel_is_away(
    new_worker: Callable[[], Awaitable[App]], inn: Where, clock: Any
) -> None:
    app, channel = await new_worker(), Channel()
    _, ben = await meet(app, inn)
    channel.away = True
    telling = background(app, clock, channel)
    for _ in range(20):
        await app.games.act(ben, "ben", "north")
        await app.games.act(ben, "ben", "south")
        with pytest.raises(ChannelsAway):
            await telling.tell()
        clock.pass_(minutes=5)
    channel.away = False
    await telling.tell()
    numbers = [each["turn"] for each in channel.heard]
    assert len(numbers) == 1 + 40
    assert numbers == sorted(numbers)
    assert await app.store.work.troubles() == []


@pytest.mark.requirement("4.40")
async def test_a_message_that_cannot_be_published_holds_back_its_game_alone_and_is_given_up_and_retried(
    new_worker: Callable[[], Awaitable[App]], inn: Where, clock: Any, tmp_path: Path
) -> None:
    app, channel = await new_worker(), Channel()
    _, ben = await meet(app, inn)
    telling = background(app, clock, channel)
    await telling.tell()
    await app.games.act(ben, "ben", "north")
    bad, *_ = await app.store.work.untold(clock(), 10, 0)
    channel.refused = bad.told.payload["text"]
    await app.games.act(ben, "ben", "south")
    for attempt in range(1, 11):
        before = len(channel.heard)
        await telling.tell()
        assert len(channel.heard) == before
        (trouble,) = await app.store.work.troubles()
        assert (trouble.attempts, trouble.dead, trouble.error) == (attempt, attempt == 10, "ValueError: too long")
        clock.pass_(minutes=5)
    await telling.tell()
    channel.refused = ""
    assert await app.store.work.retry(clock()) == 1
    assert await telling.tell() == 1
    assert [each["text"] for each in channel.heard[1:]] == ["Ben comes in.", "Ben goes north."]


@pytest.mark.parametrize("own_database", ["servers"], indirect=True)
async def test_messages_of_a_worker_that_died_are_published_by_another_in_order(
    new_worker: Callable[[], Awaitable[App]], inn: Where, clock: Any
) -> None:
    one, other, channel = await new_worker(), await new_worker(), Channel()
    _, ben = await meet(one, inn)
    assert len(await one.store.work.untold(clock(), 100, 60)) == 1  # and then the worker is gone
    await other.games.act(ben, "ben", "north")
    assert await background(other, clock, channel).tell() == 0
    clock.pass_(seconds=60)
    assert await background(other, clock, channel).tell() == 4
    assert [each["text"] for each in channel.heard] == ["Ben comes.", "Ben goes north."]


@pytest.mark.parametrize("own_database", ["servers"], indirect=True)
async def test_two_workers_publish_each_message_once_and_in_order(
    new_worker: Callable[[], Awaitable[App]], inn: Where, clock: Any
) -> None:
    apps, channel = [await new_worker(), await new_worker()], Channel()
    _, ben = await meet(apps[0], inn)

    async def walk() -> None:
        for number in range(30):
            await apps[number % 2].games.act(ben, "ben", ("north", "south")[number % 2])

    async def relay(app: App, walking: asyncio.Task[None]) -> None:
        while not walking.done():
            await background(app, clock, channel).tell()

    walking = asyncio.create_task(walk())
    await asyncio.gather(walking, *(relay(app, walking) for app in apps))
    for _ in range(2):
        await background(apps[0], clock, channel).tell()
    numbers = [each["turn"] for each in channel.heard]
    assert len(numbers) == len(set(numbers)) == 31
    assert numbers == sorted(numbers)


async def test_after_a_commit_it_is_told_at_once(
    new_worker: Callable[[], Awaitable[App]], inn: Where, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await new_worker()
    monkeypatch.setattr("agents.background.POLL", 3600)
    player = await app.store.player("ann", "Ann")
    async with background(app, clock), app.store.channels.listen(f"user:{player.id}") as news:
        await meet(app, inn)
        heard = await asyncio.wait_for(anext(news), 20)
    assert heard is not None
    assert heard["text"] == "Ben comes."


async def test_an_undo_takes_back_what_time_did_since_and_time_does_it_again_once(
    new_worker: Callable[[], Awaitable[App]], inn: Where, clock: Any
) -> None:
    page = Path(inn.location) / "world.md"
    page.write_text(page.read_text(encoding="utf-8").replace("world: shared\n", ""), encoding="utf-8")
    bell = Path(inn.location) / "bell.md"
    bell.write_text(bell.read_text(encoding="utf-8").replace("3 hours", "20 minutes"), encoding="utf-8")
    app = await new_worker()
    handle, _ = await app.games.start(inn, "ann")
    clocks = background(app, clock)
    await clocks.clocks()
    with pytest.raises(GameError, match="nothing to undo"):
        await app.games.undo(handle, "ann")
    clock.pass_(minutes=19)
    await app.games.act(handle, "ann", "take coin")
    for _ in range(2):
        clock.pass_(minutes=20)
        await clocks.clocks()
    assert await rung(app, handle) == 2
    undone = await app.games.undo(handle, "ann")
    assert (undone.text, await rung(app, handle)) == ("Undone: take coin.", 0)
    await clocks.clocks()
    await clocks.clocks()
    assert await rung(app, handle) == 2
    assert (await app.games.observe(handle, "ann"))["perceived"]["inventory"] == []
    with pytest.raises(GameError, match="nothing to undo"):
        await app.games.undo(handle, "ann")
