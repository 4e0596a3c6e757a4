"""Runs are kept in PostgreSQL: a process may be killed at any step, and another one goes on where it was."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from teams_base import ANN, CELLAR, DRAFTS, Studio, client, given, make_world, member, propose, studio

from agents.teams import TeamError
from evals.scripted import Answer, Call, Conversation, Scripted, serving
from storage import StoreAway
from storage.checkpoints import RunBusy
from storage.embedded import Servers
from storage.fenced import FencedStore
from storage.postgres.checkpoints import PostgresCheckpoints

pytestmark = pytest.mark.anyio
CREW = (
    "---\nteam: crew\nmembers: [ada, ben, cleo, dora]\n---\n# Crew\nThey work.\n"
    "## Ada\n- tools: `act`\n\nTakes the coin.\n## Ben\n- tools: `propose`\n\nWrites the cellar.\n"
    "## Cleo\n- tools: `look`\n\nLooks.\n## Dora\n- tools: `act`\n\nGoes north.\n"
    "## Work\n1. `ada`\n2. `ben` and `cleo` at the same time\n3. `dora`\n"
)
FIRST = {
    "Ada": Answer("", (Call("act", {"command": "take coin"}),)),
    "Ben": propose("cellar.md", CELLAR),
    "Cleo": Answer("", (Call("look", {}),)),
    "Dora": Answer("", (Call("act", {"command": "north"}),)),
}


@dataclass
class Killer:
    """A model that kills who asks it, when a member asks for the second time in its step or for the first."""

    at: tuple[str, int] = ("", 0)
    pid: int = 0
    known: threading.Event = field(default_factory=threading.Event)

    def __call__(self, conversation: Conversation) -> Answer:
        who, number = member(conversation), given(conversation)
        if (who, number) == self.at:
            self.at = ("", 0)
            assert self.known.wait(60)
            os.kill(self.pid, signal.SIGKILL)
        return Answer(f"{who} is done.") if number else FIRST[who]


@dataclass
class Place:
    """Where workers and the test meet."""

    home: Path
    database: str
    redis: str
    it: Studio
    killer: Killer
    model: Scripted
    workers: "subprocess.Popen[str]"

    def work(self, **told: Any) -> Any:
        """What a process that works on the run comes to; None where it was killed."""
        assert self.workers.stdin is not None
        assert self.workers.stdout is not None
        given = {"home": str(self.home), "database": self.database, "redis": self.redis, "model": self.model.url}
        self.killer.known.clear()
        self.workers.stdin.write(json.dumps(given | told) + "\n")
        self.workers.stdin.flush()
        found = None
        for line in self.workers.stdout:
            if line.startswith("pid "):
                self.killer.pid = int(line[4:])
                self.killer.known.set()
            elif line.startswith("ended "):
                assert os.waitstatus_to_exitcode(int(line[6:])) == (0 if found else -signal.SIGKILL)
                break
            else:
                found = json.loads(line)
        return found


@pytest.fixture(scope="module")
def workers() -> Iterator["subprocess.Popen[str]"]:
    """What starts processes that work on runs."""
    command = [sys.executable, str(Path(__file__).parent / "worker.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        yield process
        process.stdin.close()


@pytest.fixture
async def place(
    tmp_path: Path, servers: Servers, fresh_database: str, workers: "subprocess.Popen[str]"
) -> AsyncIterator[Place]:
    killer = Killer()
    game_master = "## Ada\n- tools: `act`\n\nActs.\n## Ask before\n- it is done: `act`\n"
    careful = f"---\nteam: careful\nmembers: [ada]\n---\n# Careful\nAsks.\n{game_master}"
    await make_world(tmp_path, {"crew.md": CREW, "careful.md": careful})
    with serving(killer) as model:
        async with FencedStore.opened(fresh_database, servers.redis_url) as store, client(model.url) as asked:
            it = studio(tmp_path, store, asked, PostgresCheckpoints(fresh_database))
            yield Place(tmp_path, fresh_database, servers.redis_url, it, killer, model, workers)
            await it.app.games.close()


@pytest.mark.requirement("0.21")
async def test_a_run_that_is_killed_at_any_step_goes_on_there_and_nothing_happens_twice(place: Place):
    handle = await place.it.play()
    begin = {"team": "crew", "task": "Work.", "world": "tiny", "handle": handle, "run_id": "r1"}
    # (at which request, after how many effects): in a step, between two, right after an effect, beside a step that is done
    deaths = [(("Ada", 0), 0), (("", 0), 1), (("Ada", 1), 0), (("", 0), 1), (("Dora", 0), 0), (("", 0), 1)]
    for at, effects in deaths:
        place.killer.at = at
        first = not place.model.requests
        assert (
            await asyncio.to_thread(place.work, **({"begin": begin} if first else {"run": "r1"}), effects=effects)
            is None
        ), (at, effects)
    found = await asyncio.to_thread(place.work, run="r1")
    assert (found["status"], found["text"], found["steps"]) == ("done", "Dora is done.", 4)

    game = await place.it.app.games.game(handle, ANN.id)
    turns = await place.it.app.games.transcript(handle, ANN.id)
    assert [said for said, _ in turns] == ["take coin", "north"]
    assert game.record.version == 2
    assert await place.it.branches() == {f"{DRAFTS}/team-r1": ["Crew: cellar.md"]}

    asked = Counter((member(each.conversation), given(each.conversation)) for each in place.model.requests)
    assert set(asked) == {(who, number) for who in FIRST for number in (0, 1)}
    # Only a request on which, or right after which, the process died is made again.
    assert asked["Cleo", 0] == asked["Cleo", 1] == 1 or asked["Ben", 0] > 1
    again = sum(asked.values()) - len(asked)
    assert again <= len(deaths) + 2
    # Of a step that was finished none.
    before = next(n for n, each in enumerate(place.model.requests) if member(each.conversation) == "Dora")
    assert not {member(each.conversation) for each in place.model.requests[before:]} - {"Dora"}


async def test_an_approval_is_given_to_another_process_than_the_one_that_asked(place: Place):
    handle = await place.it.play()
    begin = {"team": "careful", "task": "Take it.", "world": "tiny", "handle": handle, "run_id": "r2"}
    found = await asyncio.to_thread(place.work, begin=begin)
    assert found["status"] == "waiting-approval"
    done = await place.it.teams.resume(ANN, "r2", approve=True)
    assert (done.status, done.text) == ("done", "Ada is done.")
    assert [said for said, _ in await place.it.app.games.transcript(handle, ANN.id)] == ["take coin"]
    assert len(place.model.requests) == 2


async def test_two_workers_never_work_on_one_run_and_may_come_first_at_once(place: Place):
    one, other = PostgresCheckpoints(place.database), PostgresCheckpoints(place.database, wait=0.1)

    async def hold(checkpoints: PostgresCheckpoints, thread: str) -> None:
        async with checkpoints.run(thread):
            pass

    await asyncio.gather(hold(one, "a"), hold(other, "b"), hold(PostgresCheckpoints(place.database), "c"))
    async with one.run("a"):
        with pytest.raises(RunBusy):
            await hold(other, "a")
    await hold(other, "a")


async def test_a_run_leaves_no_more_than_what_it_came_to_and_goes_with_its_principal(place: Place):
    handle = await place.it.play()
    await place.it.teams.run(ANN, "crew", "Work.", world="tiny", handle=handle, run_id="r3")
    connection = await asyncpg.connect(place.database)
    try:
        assert await connection.fetchval("SELECT count(*) FROM langgraph.checkpoints") == 1
        assert (await place.it.teams.resume(ANN, "r3")).status == "done"
        assert await place.it.teams.forget(ANN.id) == 1
        assert await connection.fetchval("SELECT count(*) FROM langgraph.checkpoint_blobs") == 0
        with pytest.raises(TeamError):
            await place.it.teams.resume(ANN, "r3")
    finally:
        await connection.close()


async def test_while_the_database_is_away_a_run_says_so(tmp_path: Path):
    with pytest.raises(StoreAway):
        async with PostgresCheckpoints("postgresql://nobody@127.0.0.1:1/none").run("a"):
            pass
