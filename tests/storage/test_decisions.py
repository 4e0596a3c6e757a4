"""How messages were answered is kept once, summed by way, and forgotten after thirty days."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from storage import Store, new_id
from storage.decisions import Decision
from storage.postgres import PostgresStore

pytestmark = pytest.mark.anyio
EVER = datetime(2026, 1, 1, tzinfo=UTC)


def decision(route: str = "action", at: datetime = EVER, **given: float) -> Decision:
    numbers = {"seconds": 0.2, "routing": 0.1, "calls": 1, "cost": 0.001, "full": 0.002} | given
    return Decision(new_id(), at, route, "call", "call", "a model read it", "cloak", "", **numbers)


@pytest.mark.requirement("0.19")
async def test_decisions_are_summed_by_their_way(store: Store) -> None:
    far = EVER + timedelta(seconds=uuid4().int % 10**9)  # apart from what the other stores of the database keep
    mine, yours = new_id(), new_id()
    one = decision(mine, at=far)
    await store.decisions.add([one, decision(yours, at=far, seconds=0.4), decision(yours, at=far)])
    await store.decisions.add([one])
    found = [each for each in await store.decisions.shares(far) if each.route in (mine, yours)]
    assert [(each.route, each.messages, each.calls) for each in found] == [(yours, 2, 2), (mine, 1, 1)]
    assert found[0].seconds == pytest.approx(0.3)
    assert (found[0].cost, found[0].full) == (pytest.approx(0.002), pytest.approx(0.004))
    later = await store.decisions.shares(far + timedelta(seconds=1))
    assert not {mine, yours} & {each.route for each in later}
    await store.decisions.add([])


async def test_decisions_are_forgotten_after_thirty_days(fresh_database: str) -> None:
    store = await PostgresStore.open(fresh_database)
    await store.decisions.add([decision("help")])
    await store.decisions.add([decision("team", at=EVER + timedelta(days=31))])
    assert [each.route for each in await store.decisions.shares(EVER)] == ["team"]
    await store.close()
