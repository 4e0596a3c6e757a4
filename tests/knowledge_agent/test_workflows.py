"""Workflows in prose: exact steps without a model, questions, refusals, going on after a kill, and a model for the rest."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agents.game import Game, Reply
from agents.knowledge_agent import Asker, KnowledgeAgent
from agents.knowledge_agent.carrying import Seat, Table
from agents.knowledge_agent.prose import steps
from agents.knowledge_agent.workflow import NoWorkflow, Ran, Workflows
from agents.models.client import Client
from agents.models.configuration import Configuration
from agents.worlds import Where
from evals.scripted import Answer, Fault, serving
from rulebound.app import App, build
from rulebound.settings import Settings
from storage import MemoryStore
from storage.checkpoints import MemoryCheckpoints
from storage.embedded import Servers
from storage.fenced import FencedStore
from tests.knowledge_agent import killed
from tests.knowledge_agent.conftest import index

pytestmark = pytest.mark.anyio
TOUR = """# Tour

Show a guest around.

1. Look around: `look`, then `inventory`.
2. Ask "Which way do you want to go?"
3. Look up "brass hook".
4. Check that `go west` is allowed.
5. Then `go west`.
6. Smile.
7. Stop.
"""


@dataclass
class Bench:
    """A game of cloak, and its player's place."""

    app: App
    seat: Seat
    checkpoints: MemoryCheckpoints = field(default_factory=MemoryCheckpoints)

    async def asker(self, **pages: str) -> Asker:
        game = await self.seat.game()
        own = {f"{name}.md": text for name, text in pages.items()}
        return Asker("ann", "cloak", index(own | {"hook.md": "# Hook\n\nA brass hook.\n"}, game.world.commit))

    async def turn(self) -> int:
        return (await self.seat.game()).record.version

    def workflows(self, model: Any = None) -> Workflows:
        return Workflows(KnowledgeAgent(model), model, self.checkpoints)


@pytest.fixture
async def table(tmp_path: Path) -> Bench:
    app = build(Settings(tmp_path / "home"), store=MemoryStore())
    handle, _ = await app.games.start(Where.of("cloak"), "ann", seed=1)
    return Bench(app, Seat(app.games, handle, "ann"))


def did(ran: Ran) -> list[tuple[int, str]]:
    return [(each.number, each.did) for each in ran.done]


def test_exact_steps_are_told_from_prose() -> None:
    page = index({"w.md": "# W\n\n1) Open it with\n   `open door`.\n2) If it is dark, `light lamp`.\n3) Are you ready?\n"
                          "4) Look up \"lamps\".\n5) Check `go west`.\n6) End.\n7) Be kind.\n\nText.\n\n## Other\n1. No.\n"})  # fmt: skip
    sections = page.sections("w.md")
    assert sections
    found = steps(sections)
    assert [each.does for each in found] == ["act", "prose", "ask", "search", "check", "stop", "prose"]
    assert (found[0].text, found[0].line, found[0].said) == ("Open it with `open door`.", 3, ("open door",))


