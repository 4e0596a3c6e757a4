"""The stores that the contract suite runs against, and records to put into them."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storage import NEW, Commit, GameRecord, MemoryStore, Part, Seat, Store, TurnRecord, new_id
from storage.fenced import FencedStore
from storage.postgres import PostgresStore

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["memory", "postgres", "fenced"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """A store; what a test keeps there belongs to principals of its own."""
    if request.param == "memory":
        yield MemoryStore()
    elif request.param == "fenced":
        urls = request.getfixturevalue("database"), request.getfixturevalue("servers").redis_url
        async with FencedStore.opened(*urls) as fenced:
            yield fenced
    else:
        opened = await PostgresStore.open(request.getfixturevalue("database"))
        yield opened
        await opened.close()


@pytest.fixture
def principal() -> str:
    """Somebody whom no other test knows."""
    return f"ann-{new_id()}"


@pytest.fixture
def begin(store: Store, principal: str) -> Callable[..., Any]:
    """Keeps a new game with one seat; gives the commit that made it."""

    async def make(name: str = "you", **given: Any) -> Commit:
        player = await store.player(principal, name)
        fields: dict[str, Any] = {
            "id": new_id(), "world": "cloak", "commit": "c1", "seed": 7, "version": 0, "hash": "h0",
            "head": {"format": 2}, "updated": BEGIN,
        }  # fmt: skip
        game = GameRecord(**{**fields, **given})
        seat = Seat(new_id(), game.id, player.id, "player", principal, name)
        commit = Commit(game, NEW, {"player": part(0), "lamp": part(1)}, (), (seat,))
        await store.commit(commit)
        return commit

    return make


def part(number: int, **fields: Any) -> Part:
    return Part("thing", "item", {"number": number, "fields": fields}, "hall", (51.5, -0.1), ("lit=yes",))


@pytest.fixture
def turn() -> Callable[..., Commit]:
    """The commit of a next turn, in which the score is written."""

    def make(before: Commit, text: str = "look", key: str = "", **given: Any) -> Commit:
        number = before.game.version + 1
        at = BEGIN + timedelta(seconds=number)
        record = TurnRecord(
            number=number, text=text, commit="c1", inputs={"seed": number}, outcome={"text": f"{text}!"},
            hash_before=f"h{number - 1}", hash_after=f"h{number}", at=at, key=key, instance="player",
            player=before.seats[0].player, undo={"last": number - 1},
        )  # fmt: skip
        after = before.game.with_(version=number, hash=f"h{number}", last=number, updated=at)
        changed = {"player": part(0, score=number)}
        return Commit(after, number - 1, given.pop("parts", changed), (record,), before.seats, **given)

    return make
