"""Owns one worker process: the referee service as it runs in production, driven over a socket; a JSON object a line.

`run(given)` is the process's target, with `socket`, `log`, `home`, `database_url` and `redis_url` (None: embedded), `naive`. It must
not know what is done to it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from agents.game import GameService
from agents.worlds import Where
from benchmarks.chaos.naive import NaiveStore
from rulebound.app import App, between_turns, build, open_app
from rulebound.settings import Settings
from storage import StoreError

Json = dict[str, Any]


class Service:
    """Answers requests."""

    def __init__(self, app: App):
        self._games: GameService = app.games
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's requests, all at the same time."""
        with suppress(OSError):
            while line := await reader.readline():
                task = asyncio.create_task(self._answer(json.loads(line), writer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        writer.close()

    async def _answer(self, asked: Json, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await self._do(**asked["do"])
        except Exception as error:
            answer = {"error": type(error).__name__, "said": str(error), "hint": getattr(error, "hint", "")}
        if not writer.is_closing():
            writer.write(json.dumps({"id": asked["id"], **answer}).encode() + b"\n")

    async def _do(self, what: str, handle: str = "", principal: str = "", **more: str) -> Json:
        games = self._games
        match what:
            case "start":
                return {"handle": (await games.start(Where.of(more["world"]), principal, name=principal))[0]}
            case "act":
                reply = await games.act(handle, principal, more["text"], key=more["key"], wait=bool(more["wait"]))
                return {"waiting": reply.status == "waiting", "number": reply.turn, "hash": reply.state_hash}
            case "undo" | "reset":
                reply = await (games.undo if what == "undo" else games.reset)(handle, principal, key=more["key"])
                return {"number": reply.turn, "hash": reply.state_hash}
            case _:
                game = await games.game(handle, principal)
                seen = {"number": game.record.version, "hash": game.state.hash, "stale": game.stale}
                return {"game": game.record.id, **seen}


@asynccontextmanager
async def opened(settings: Settings, naive: bool) -> AsyncGenerator[App]:
    """The app as everybody opens it, or the control over the naive dual write."""
    if not naive:
        async with open_app(settings) as app, between_turns(app):
            yield app
        return
    assert settings.database_url is not None, "the control is given both servers"
    assert settings.redis_url is not None, "the control is given both servers"
    async with NaiveStore.over(settings.database_url, settings.redis_url) as store:
        app = build(settings, store=store)
        yield app
        await app.games.close()


async def _serve(given: Json) -> None:
    home, socket = Path(given["home"]), Path(given["socket"])
    settings = Settings(home, database_url=given["database_url"], redis_url=given["redis_url"])
    async with opened(settings, given["naive"]) as app:
        server = await asyncio.start_unix_server(Service(app).serve, socket)
        await server.serve_forever()


def run(given: Json) -> None:
    """Serves until it is killed; what it says goes to its log."""
    log = os.open(given["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        asyncio.run(_serve(given))
    except StoreError as error:
        sys.exit(f"{type(error).__name__}: {error}")
