"""Every fault of a provider on every path: an answer that a player can read, in time, and no turn lost or done twice."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import pytest

from agents.access import Principal
from agents.models import Tool
from agents.models.client import Client
from agents.models.configuration import Configuration
from agents.worlds import Where, World
from evals.scripted import Answer, Conversation, Fault, serving
from evals.scripted.conversation import Kind
from evals.simulated.attacking import TECHNICAL
from evals.simulated.hour import Clock
from evals.simulated.knowing import Knowing
from evals.simulated.table import Table, table
from router import Answered, Router
from router.seams import Words

pytestmark = pytest.mark.anyio
DEADLINE = 1.0
ENOUGH = 30.0
"""Seconds after which a test hangs."""
LATE = "no answer that holds"
"""In the reason of an answer that did without the model: proof that a slow one was not waited for."""
PATHS = {
    "direct": ("well, that was quite an evening", ""),
    "action": ("my hands itch to see the cloakroom at last", "go west"),
    "knowledge": ("it is a riddle to me what the hook may be good for", ""),
    "team": ("gather your colleagues, the ushers shall tell of this night in turns", ""),
}
KINDS: dict[str, Kind] = {each: each for each in get_args(Kind)}
PASSING: tuple[Kind, ...] = ("429", "500", "cut", "bad-json", "bad-arguments")
"""What a second try mends."""


@dataclass
class Ushers:
    """A team that counts how often it works."""

    tasks: list[str] = field(default_factory=list[str])

    async def flows(self, world: World, asker: Principal, handle: str) -> Sequence[Tool]:
        task = {"type": "object", "properties": {"task": {"type": "string"}}, "required": ["task"]}
        return (Tool("ushers", "Several ushers tell something together.", task),)

    async def decided(self, message: str, asker: Principal) -> Words | None:
        return None

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
        return f"{PATHS[self.path][0]}, case {self.kind} {self.times}"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Table]:
    async with table(tmp_path, "", Clock()) as found:
        yield found


@contextmanager
def failing(path: str) -> Generator[str]:
    """The address of a model that is right about the path's messages, but for the fault that each of them names."""
    knowing = Knowing()
    knowing.route, knowing.meant = path, PATHS[path][1]
    asked_for: Counter[str] = Counter()

    def decide(asked: Conversation) -> Answer:
        named = re.search(r"case ([\w-]+) (\d+)", "\n".join(each.text for each in asked.messages))
        assert named, asked
        asked_for[named[0]] += 1
        said = knowing(asked)
        if asked_for[named[0]] > int(named[2]):
            return said
        # So many requests of a case, also where each is another conversation: a repaired one, one with results.
        return replace(said, fault=Fault(KINDS[named[1]], times=99, seconds=2 * DEADLINE))

    with serving(decide) as server:
        yield f"{server.url}/v1"


async def answered(at: Table, url: str, case: Case, deadline: float) -> tuple[Answered, int, list[str]]:
    """The answer, told twice by a client that asks again with the same key; the game's turns by then; what the team did."""
    ushers, principal = Ushers(), f"{case.path}-{case.kind}-{case.times}"
    asker = Principal.of(principal, "player")
    handle, _ = await at.games.start(Where.of("cloak"), principal, name=principal, seed=1)
    async with Client(Configuration.one(url=url, model="scripted")) as model:
        router = Router(at.games, model, teams=ushers, deadline=deadline)
        async with asyncio.timeout(ENOUGH):
            told = await router.answer(asker, case.message, handle=handle, key="once")
        turns = (await at.games.game(handle, principal)).record.version
        async with asyncio.timeout(ENOUGH):
            again = await router.answer(asker, case.message, handle=handle, key="once")
        assert (again.text, again.turn) == (told.text, told.turn), case
        assert (await at.games.game(handle, principal)).record.version == turns, (case, "a turn was done twice")
    return told, turns, ushers.tasks


async def all_answered(at: Table, cases: list[Case], deadline: float) -> list[tuple[Case, Answered, int, list[str]]]:
    with failing(cases[0].path) as url:
        found = await asyncio.gather(*(answered(at, url, each, deadline) for each in cases))
    return [(case, *each) for case, each in zip(cases, found, strict=True)]


@pytest.mark.parametrize("path", PATHS)
async def test_a_provider_that_fails_for_good_leaves_an_answer_in_time(at: Table, path: str) -> None:
    cases = [Case(path, kind, 99) for kind in KINDS.values()]
    for case, told, turns, tasks in await all_answered(at, cases, DEADLINE):
        assert told.text.strip(), case
        assert len(told.text) <= 5_000, case
        assert told.reason, case
        assert case.kind not in ("slow", "stall") or LATE in told.reason, (case, told.reason)
        if case.kind != "inject":
            assert not TECHNICAL.search(told.text), (case, told.text)
        assert turns <= 1, case
        assert len(tasks) <= 1, (case, "the team worked twice")


@pytest.mark.parametrize("path", PATHS)
async def test_a_provider_that_fails_once_is_asked_again(at: Table, path: str) -> None:
    cases = [Case(path, kind, 1) for kind in PASSING]
    for case, told, turns, tasks in await all_answered(at, cases, ENOUGH):
        assert told.route == path, (case, told)
        assert turns == (path == "action"), case
        assert told.reply is None or told.reply.status == "done", case
        assert len(tasks) == (path == "team"), case
