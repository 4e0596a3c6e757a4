"""Simulated play: what the router does is what the rules alone would do with the same commands, at a fraction of the calls."""

from pathlib import Path

import pytest

from agents.worlds import Where
from evals.data import WORLDS
from evals.scripted import serving
from evals.simulated.hour import Clock, Hour
from evals.simulated.knowing import Knowing
from evals.simulated.table import table

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.requirement("4.23")
async def test_games_end_as_by_the_rules_alone_with_few_calls(tmp_path: Path) -> None:
    knowing, clock = Knowing(), Clock()
    with serving(knowing) as server:
        async with table(tmp_path, server.url, clock) as at:
            play = Hour(at.store, at.games, at.say, knowing, clock)
            report = await play.run([Where.of(each) for each in WORLDS], players=20, minutes=15)
        assert report.calls == len(server.requests), "the answers count other calls than the server"
    assert report.messages > 250
    assert report.differing == []
    assert report.missed == []
    assert report.tiers["call"] > 5
    assert report.saved >= 0.7, "with so few players hardly a question is asked twice"
