"""Processes that work on runs: for each line of JSON one of its own, forked when everything is imported, which may be killed.

It tells `pid N`, then what the run came to or nothing, then `ended STATUS`.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import langgraph.checkpoint.postgres.aio
import langgraph.func
import langgraph.graph  # noqa: F401
from teams_base import ANN, client, studio

from agents.game import GameService
from agents.knowledge import KnowledgeService
from storage.fenced import FencedStore
from storage.postgres.checkpoints import PostgresCheckpoints


def deadly(effects: int) -> None:
    """After so many effects the process is killed, when the effect is there and nobody has been told."""
    done = 0

    def wrap(kind: Any, name: str) -> None:
        plain = getattr(kind, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            nonlocal done
            found = await plain(*arguments, **options)
            done += 1
            if done == effects:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        setattr(kind, name, call)

    wrap(GameService, "act")
    wrap(KnowledgeService, "write")


async def main(told: Any) -> None:
    deadly(told.get("effects", 0))
    async with FencedStore.opened(told["database"], told["redis"]) as store, client(told["model"]) as model:
        it = studio(Path(told["home"]), store, model, PostgresCheckpoints(told["database"]))
        begin = told.get("begin")
        work = it.teams.run(ANN, **begin) if begin else it.teams.resume(ANN, told["run"], approve=told.get("approve"))
        print(json.dumps((await work).as_data()), flush=True)
        await it.app.games.close()


for line in sys.stdin:
    pid = os.fork()
    if not pid:
        os.setpgid(0, 0)
        asyncio.run(main(json.loads(line)))
        os._exit(0)
    print(f"pid {pid}", flush=True)
    print(f"ended {os.waitpid(pid, 0)[1]}", flush=True)
