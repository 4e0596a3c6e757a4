"""The commit path of PostgreSQL when things go wrong: connections that break, values that are refused, writers in each other's way."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from storage import Commit, Conflict, Full, KnownTurn, Progress, StoreAway, StoreError, new_id
from storage.postgres import PostgresStore
from storage.postgres.commits import GroupCommit
from storage.postgres.connections import Connections

pytestmark = pytest.mark.anyio
Make = Callable[..., Any]
KILL = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
async def new_store(database: str) -> AsyncIterator[Callable[[], Awaitable[PostgresStore]]]:
    """Opens another worker's store on the module's database."""
    async with AsyncExitStack() as stack:

        async def new() -> PostgresStore:
            opened = await PostgresStore.open(database)
            stack.push_async_callback(opened.close)
            return opened

        yield new


@pytest.fixture
async def store(new_store: Callable[[], Awaitable[PostgresStore]]) -> PostgresStore:
    return await new_store()


@pytest.fixture
async def admin(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection past the store."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@asynccontextmanager
async def writers(connect: Callable[[], Awaitable[asyncpg.Connection]], **given: Any) -> AsyncGenerator[GroupCommit]:
    commits = GroupCommit(connect, **given)
    try:
        yield commits
    finally:
        await commits.close()


async def keep(store: PostgresStore | GroupCommit, commit: Commit) -> None:
    """Commits a turn; the seats are there from the beginning."""
    await store.commit(replace(commit, seats=()))


def with_text(commit: Commit, text: str) -> Commit:
    return replace(commit, turns=tuple(replace(turn, text=text) for turn in commit.turns))


@pytest.mark.requirement("1.10", "0.36")
async def test_connections_that_are_killed_lose_no_acknowledged_turn_and_double_none(
    store: PostgresStore, admin: asyncpg.Connection, begin: Make, turn: Make
) -> None:
    games = [await begin() for _ in range(20)]
    acknowledged, killed, killer = 0, 0, asyncio.Lock()

    async def play(before: Commit) -> None:
        nonlocal acknowledged, killed
        for number in range(20):
            before = turn(before, f"turn {number}", new_id())
            await keep(store, before)
            acknowledged += 1
            if acknowledged % 50 == 0:
                async with killer:
                    killed += await admin.fetchval(KILL)

    await asyncio.gather(*(play(game) for game in games))
    assert killed >= 7
    for game in games:
        kept = await store.turns(game.game.id)
        assert [each.text for each in kept] == [f"turn {number}" for number in range(20)]
        loaded = await store.load(game.game.id)
        assert loaded is not None
        assert loaded.game.version == 20


@pytest.mark.parametrize(
    "poison",
    [
        pytest.param(lambda commit: with_text(commit, "a\0b"), id="a text that PostgreSQL refuses"),
        pytest.param(lambda commit: with_text(commit, "\ud800"), id="a text that is no Unicode"),
        pytest.param(
            lambda commit: replace(commit, game=commit.game.with_(last=2**70)), id="a number that is too large"
        ),
        pytest.param(
            lambda commit: replace(commit, game=commit.game.with_(head={"x": object()})), id="a head that is no JSON"
        ),
        pytest.param(
            lambda commit: replace(commit, parts={"player": replace(commit.parts["player"], data={"x": "\0"})}),
            id="a part that JSONB refuses",
        ),
    ],
)
async def test_a_commit_that_cannot_be_kept_fails_alone(
    store: PostgresStore, begin: Make, turn: Make, poison: Callable[[Commit], Commit]
) -> None:
    games = [await begin() for _ in range(9)]
    changes = [turn(game) for game in games]
    changes[4] = poison(changes[4])
    results = await asyncio.gather(*(keep(store, each) for each in changes), return_exceptions=True)
    failed = [at for at, result in enumerate(results) if result is not None]
    assert failed == [4]
    assert isinstance(results[4], StoreError)
    assert results[4].hint
    for at, game in enumerate(games):
        assert len(await store.turns(game.game.id)) == (at != 4)


async def test_a_commit_that_fails_leaves_nothing_of_itself(store: PostgresStore, begin: Make, turn: Make) -> None:
    game = await begin()
    before = await store.load(game.game.id)
    with pytest.raises(StoreError):
        await keep(store, with_text(turn(game), "a\0b"))
    assert await store.load(game.game.id) == before
    await keep(store, turn(game))


@pytest.mark.requirement("0.36")
async def test_of_two_workers_that_commit_the_same_version_one_is_told_of_the_conflict(
    new_store: Callable[[], Awaitable[PostgresStore]], begin: Make, turn: Make
) -> None:
    workers = [await new_store(), await new_store()]
    for _ in range(20):
        game = await begin()
        results = await asyncio.gather(
            *(keep(worker, turn(game, str(at), new_id())) for at, worker in enumerate(workers)), return_exceptions=True
        )
        assert [type(each) for each in results if each is not None] == [Conflict]
        kept = await workers[0].turns(game.game.id)
        assert [each.text for each in kept] == [str(results.index(None))]


async def test_of_two_workers_that_commit_the_same_key_one_is_given_the_turn_of_the_other(
    new_store: Callable[[], Awaitable[PostgresStore]], begin: Make, turn: Make
) -> None:
    workers = [await new_store(), await new_store()]
    game = await begin()
    first = turn(game, "first", "key")
    await keep(workers[0], first)
    with pytest.raises(KnownTurn) as known:
        await keep(workers[1], turn(first, "second", "key"))
    assert [each.text for each in known.value.turns] == ["first"]
    assert len(await workers[1].turns(game.game.id)) == 1


async def test_workers_that_write_the_same_players_in_opposite_order_do_not_block_each_other(
    store: PostgresStore, admin: asyncpg.Connection, begin: Make, turn: Make
) -> None:
    games = [[await begin(f"player {number}") for number in range(9)] for _ in range(2)]
    players = [game.seats[0].player for game in games[0]]
    changes = [
        [
            replace(turn(game), progress=(Progress(player, "e", game.seats[0].handle, game.game.updated, turns=1),))
            for game, player in zip(played, order, strict=True)
        ]
        for played, order in zip(games, (players, players[::-1]), strict=True)
    ]
    failures: list[BaseException | None] = []

    async def connect() -> asyncpg.Connection:
        connection = await store.connections.single()
        connection.add_query_logger(lambda query: failures.append(query.exception))
        return connection

    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(writers(connect, lanes=1)) for _ in changes]
        await asyncio.gather(
            *(keep(worker, each) for worker, some in zip(workers, changes, strict=True) for each in some)
        )
        changes = [[replace(turn(before), progress=before.progress) for before in some] for some in changes]
        async with admin.transaction():
            # Both are under way, and wait for a player in the middle or for each other.
            await admin.execute("SELECT FROM progress WHERE player_id = $1 FOR UPDATE", players[4])
            tasks = [
                asyncio.create_task(keep(worker, each))
                for worker, some in zip(workers, changes, strict=True)
                for each in some
            ]
            while await admin.fetchval(WAITING) < 2:
                await asyncio.sleep(0.005)
        await asyncio.gather(*tasks)
    assert failures
    assert not any(failures)
    assert await admin.fetchval("SELECT sum(turns) FROM progress WHERE player_id = ANY($1::uuid[])", players) == 36


async def test_a_full_disk_is_told_as_such_and_passes(
    store: PostgresStore, admin: asyncpg.Connection, begin: Make, turn: Make
) -> None:
    game = await begin()
    await admin.execute("""
        CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$""")
    await admin.execute("CREATE TRIGGER full_disk BEFORE INSERT ON turns EXECUTE FUNCTION full_disk()")
    try:
        with pytest.raises(Full, match="could not extend file"):
            await keep(store, turn(game))
    finally:
        await admin.execute("DROP FUNCTION full_disk CASCADE")
    await keep(store, turn(game))
    assert len(await store.turns(game.game.id)) == 1


@pytest.mark.requirement("0.40")
async def test_a_server_that_is_gone_for_longer_than_the_patience_is_told_as_away(
    tmp_path: Path, begin: Make, turn: Make
) -> None:
    game = await begin()
    async with writers(
        Connections(f"postgresql://rulebound@/rulebound?host={tmp_path}").single, patience=0.2
    ) as commits:
        results = await asyncio.gather(*(keep(commits, turn(game)) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in results] == [StoreAway] * 3


@pytest.mark.requirement("0.40")
async def test_a_server_that_does_not_get_on_for_longer_than_the_patience_is_told_as_away(
    store: PostgresStore, admin: asyncpg.Connection, begin: Make, turn: Make
) -> None:
    game = await begin()
    async with writers(store.connections.single, patience=0.2) as commits:
        async with admin.transaction():
            await admin.execute("LOCK TABLE games")
            with pytest.raises(StoreAway):
                await keep(commits, turn(game))
        await keep(commits, turn(game, "again"))
    assert [each.text for each in await store.turns(game.game.id)] == ["again"]


async def test_a_new_game_does_not_wait_for_an_endless_stream_of_turns(
    store: PostgresStore, begin: Make, turn: Make
) -> None:
    games = [await begin() for _ in range(40)]
    acknowledged, done = 0, asyncio.Event()

    async def stream(commit: Commit) -> None:
        nonlocal acknowledged
        while not done.is_set():
            commit = turn(commit, key=new_id())
            await keep(store, commit)
            acknowledged += 1

    streams = [asyncio.create_task(stream(game)) for game in games]
    while acknowledged < 200:
        await asyncio.sleep(0)
    for _ in range(5):
        before = acknowledged
        await begin()
        assert acknowledged - before < 6 * len(games)
    done.set()
    await asyncio.gather(*streams)


async def test_a_caller_that_gives_up_takes_no_other_along(store: PostgresStore, begin: Make, turn: Make) -> None:
    games = [await begin() for _ in range(6)]
    tasks = [asyncio.create_task(keep(store, turn(game))) for game in games]
    await asyncio.sleep(0)
    tasks[2].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in results if each is not None] == [asyncio.CancelledError]
    kept = [len(await store.turns(game.game.id)) for game in games]
    assert [each for at, each in enumerate(kept) if at != 2] == [1] * 5


async def test_a_store_that_is_closed_finishes_what_was_asked_for(
    new_store: Callable[[], Awaitable[PostgresStore]], store: PostgresStore, begin: Make, turn: Make
) -> None:
    other = await new_store()
    games = [await begin() for _ in range(30)]
    tasks = [asyncio.create_task(keep(other, turn(game))) for game in games]
    await asyncio.sleep(0)
    await other.close()
    await asyncio.gather(*tasks)
    for game in games:
        assert len(await store.turns(game.game.id)) == 1