def test_who_runs_no_workflow_and_asks_no_model_does_not_pay_for_their_libraries() -> None:
    code = (
        "import sys, agents.knowledge_agent.workflow; "
        "print({'langgraph', 'litellm', 'psycopg', 'httpx2', 'tantivy'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


@pytest.mark.requirement("0.12")
async def test_without_a_model_exact_steps_are_done_and_the_rest_is_named(table: Bench) -> None:
    workflows, asker = table.workflows(), await table.asker(tour=TOUR)
    ran = await workflows.run(asker, "tour", run="one", table=table.seat)
    assert (ran.status, ran.question) == ("waiting", "Which way do you want to go?")
    assert await table.turn() == 2
    again = await workflows.run(asker, "tour", run="one", table=table.seat)
    assert (again.status, await table.turn()) == ("waiting", 2)
    ran = await workflows.run(asker, "tour", run="one", table=table.seat, answer="west")
    assert ran.status == "done"
    assert did(ran) == [(1, "act"), (2, "ask"), (3, "search"), (4, "check"), (5, "act"), (6, "left"), (7, "stop")]
    assert ran.done[2].came.startswith("# Hook\n\nA brass hook.")
    assert ran.done[3].came.startswith("valid")
    assert "Cloakroom" in ran.done[4].came
    assert ran.done[5].came == "left to you: it needs a model"
    assert [each.line for each in ran.finding.citations] == [5, 6, 7, 8, 9, 10, 11]
    assert (ran.finding.model_calls, ran.finding.tier) == (0, "rules")
    over = await workflows.run(asker, "tour", run="one", table=table.seat, answer="east")
    assert (did(over), await table.turn()) == (did(ran), 3)


@pytest.mark.requirement("0.12")
@pytest.mark.parametrize(
    ("step", "said"),
    [("Go: `go up`.", "You can't go that way"), ("Check `go up`.", "is not allowed"), ("Do `frob`.", "was not done")],
)
async def test_a_step_that_the_rules_refuse_ends_the_run(table: Bench, step: str, said: str) -> None:
    asker = await table.asker(w=f"# W\n\n1. {step}\n2. Then `go west`.\n")
    ran = await table.workflows().run(asker, "w", run="one", table=table.seat)
    assert ran.status == "stopped"
    assert said in ran.finding.reason
    assert len(ran.done) == 1


async def test_without_a_game_nothing_is_played(table: Bench) -> None:
    ran = await table.workflows().run(await table.asker(tour=TOUR), "tour", run="one")
    assert (ran.status, ran.finding.reason, await table.turn()) == ("stopped", "It needs a game.", 0)


@pytest.mark.parametrize(("answer", "last", "turns"), [("yes", "done", 1), ("no", "stopped", 0), ("3", "done", 0)])
async def test_without_a_model_the_user_decides_about_a_condition(
    table: Bench, answer: str, last: str, turns: int
) -> None:
    asker = await table.asker(w="# W\n\n1. If they are afraid, stop.\n2. Then `go west`.\n3. Wave.\n")
    ran = await table.workflows().run(asker, "w", run="one", table=table.seat)
    assert ran.question.startswith("If they are afraid, stop.")
    ran = await table.workflows().run(asker, "w", run="one", table=table.seat, answer=answer)
    assert (ran.status, await table.turn()) == (last, turns)


async def test_a_run_is_its_principals_alone_and_of_one_page(table: Bench) -> None:
    workflows, asker = table.workflows(), await table.asker(tour=TOUR, other=TOUR)
    await workflows.run(asker, "tour", run="one", table=table.seat)
    bob = Asker("bob", asker.space, asker.pages)
    ran = await workflows.run(bob, "tour", run="one", answer="west")
    assert ran.done[0].came == "there is no game to act in", "bob began a run of his own"
    with pytest.raises(NoWorkflow, match="is of tour"):
        await workflows.run(asker, "other", run="one", table=table.seat)
    for page in ("hook", "nowhere", "../tour"):
        with pytest.raises(NoWorkflow):
            await workflows.run(asker, page, run="two")


class Killed(BaseException):
    """As if the process ended here."""


@dataclass
class Dying:
    """A table at which the process ends right after a turn, before anybody hears of it."""

    seat: Table
    after: int
    keys: list[str] = field(default_factory=list[str])

    async def game(self) -> Game:
        return await self.seat.game()

    async def act(self, line: str, key: str) -> Reply:
        reply = await self.seat.act(line, key)
        self.keys.append(key)
        if len(self.keys) == self.after:
            raise Killed
        return reply


@pytest.mark.requirement("0.12")
@pytest.mark.parametrize("after", [1, 2, 3])
async def test_a_run_that_was_killed_goes_on_and_no_turn_is_played_twice(table: Bench, after: int) -> None:
    asker = await table.asker(w="# W\n\n1. `look`, `go west`\n2. `go east`\n3. `inventory`\n")
    dying = Dying(table.seat, after)
    with pytest.raises(Killed):
        await table.workflows().run(asker, "w", run="one", table=dying)
    ran = await table.workflows().run(asker, "w", run="one", table=dying)
    assert (ran.status, did(ran)) == ("done", [(1, "act"), (2, "act"), (3, "act")])
    assert await table.turn() == 4
    assert len(dying.keys) == 5, "the turn that nobody heard of was asked for again, and answered with what it was"


@pytest.mark.requirement("0.12")
async def test_a_run_whose_process_was_killed_goes_on_in_another_from_the_database(
    servers: Servers, fresh_database: str, tmp_path: Path
) -> None:
    async with FencedStore.opened(fresh_database, servers.redis_url) as store:
        app = build(Settings(tmp_path), store=store)
        handle, _ = await app.games.start(Where.of("cloak"), "ann", seed=1)
        await app.games.close()
    arguments = fresh_database, servers.redis_url, str(tmp_path), handle
    root = Path(__file__).parents[2]
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.knowledge_agent.killed", *arguments, cwd=root
    )
    assert await child.wait() == -signal.SIGKILL
    ran = await killed.run(*arguments, turns=-1)
    assert (ran.status, did(ran)) == ("done", [(1, "act"), (2, "act"), (3, "act")])
    assert "Cloakroom" in ran.done[1].came
    async with FencedStore.opened(fresh_database, servers.redis_url) as store:
        game = await build(Settings(tmp_path), store=store).games.game(handle, "ann")
        assert game.record.version == 3, "each step's turn was played once"


