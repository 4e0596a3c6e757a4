"""Players that play by themselves."""

import random
from datetime import UTC, datetime

import pytest

from agents.worlds import Where, World
from evals.simulated.players import HostilePlayer, Player, RandomPlayer, mangled
from kb.referee import Inputs
from kb.understand import Dialogue


@pytest.fixture(scope="module", params=["cloak", "lending-desk"])
def world(request: pytest.FixtureRequest) -> World:
    return World.open(Where(request.param))


def play(world: World, player: Player, turns: int) -> tuple[list[str], str]:
    session, dialogue = world.session, Dialogue()
    state = session.referee.join(session.referee.new(), "player", "you")
    lines: list[str] = []
    for number in range(turns):
        lines.append(player.line(session, state, "player"))
        said = session.say(state, "player", lines[-1], dialogue, Inputs(datetime(2026, 1, 1, tzinfo=UTC), number))
        state, dialogue = said.state, said.dialogue
    return lines, state.hash


@pytest.mark.parametrize("kind", [RandomPlayer, HostilePlayer])
def test_the_same_seed_plays_the_same_game(world: World, kind: type[RandomPlayer | HostilePlayer]) -> None:
    assert play(world, kind(1), 60) == play(world, kind(1), 60)
    assert play(world, kind(1), 20)[0] != play(world, kind(2), 20)[0]


def test_a_random_player_gets_somewhere(world: World) -> None:
    lines, hash = play(world, RandomPlayer(1), 60)
    assert len(set(lines)) > 10
    assert hash != world.session.referee.join(world.session.referee.new(), "player", "you").hash


def test_a_mangled_text_is_another_text_that_can_be_repeated() -> None:
    texts = [mangled("take the brass lamp", random.Random(seed)) for seed in range(200)]
    assert texts == [mangled("take the brass lamp", random.Random(seed)) for seed in range(200)]
    assert len(set(texts)) > 150
    assert mangled("", random.Random(1)) is not None
