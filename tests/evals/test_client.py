"""A client from outside plays scenarios on a server in a process of its own, over the real protocol."""

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from agents.models.client import Client
from agents.models.configuration import Configuration
from agents.worlds import Where
from evals.attempts import Attempt
from evals.cases import Case, Expect
from evals.environment import Environment, environments, scenarios_of, where_of
from evals.scoring import Verdict, verdict
from evals.scripted import Answer, Call, Conversation, serving
from evals.solvers import Needs, SolverError, opened
from evals.solvers.client import FromOutside, running
from kb import library
from storage.embedded import Servers

pytestmark = pytest.mark.anyio
WEST = Case("west", "cloak", task="Go to the cloakroom.", gold=("west",), expect=Expect(state="gold"))
SAMPLE = {
    "cloak": {"step-05", "step-16"},
    "commons": {"bell", "bread"},  # a world that players share
    "lending-desk": {"staff", "not-staff", "late-return"},  # a role that only an operator gives
    "rock-paper-scissors": {"won"},  # begins with what only the rules can set; dice
    "tavern": {"bounties"},
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def sample(folder: Path) -> list[Case]:
    """Scenarios of bundled worlds, and of one that the evaluator has in a folder."""
    own = folder / "own"
    shutil.copytree(library.worlds()["rock-paper-scissors"], own)
    found = [c for world, ids in SAMPLE.items() for c in scenarios_of(Where.of(world)) if c.id in ids]
    assert Counter(each.world for each in found) == {world: len(ids) for world, ids in SAMPLE.items()}
    own_won = [each for each in scenarios_of(Where.of(str(own))) if each.id == "won"]
    return [replace(each, id=f"{number}") for number, each in enumerate((*found, *own_won))]


async def test_a_client_plays_what_the_rules_play_and_a_model_what_the_server_offers(
    tmp_path: Path, servers: Servers, fresh_database: str
) -> None:
    cases = sample(tmp_path)
    places = environments(cases)
    async with running(tmp_path / "home", fresh_database, servers.redis_url) as served:
        for case in cases:
            attempt, found = await played(FromOutside(served, None), case, places[where_of(case)])
            assert found.solved, (case.world, case.id, found)
            assert len(attempt.states) == len(case.turns) + 1
            assert [each.executed for each in attempt.steps] == [()] * len(case.turns)

        at = places[where_of(WEST)]
        for expect, solved in ((Expect(state="gold"), True), (Expect(state="unchanged"), False)):
            _, found = await played(FromOutside(served, None), replace(WEST, expect=expect), at)
            assert found.solved is solved, "it is the server's state that is looked at"

        player = Player()
        with serving(player) as scripted:
            async with Client(Configuration.one(url=f"{scripted.url}/v1", model="scripted")) as model:
                attempt, found = await played(FromOutside(served, model), WEST, at)
        assert found.solved, found
        assert {"start", "act", "observe", "why", "finish"} <= set(player.offered)
        assert [each.status for each in attempt.steps] == ["answered", "refused", "done", "answered"]
        assert "no game" in attempt.steps[1].lines[0]
        assert found.figures["calls"] == 4


async def played(solver: FromOutside, case: Case, at: Environment) -> tuple[Attempt, Verdict]:
    attempt = await solver.solve(case, at, 1)
    return attempt, verdict(case, attempt, at)


class Player:
    """A model that looks, tries another's game, and goes west in its own."""

    def __init__(self) -> None:
        self.handle, self.offered, self._said = "", tuple[str, ...](), 0

    def __call__(self, conversation: Conversation) -> Answer:
        self.offered = conversation.tools
        self.handle = self.handle or conversation.messages[0].text.partition("handle: ")[2].split()[0]
        steps = (
            Call("observe", {"handle": self.handle}, "a"),
            Call("act", {"handle": "0" * 32, "text": "west"}, "b"),
            Call("act", {"handle": self.handle, "text": "west"}, "c"),
            Call("finish", {"outcome": "done", "text": "There."}, "d"),
        )
        self._said += 1
        return Answer("", (steps[self._said - 1],))


async def test_another_revision_is_not_what_a_server_serves(tmp_path: Path) -> None:
    with pytest.raises(SolverError, match="no other revision"):
        async with opened("client", Needs(None, tmp_path, revision="HEAD~1")):
            pass
