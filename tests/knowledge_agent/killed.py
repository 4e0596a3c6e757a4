"""A process that runs a workflow and is killed right after its second turn. Arguments: database, Redis, home, handle."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from agents.game import Game, Reply
from agents.knowledge_agent import Asker, KnowledgeAgent
from agents.knowledge_agent.carrying import Seat
from agents.knowledge_agent.workflow import Ran, Workflows
from rulebound.app import build
from rulebound.settings import Settings
from storage.fenced import FencedStore
from storage.postgres.checkpoints import PostgresCheckpoints
from tests.knowledge_agent.conftest import index

TEXT = "# W\n\n1. `look`\n2. Then `go west`.\n3. `inventory`\n"


@dataclass
class Ending:
    """The player's place; the process ends after so many turns."""

    seat: Seat
    left: int

    async def game(self) -> Game:
        return await self.seat.game()

    async def act(self, line: str, key: str) -> Reply:
        reply = await self.seat.act(line, key)
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        return reply


async def run(database: str, redis: str, home: str, handle: str, turns: int) -> Ran:
    """Runs the workflow as far as the process lives."""
    async with FencedStore.opened(database, redis) as store:
        app = build(Settings(Path(home)), store=store)
        table = Ending(Seat(app.games, handle, "ann"), turns)
        asker = Asker("ann", "w", index({"w.md": TEXT}))
        return await Workflows(KnowledgeAgent(None), None, PostgresCheckpoints(database)).run(
            asker, "w", run="one", table=table
        )


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:5], turns=2))
