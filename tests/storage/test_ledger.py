"""One contract for the ledger of models' calls: in memory and in PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from storage import new_id
from storage.ledger import EVERYBODY, CallRecord, Ledger, Limits, MemoryLedger, Spent
from storage.postgres import PostgresStore

pytestmark = pytest.mark.anyio
DAY = date(2026, 1, 1)
NONE = Limits()


@pytest.fixture(params=["memory", "postgres"])
async def ledger(request: pytest.FixtureRequest) -> AsyncIterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    store = await PostgresStore.open(request.getfixturevalue("fresh_database"))
    yield store.ledger
    await store.close()


def call(**given: Any) -> CallRecord:
    fields: dict[str, Any] = {
        "id": new_id(), "at": datetime(2026, 1, 1, 12, tzinfo=UTC), "principal": "ann", "purpose": "test", "provider": "p",
        "model": "m", "outcome": "ok", "input_tokens": 10, "output_tokens": 5, "cached_tokens": 0, "cost": 0.25,
        "seconds": 0.1, "day": DAY,
    }  # fmt: skip
    return CallRecord(**fields | given)


@pytest.mark.requirement("4.48")
async def test_calls_and_money_are_reserved_until_the_principals_or_everybodys_limit(ledger: Ledger) -> None:
    one = Spent(1, 0.5)
    for limits in ((Limits(calls=2), NONE), (NONE, Limits(cost=1.0))):
        who, day = new_id(), date(2026, 1, 2) if limits[1] == NONE else date(2026, 1, 3)
        assert [(await ledger.reserve(day, who, one, *limits)).fits for _ in range(3)] == [True, True, False]
        assert (await ledger.spent(day))[who] == Spent(2, 1.0)
        assert (await ledger.spent(day))[EVERYBODY] == Spent(2, 1.0)
    other = await ledger.reserve(date(2026, 1, 2), "bob", one, Limits(calls=2), NONE)
    assert (other.fits, other.day, other.principal) == (False, Spent(2, 1.0), Spent())


@pytest.mark.requirement("4.48", "0.44")
async def test_a_call_is_settled_once_with_what_it_really_took(ledger: Ledger) -> None:
    assert (await ledger.reserve(DAY, "ann", Spent(1, 2.0), NONE, NONE)).fits
    made = call(reserved=Spent(1, 2.0))
    await ledger.record([made, call(principal="bob", cost=1.0)])
    await ledger.record([made])
    await ledger.record([])
    assert await ledger.spent(DAY) == {EVERYBODY: Spent(2, 1.25), "ann": Spent(1, 0.25), "bob": Spent(1, 1.0)}
    assert await ledger.spent(date(2027, 1, 1)) == {}


@pytest.mark.requirement("4.48")
async def test_of_many_who_want_the_last_calls_at_once_no_more_get_them_than_there_are(ledger: Ledger) -> None:
    found = await asyncio.gather(
        *(ledger.reserve(DAY, f"p{n % 3}", Spent(1, 0.1), Limits(calls=5), NONE) for n in range(20))
    )
    assert sum(each.fits for each in found) == 5
    assert (await ledger.spent(DAY))[EVERYBODY].calls == 5


@pytest.mark.requirement("1.21", "0.44")
async def test_whoever_is_erased_is_in_no_call_and_no_sum_any_more(fresh_database: str) -> None:
    store = await PostgresStore.open(fresh_database)
    player = await store.player("ann", "Ann")
    await store.ledger.record([call(), call(principal="bob")])
    await store.erase(player.id, "Ann", "operator")
    rows = await store.connections.fetch("SELECT principal FROM model_calls ORDER BY principal")
    assert [row[0] for row in rows] == ["", "bob"]
    assert await store.ledger.spent(DAY) == {EVERYBODY: Spent(2, 0.5), "bob": Spent(1, 0.25)}
    await store.close()
