"""A database that goes away under its users: who waits, for how long, and what brings it back."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg
import pytest

from benchmarks.chaos.servers import Relay
from storage import Commit, StoreAway, new_id
from storage.embedded import ServiceError
from storage.postgres import PostgresStore, audit
from storage.postgres.commits import GroupCommit
from storage.postgres.connections import Connections
from storage.reviving import Reviver

pytestmark = pytest.mark.anyio


class Way:
    """A way to the database that can be cut."""

    def __init__(self, url: str, folder: Path):
        there = urlsplit(url)
        name = ".s.PGSQL.5432"
        self.relay = Relay(Path(parse_qs(there.query)["host"][0]) / name, folder / name)
        self.url = there._replace(query=f"host={quote(str(folder))}&port=5432").geturl()


@pytest.fixture
async def way(database: str) -> AsyncIterator[Way]:
    with tempfile.TemporaryDirectory(prefix="rb-") as folder:
        way = Way(database, Path(folder))
        await way.relay.heal()
        yield way
        await way.relay.cut()


@pytest.fixture
async def store(database: str) -> AsyncIterator[PostgresStore]:
    opened = await PostgresStore.open(database)
    yield opened
    await opened.close()


@pytest.mark.requirement("2.13", "4.38")
async def test_a_reader_waits_for_a_database_that_comes_back_in_time(way: Way) -> None:
    connections = Connections(way.url, patience=30)
    assert await connections.value("SELECT 1") == 1
    await way.relay.cut()
    asked = asyncio.create_task(connections.value("SELECT 2"))
    await asyncio.wait({asked}, timeout=0.1)
    assert not asked.done()
    await way.relay.heal()
    assert await asked == 2
    await connections.close()


@pytest.mark.requirement("2.13", "2.14")
async def test_nobody_waits_for_a_database_that_is_known_to_be_away_and_it_heals_by_itself(way: Way) -> None:
    tried: list[int] = []

    async def work() -> int:
        tried.append(1)
        await asyncio.sleep(0)
        raise ConnectionRefusedError

    connections = Connections(way.url, patience=0.5)
    await way.relay.cut()
    with pytest.raises(StoreAway):
        await connections.value("SELECT 1")
    answers = await asyncio.gather(*(connections.patiently(work) for _ in range(50)), return_exceptions=True)
    assert all(isinstance(each, StoreAway) for each in answers)
    assert len(tried) == 1, "one tries whether it is back, and the others are told at once"
    await way.relay.heal()
    assert await connections.value("SELECT 1") == 1
    assert await asyncio.gather(*(connections.value("SELECT 1") for _ in range(3))) == [1] * 3
    await connections.close()


async def test_an_entry_of_the_audit_whose_answer_was_lost_is_kept_once(database: str) -> None:
    class Lossy(Connections):
        async def fetch(self, query: str, *values: Any) -> list[asyncpg.Record]:
            await super().fetch(query, *values)
            return await super().fetch(query, *values)

    connections, player = Lossy(database), new_id()
    await audit.append(connections, "operator", "reset", player)
    assert len(await audit.entries(connections, player)) == 1
    await connections.close()


async def test_a_crowd_that_waits_too_long_does_not_keep_others_from_a_database_that_answers(database: str) -> None:
    connections = Connections(database, size=1, patience=0.5)
    assert await connections.value("SELECT 1") == 1
    busy = asyncio.create_task(connections.run(lambda connection: connection.fetch("SELECT pg_sleep(1.5)")))
    await asyncio.sleep(0)
    with pytest.raises(StoreAway):
        await connections.value("SELECT 1")
    await busy
    assert await asyncio.gather(*(connections.value("SELECT 1") for _ in range(3))) == [1] * 3
    await connections.close()


async def test_a_store_opens_as_soon_as_the_database_is_there(way: Way) -> None:
    await way.relay.cut()
    opening = asyncio.create_task(PostgresStore.open(way.url))
    await asyncio.wait({opening}, timeout=0.1)
    await way.relay.heal()
    await (await opening).close()


async def test_whatever_befalls_the_guard_of_a_commit_it_is_kept_once_the_guard_is_well(
    database: str, store: PostgresStore, begin: Callable[..., Any], turn: Callable[..., Commit]
) -> None:
    class Guard:
        troubles = [ServiceError("a server hangs"), OSError("no file"), StoreAway("away")]

        async def begin(self, commits: Sequence[Commit]) -> Any:
            if self.troubles:
                raise self.troubles.pop()
            return self

        async def settle(self, marks: Any, kept: Any, refused: Any, fence: Any, asked: float) -> None:
            return

        deadline = float("inf")

    connections = Connections(database)
    commits = GroupCommit(connections.single, Guard())
    before = await begin()
    await commits.commit(replace(turn(before, key="k"), seats=()))
    assert [each.key for each in await store.turns(before.game.id)] == ["k"]
    await commits.close()


async def test_a_commit_whose_guard_stays_away_is_refused_when_the_patience_is_over(
    database: str, begin: Callable[..., Any], turn: Callable[..., Commit]
) -> None:
    class Away:
        async def begin(self, commits: Sequence[Commit]) -> Any:
            raise StoreAway("the fence does not answer")

        async def settle(self, marks: Any, kept: Any, refused: Any, fence: Any, asked: float) -> None:
            raise AssertionError("nothing was begun")

    connections = Connections(database)
    commits = GroupCommit(connections.single, Away(), patience=0.05)
    with pytest.raises(StoreAway, match="the fence does not answer"):
        await commits.commit(replace(turn(await begin()), seats=()))
    await commits.close()


async def test_a_crowd_that_misses_a_server_starts_it_once() -> None:
    starts, go = asyncio.Queue[int](), asyncio.Event()

    async def start() -> None:
        starts.put_nowait(1)
        await go.wait()

    revive = Reviver(start)
    for _ in range(50):
        revive()
        await asyncio.sleep(0)
    assert starts.qsize() == 1
    go.set()
    while starts.qsize() == 1:  # whoever misses it later asks anew
        revive()
        await asyncio.sleep(0)


async def test_why_a_server_cannot_be_started_is_told_with_what_it_is_missed_for(tmp_path: Path) -> None:
    async def start() -> None:
        raise ServiceError("there is no room")

    url = f"postgresql://rulebound@/rulebound?host={quote(str(tmp_path))}"
    connections = Connections(url, Reviver(start), patience=0.05)
    with pytest.raises(StoreAway, match="there is no room"):
        await connections.value("SELECT 1")