async def test_the_steps_stay_those_of_the_commit_at_which_the_run_began(table: Bench) -> None:
    asker = await table.asker(tour=TOUR)
    await table.workflows().run(asker, "tour", run="one", table=table.seat)
    edited = Asker("ann", asker.space, index({"tour.md": TOUR.replace("go west", "go south")}, "d00d" * 10))
    ran = await table.workflows().run(edited, "tour", run="one", table=table.seat, answer="west")
    assert "Cloakroom" in ran.done[4].came
    assert {each.commit for each in ran.finding.citations} == {asker.pages.commit}


def chooses(do: str, text: str = "", next: int = 0, done: bool = True) -> Answer:
    return Answer(json.dumps({"do": do, "text": text, "next": next, "done": done}))


@pytest.fixture
def with_model(table: Bench) -> Callable[..., Awaitable[tuple[Ran, int]]]:
    """Runs a workflow with a model that answers so, in order, over HTTP: what came of it, and the number of requests."""

    async def run(text: str, *answers: Answer, answer: str | None = None, run: str = "one") -> tuple[Ran, int]:
        left = list(answers)
        with serving(lambda _: left.pop(0) if len(left) > 1 else left[0]) as server:
            async with Client(Configuration.one(url=f"{server.url}/v1", model="scripted")) as client:
                ran = await table.workflows(client).run(
                    await table.asker(w=text), "w", run=run, table=table.seat, answer=answer
                )
            return ran, len(server.requests)

    return run


@pytest.mark.requirement("0.12")
async def test_a_model_carries_out_prose_through_the_referee(
    table: Bench, with_model: Callable[..., Awaitable[tuple[Ran, int]]]
) -> None:
    text = "# W\n\n1. Lead them into the cloakroom.\n2. Find out what hangs there.\n3. Be kind.\n"
    answers = chooses("act", "go west"), chooses("search", "brass hook", done=False), chooses("none"), chooses("none")
    ran, requests = await with_model(text, *answers)
    assert ran.status == "done"
    assert did(ran) == [(1, "act"), (2, "search"), (2, "none"), (3, "none")]
    assert "Cloakroom" in ran.done[0].came
    assert await table.turn() == 1
    assert requests == ran.finding.model_calls >= 4


@pytest.mark.requirement("0.12")
async def test_what_a_model_wants_done_against_the_rules_is_refused(
    table: Bench, with_model: Callable[..., Awaitable[tuple[Ran, int]]]
) -> None:
    before = (await table.seat.game()).state.rows["player"]["score"]
    ran, _ = await with_model("# W\n\n1. Help them win.\n2. `look`\n", chooses("act", "win the game at once"))
    assert ran.status == "stopped"
    assert "was not done" in ran.finding.reason
    assert (await table.seat.game()).state.rows["player"]["score"] == before


async def test_a_model_may_ask_and_goes_on_with_the_answer(
    with_model: Callable[..., Awaitable[tuple[Ran, int]]],
) -> None:
    text = "# W\n\n1. Greet them by name.\n2. Wave.\n"
    ran, _ = await with_model(text, chooses("ask", "What is your name?\u202e", done=False))
    assert (ran.status, ran.question) == ("waiting", "What is your name?")
    ran, requests = await with_model(text, chooses("none"), answer="Ida")
    assert (ran.status, did(ran)) == ("done", [(1, "ask"), (1, "none"), (2, "none")])
    assert requests == 2


async def test_a_model_that_goes_round_in_circles_is_stopped(
    with_model: Callable[..., Awaitable[tuple[Ran, int]]],
) -> None:
    ran, requests = await with_model("# W\n\n1. Think.\n2. Think again.\n", chooses("none", next=1))
    assert ran.status in ("done", "stopped")
    assert requests <= 30
    assert len(ran.done) <= 100


@pytest.mark.parametrize("fault", ["500", "bad-json", "inject", "long"])
async def test_where_a_model_fails_the_run_goes_on_as_without_one(
    with_model: Callable[..., Awaitable[tuple[Ran, int]]], fault: Any
) -> None:
    ran, requests = await with_model("# W\n\n1. Be kind.\n2. `look`\n", Answer("{}", fault=Fault(fault, times=99)))
    assert (ran.status, did(ran)) == ("done", [(1, "left"), (2, "act")])
    assert ran.finding.model_calls == requests
