"""The first tier: rules, pages, help; no model."""

import pytest

from agents.game import Game
from agents.worlds import Where
from router import route
from rulebound.app import build
from rulebound.settings import Settings
from storage import MemoryStore

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def cloak(tmp_path_factory: pytest.TempPathFactory) -> Game:
    app = build(Settings(tmp_path_factory.mktemp("home")), store=MemoryStore())
    handle, _ = await app.games.start(Where.of("cloak"), "ann", seed=1)
    return await app.games.game(handle, "ann")


@pytest.mark.parametrize("message", ["look", "go west and hang the cloak on the hook", "take", "x cloak"])
async def test_what_the_rules_understand_is_an_action(cloak: Game, message: str) -> None:
    assert route(message, cloak).route == "action"


async def test_a_question_that_pages_answer_cites_them(cloak: Game) -> None:
    decision = route("Where is the brass hook?", cloak)
    assert decision.route == "knowledge"
    assert any(hit.path == "hook.md" for hit in decision.citations)


@pytest.mark.parametrize("message", ["what is it?", "frobnicate the zork", "why does zzyx qqq?", "?", ""])
async def test_everything_else_is_answered_with_help(cloak: Game, message: str) -> None:
    decision = route(message, cloak)
    assert (decision.route, decision.citations) == ("help", ())


async def test_routing_changes_nothing(cloak: Game) -> None:
    before = cloak.state.hash
    route("go west", cloak)
    assert cloak.state.hash == before


async def test_the_scenarios_of_a_world_are_no_answers(cloak: Game) -> None:
    asked = "where can I hang the cloak on a hook to win?"
    assert any(hit.kind == "scenario" for hit in cloak.world.index.search(asked, 30)), "the question is about none"
    decision = route(asked, cloak)
    assert decision.citations
    assert all(hit.kind != "scenario" for hit in decision.citations)
