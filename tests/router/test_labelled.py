"""The router with no model, on messages that its developer has not seen."""

from collections import Counter
from pathlib import Path

import pytest

from agents.access import Principal
from agents.worlds import Where
from evals.data import Labelled, messages
from evals.simulated.hour import Clock
from evals.simulated.table import Table, table

pytestmark = pytest.mark.anyio
TARGET = 0.95
"""What is reached, and may not be lost."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def shown(scored: list[tuple[Labelled, str]]) -> str:
    """Counts alone: who mends the router must not read the messages."""
    confused = Counter((each.route, given) for each, given in scored)
    sources = sorted({each.source for each, _ in scored})
    lines = [
        f"{count:>5}  {meant} taken for {given}" for (meant, given), count in confused.most_common() if meant != given
    ]
    for source in sources:
        own = [each.route == given for each, given in scored if each.source == source]
        lines.append(f"{sum(own):>5} of {len(own):>3} right: {source}")
    return "\n".join(lines)


async def labelled(at: Table, each: Labelled, number: int) -> str:
    """The route that a message takes, said first thing in a new game of its world."""
    principal = f"player-{number}"
    handle, _ = await at.games.start(Where.of(each.world), principal, name=principal, seed=number)
    route = (await at.router.answer(Principal.of(principal, "player"), each.message, handle=handle, key="once")).route
    # Where the rules ask back ("Which lamp?"), they took it for something to do.
    return "action" if route == "question" else route


@pytest.mark.requirement("0.18", "0.34")
async def test_the_router_takes_the_right_route_without_a_model(tmp_path: Path) -> None:
    async with table(tmp_path, "", Clock()) as at:
        scored = [(each, await labelled(at, each, number)) for number, each in enumerate(messages())]
    right = sum(each.route == given for each, given in scored) / len(scored)
    print(f"{right:.1%} are right, the target is {TARGET:.0%}:\n{shown(scored)}")
    assert right >= TARGET, f"{right:.1%} are right:\n{shown(scored)}"
