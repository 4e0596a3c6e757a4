"""How each message was answered is counted, kept, and lost without harm."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from evals.scripted import Answer
from router.decisions import MOST, Estimate, Recorder, distribution
from storage import StoreAway, new_id
from storage.decisions import Decision, MemoryDecisions

pytestmark = pytest.mark.anyio


def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.requirement("0.19", "4.23", "4.24")
async def test_each_message_is_kept_with_its_way_and_what_it_would_have_cost(table: Any):
    async with table(lambda _: Answer("Hello.")) as t:
        async with t.decisions:
            for message in ("go west", "heya, marvellous evening, my dear", "go east"):
                await t.say(message)
        told = await distribution(t.app.store.decisions, now)
        assert (told["messages"], told["calls"]) == (3, 1)
        assert told["tiers"] == {"rules": 0.6667, "call": 0.3333}
        assert [(each["route"], each["stage"]) for each in told["ways"]] == [("action", "rules"), ("direct", "call")]
        assert all(each["milliseconds"] >= each["routing_milliseconds"] > 0 for each in told["ways"])
        kept = t.app.store.decisions.kept
        assert all(each.reason and each.world for each in kept)
        assert "ann" not in repr(kept), "no decision names a player"
        shown = t.decisions.render({"hit": 2})
        assert 'router_messages_total{route="action",tier="rules",stage="rules"} 2' in shown
        assert "router_saved_total 2" in shown
        assert 'router_cache_total{result="hit"} 2' in shown


def test_a_full_call_is_estimated_by_the_calls_there_were():
    estimate = Estimate(2.0, 10.0)
    assert estimate.full == pytest.approx(0.0036)  # 1,500 tokens in and 60 out
    estimate.learn(0.01)
    assert estimate.full == 0.01
    estimate.learn(0.03)
    assert estimate.full == pytest.approx(0.02)


class Shut(MemoryDecisions):
    """A store that is away."""

    async def add(self, decisions: Sequence[Decision]) -> None:
        raise StoreAway("gone")


def decision() -> Decision:
    return Decision(new_id(), now(), "help", "rules", "label", "why", "w", "", 0.1, 0.1, 0, 0.0, 0.0)


async def test_what_cannot_be_kept_waits_and_is_then_dropped_and_counted():
    recorder = Recorder(Shut())
    for _ in range(MOST + 5):
        recorder.add(decision())
    await recorder.flush()
    assert recorder.dropped == 5
    assert "router_decisions_dropped_total 5" in recorder.render()


async def test_nobody_was_asked_anything():
    assert (await distribution(MemoryDecisions(), now))["tiers"] == {}
