"""Whether something is allowed in a game: the referee's word, tried and not done, with the lines that decide."""

from pathlib import Path

import pytest

from agents.game import Game
from agents.knowledge_agent import Asker, KnowledgeAgent
from agents.worlds import Where
from evals.scripted import Answer
from rulebound.app import App, build
from rulebound.settings import Settings
from storage import MemoryStore
from tests.knowledge_agent.conftest import Bench, claims, passage

pytestmark = pytest.mark.anyio


@pytest.fixture
async def app(tmp_path: Path) -> App:
    return build(Settings(tmp_path / "home"), store=MemoryStore())


async def playing(app: App, world: str) -> Game:
    handle, _ = await app.games.start(Where.of(world), "ann", seed=1)
    return await app.games.game(handle, "ann")


@pytest.mark.requirement("0.12", "0.14")
@pytest.mark.parametrize(
    ("world", "statement", "verdict", "cited"),
    [
        ("cloak", "go west", "valid", "shared/adventure/go.md"),
        ("cloak", "May I go west?", "valid", "shared/adventure/go.md"),
        ("cloak", "can I go up?", "invalid", "shared/adventure/go.md"),
        ("cloak", "take the cloak", "invalid", "shared/adventure/take.md"),
        ("lending-desk", "renew l 4", "valid", "rules/"),
    ],
)
async def test_what_the_rules_understand_the_referee_decides_with_no_call(
    app: App, bench: Bench, world: str, statement: str, verdict: str, cited: str
) -> None:
    game = await playing(app, world)
    found = await bench.agent.validate(Asker.of(game), statement, game)
    assert (found.verdict, found.tier, found.model_calls) == (verdict, "rules", 0)
    assert found.citations
    for each in found.citations:
        page = game.world.index.sections(each.path)
        assert each.path.startswith(cited)
        assert page is not None
        assert (page.heading(each.line), each.commit) == (each.heading, game.world.commit)
    assert not bench.server.requests


@pytest.mark.requirement("0.14")
async def test_a_refusal_cites_the_line_that_refused(app: App) -> None:
    game = await playing(app, "cloak")
    found = await KnowledgeAgent(None).validate(Asker.of(game), "take the cloak", game)
    (line,) = found.citations
    page = game.world.index.read(line.path, first=line.line, characters=200)
    assert page is not None
    assert "item.location == player.id" in page.text.splitlines()[0]
    assert found.text == "No: You have that already."


async def test_validating_does_nothing_and_tells_nothing_of_what_would_come(app: App) -> None:
    game = await playing(app, "cloak")
    found = await KnowledgeAgent(None).validate(Asker.of(game), "go west", game)
    assert "Cloakroom" not in found.text
    again = await app.games.game(game.seat.handle, "ann")
    assert (again.record.version, again.state.hash) == (0, game.state.hash)


async def test_what_is_no_action_is_left_to_the_pages_and_the_model(app: App, bench: Bench) -> None:
    game = await playing(app, "cloak")
    bench.says(
        lambda asked: claims(
            ("The hook is screwed to the wall.", [passage(asked, "A small brass hook")]), verdict="valid"
        )
    )
    found = await bench.agent.validate(Asker.of(game), "The hook is screwed to the wall.", game)
    assert (found.verdict, found.citations[0].path) == ("valid", "hook.md")
    assert len(bench.server.requests) == 1


@pytest.mark.requirement("0.12", "0.15")
async def test_what_a_player_perceives_is_told_to_the_model_and_counts_without_a_citation(
    app: App, bench: Bench
) -> None:
    game = await playing(app, "cloak")
    bench.says(lambda _: claims(("You carry the velvet cloak.", [0]), ("You carry a brass lamp.", [0])))
    found = await bench.agent.interpret(Asker.of(game), "What do I carry?", game)
    assert (found.text, found.citations) == ("You carry the velvet cloak.", ())
    (prompt,) = bench.prompts
    assert "inventory: velvet cloak" in prompt


@pytest.mark.requirement("0.16")
async def test_an_answer_about_a_state_is_not_given_for_another(app: App, bench: Bench) -> None:
    game = await playing(app, "cloak")
    bench.says(lambda asked: claims(("You are in the Foyer of the Opera House.", [0])))
    where = "Where am I?"
    await bench.agent.interpret(Asker.of(game), where, game)
    assert (await bench.agent.interpret(Asker.of(game), where, game)).tier == "cache"
    await app.games.act(game.seat.handle, "ann", "go west")
    moved = await app.games.game(game.seat.handle, "ann")
    bench.says(lambda _: Answer('{"sentences": []}'))
    found = await bench.agent.interpret(Asker.of(moved), where, moved)
    assert "Foyer of the Opera House." not in [each.text for each in found.sentences]
    assert len(bench.server.requests) == 2
