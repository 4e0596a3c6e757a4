"""Every fault of a provider on every path: an answer that a player can read, in time, and no turn lost or done twice."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import pytest

from agents.access import Principal
from agents.models import Tool
from agents.models.client import Client
from agents.models.configuration import Configuration
from agents.worlds import Where, World
from evals.attacking import TECHNICAL
from evals.hour import Clock
from evals.knowing import Knowing
from evals.scripted import Answer, Conversation, Fault, serving
from evals.scripted.conversation import Kind
from evals.table import Table, table
from router import Answered, Router
from router.seams import Words

pytestmark = pytest.mark.anyio
DEADLINE = 1.0
ENOUGH = 8.0
"""Seconds after which a test hangs: routing, then a look at pages or a team, each with its own deadline, on a busy machine."""
PATHS = {
    "direct": ("well, that was quite an evening", ""),
    "action": ("my hands itch to see the cloakroom at last", "go west"),
    "knowledge": ("it is a riddle to me what the hook may be good for", ""),
    "team": ("gather your colleagues, the ushers shall tell of this night in turns", ""),
}
KINDS: tuple[Kind, ...] = get_args(Kind)
PASSING = ("429", "500", "cut", "bad-json", "bad-arguments")
"""What a second try mends."""


@dataclass
class Ushers:
    """A team that counts how often it works."""

    tasks: list[str] = field(default_factory=list[str])

    def flows(self, world: World, asker: Principal) -> Sequence[Tool]:
        task = {"type": "object", "properties": {"task": {"type": "string"}}, "required": ["task"]}
        return (Tool("ushers", "Several ushers tell something together.", task),)

    async def run(self, flow: str, task: str, world: World, asker: Principal, handle: str, key: str) -> Words:
        self.tasks.append(key)
        return Words("The ushers tell of the night.")


@dataclass
class Case:
    """One message while a fault holds for so many requests."""

    path: str
    kind: Kind
    times: int

    @property
    def message(self) -> str:
        return f"{PATHS[self.path][0]}, {self.kind} {self.times}"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Table]:
    async with table(tmp_path, "", Clock()) as found:
        yield found


async def answered(at: Table, case: Case) -> tuple[Answered, int, list[str]]:
    """The answer, told twice by a client that asks again with the same key; the game's turns by then; what the team did."""
    knowing, ushers = Knowing(), Ushers()
    knowing.route, knowing.meant = case.path, PATHS[case.path][1]

    def decide(asked: Conversation) -> Answer:
        return replace(knowing(asked), fault=Fault(case.kind, times=case.times, seconds=30.0))

    principal = f"{case.path}-{case.kind}-{case.times}"
    asker = Principal.of(principal, "player")
    handle, _ = await at.games.start(Where.of("cloak"), principal, name=principal, seed=1)
    with serving(decide) as server:
        async with Client(Configuration.one(url=f"{server.url}/v1", model="scripted")) as model:
            router = Router(at.games, model, teams=ushers, deadline=DEADLINE)
            async with asyncio.timeout(ENOUGH):
                told = await router.answer(asker, case.message, handle=handle, key="once")
            turns = (await at.games.game(handle, principal)).record.version
            async with asyncio.timeout(ENOUGH):
                again = await router.answer(asker, case.message, handle=handle, key="once")
            assert (again.text, again.turn) == (told.text, told.turn), case
            assert (await at.games.game(handle, principal)).record.version == turns, (case, "a turn was done twice")
    return told, turns, ushers.tasks


@pytest.mark.parametrize("path", PATHS)
async def test_a_provider_that_fails_for_good_leaves_an_answer_in_time(at: Table, path: str) -> None:
    cases = [Case(path, kind, 99) for kind in KINDS]
    for case, (told, turns, tasks) in zip(cases, await asyncio.gather(*(answered(at, each) for each in cases)), strict=True):
        assert told.text.strip(), case
        assert len(told.text) <= 5_000, case
        assert told.reason, case
        if case.kind != "inject":
            assert not TECHNICAL.search(told.text), (case, told.text)
        assert turns <= 1, case
        assert len(tasks) <= 1, (case, "the team worked twice")


@pytest.mark.parametrize("path", PATHS)
async def test_a_provider_that_fails_once_is_asked_again(at: Table, path: str) -> None:
    cases = [Case(path, kind, 1) for kind in PASSING]
    for case, (told, turns, tasks) in zip(cases, await asyncio.gather(*(answered(at, each) for each in cases)), strict=True):
        assert told.route == path, (case, told)
        assert turns == (path == "action"), case
        assert len(tasks) == (path == "team"), case
