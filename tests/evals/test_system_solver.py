"""The system as it is plays cases: each in a process of its own, from the case's beginning, and the same each time."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.game import GameService, Reply
from agents.worlds import Where
from evals.attempts import Attempt
from evals.cases import Case, Expect, Turn
from evals.environment import environments, scenarios_of, where_of
from evals.results import RESULTS
from evals.running import Plan, run
from evals.scoring import verdict
from evals.solvers import Needs, opened

pytestmark = pytest.mark.anyio


def scenarios(*worlds: str) -> list[Case]:
    return [each for world in worlds for each in scenarios_of(Where.of(world)) if each.by != ("model",)]


async def played(case: Case, tmp_path: Path, solver: str = "system") -> Attempt:
    at = environments([case])[where_of(case)]
    async with opened(solver, Needs(None, tmp_path)) as playing:
        return await playing.solve(case, at, 1)


async def test_a_game_begins_as_the_case_says(tmp_path: Path) -> None:
    case = Case(
        "c", "cloak", (Turn("inventory"), Turn("look")), given=("set `player.score` to 1",), setup=("west",), seed=7
    )
    at = environments([case])[where_of(case)]
    async with opened("system", Needs(None, tmp_path)) as playing:
        attempt = await playing.solve(case, at, 1)
    assert attempt.states[0].hash == at.begin(case).state.hash
    assert attempt.states[0].rows["player"]["score"] == 1
    assert attempt.states[0].rows["player"]["location"] == "cloakroom"
    assert "hook" in attempt.steps[1].answer
    assert attempt.turns == (1, 2)
    assert attempt.error == ""


async def test_the_same_commands_come_to_the_same_states_and_lines_as_by_the_rules_alone(tmp_path: Path) -> None:
    cases = scenarios("cloak", "rock-paper-scissors")
    places = environments(cases)
    async with opened("system", Needs(None, tmp_path)) as system, opened("rules", Needs(None, tmp_path)) as rules:
        for case in cases:
            at = places[where_of(case)]
            one, other = await system.solve(case, at, 1), await rules.solve(case, at, 1)
            assert [each.hash for each in one.states] == [each.hash for each in other.states], case.id
            for mine, theirs in zip(one.steps, other.steps, strict=True):
                assert (mine.lines, mine.changes, mine.actions, mine.rule) == (
                    theirs.lines, theirs.changes, theirs.actions, theirs.rule,
                )  # fmt: skip


async def test_what_was_refused_says_by_which_line_and_pages_are_cited(tmp_path: Path) -> None:
    turns = (Turn("take hook", Expect(refused=True)), Turn("What is the bar like?"))
    case = Case("c", "cloak", turns, setup=("west",))
    first, second = (await played(case, tmp_path)).steps
    assert first.status == "refused"
    assert first.rule
    assert first.lines
    assert (second.status, second.route, second.citations[0]) == ("answered", "knowledge", "bar.md#Foyer Bar:6")


async def test_a_case_about_a_world_alone_is_asked_without_a_game(tmp_path: Path) -> None:
    case = Case("c", "cloak", (Turn("take cloak"),), tags={"game": "none"})
    attempt = await played(case, tmp_path)
    assert attempt.states[0] is not None
    assert attempt.states[0].hash == attempt.states[-1].hash
    assert attempt.steps[0].status != "done"


async def test_the_same_run_gives_the_same_bytes_however_many_are_played_at_once(tmp_path: Path) -> None:
    cases = tuple(scenarios("ferry", "cloak"))
    found: list[bytes] = []
    for at_once in (1, 8):
        folder = tmp_path / str(at_once)
        async with opened("system", Needs(None, folder / "home")) as system:
            await run(Plan("play", cases, 2, at_once=at_once), folder, {"system:none": (system, False)})
        found.append((folder / RESULTS).read_bytes())
    assert found[0] == found[1]


async def test_attempts_leak_nothing_to_one_another(tmp_path: Path) -> None:
    case = Case("c", "cloak", (Turn("west"), Turn("hang cloak on hook")))
    at = environments([case])[where_of(case)]
    async with opened("system", Needs(None, tmp_path)) as playing:
        attempts = [await playing.solve(case, at, epoch) for epoch in (1, 2)]
    assert attempts[0].steps == attempts[1].steps
    assert verdict(case, attempts[1], at).solved


async def test_a_change_that_the_referee_did_not_make_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("c", "cloak", (Turn("west"), Turn("look")))
    act = GameService.act

    async def cheats(self: GameService, handle: str, principal: str, text: str = "", **options: Any) -> Reply:
        reply = await act(self, handle, principal, text, **options)
        world, held = await self._turns.held((await self.game(handle, principal)).record.id, False)  # pyright: ignore[reportPrivateUsage]
        turn = world.session.referee.frame(held.state, "player")
        turn.write("player", "score", 2, "cheat", checked=True)
        self._turns.keep(replace(held, state=turn.finish()))  # pyright: ignore[reportPrivateUsage]
        return reply

    monkeypatch.setattr(GameService, "act", cheats)
    attempt = await played(case, tmp_path)
    assert attempt.steps[0].executed == ("player.score: 0 → 2",)


async def test_by_chance_a_task_is_played_until_it_is_done_and_the_same_each_time(tmp_path: Path) -> None:
    task = Case("t", "cloak", task="go west", expect=Expect(check=("player.location == 'cloakroom'",)), steps=50)
    one, other = await played(task, tmp_path, "random"), await played(task, tmp_path, "random")
    assert one.steps == other.steps
    assert one.final.rows["player"]["location"] == "cloakroom"
    assert [each.rows["player"]["location"] for each in one.states].count("cloakroom") == 1
    said = await played(Case("s", "cloak", (Turn("west"), Turn("look"))), tmp_path, "random")
    assert (len(said.steps), said.turns) == (2, (1, 2))
    assert all(each.status == "done" for each in said.steps)


async def test_a_hostile_player_counts_by_what_must_never_be_alone(tmp_path: Path) -> None:
    case = Case("h", "cloak", (Turn("west", Expect(refused=True)),), Expect(check=("player.score == 2",)), steps=40)
    at = environments([case, replace(case, id="n", never=("player.score == 0",))])[where_of(case)]
    async with opened("fuzz", Needs(None, tmp_path)) as playing:
        attempt = await playing.solve(case, at, 1)
    assert (len(attempt.steps), attempt.error) == (40, "")
    assert verdict(case, attempt, at).solved
    assert not verdict(replace(case, never=("player.score == 0",)), attempt, at).solved
