"""Owns teams as a service: which there are in a world, running one, going on with a run, for the principal whose run it is.

`Teams(model, games, knowledge, worlds, checkpoints)`; `await teams.run(asker, "world-building", task, world="cloak")`. It must not
know transports.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from agents.access import Principal
from agents.game import GameService
from agents.knowledge import KnowledgeService
from agents.models import Model
from agents.teams.outcome import result
from agents.teams.results import Listed, Progress, TeamError, TeamResult
from agents.teams.tools import Desk
from agents.teams.without import facts
from agents.worlds import Where, World, with_libraries
from kb.compiler.teams import bundled_teams, read_team
from kb.suggest import suggest
from kb.teams import Team
from kb.view import people
from storage import NoSuchGame
from storage.checkpoints import Checkpoints, owner
from storage.records import Json

_RUN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
TASK = 4_000
"""Characters of a task."""


class Teams:
    """Teams of all worlds. Without a model each says what can be said without one.

    `new_run` makes ids of runs; `worlds` gives the live world of a location.
    """

    def __init__(
        self,
        model: Model | None,
        games: GameService,
        knowledge: KnowledgeService,
        worlds: Callable[[Where], World],
        checkpoints: Checkpoints,
        *,
        new_run: Callable[[], str] = lambda: secrets.token_hex(8),
    ):
        self._model, self._games, self._knowledge, self._worlds = model, games, knowledge, worlds
        self._checkpoints, self._new_run = checkpoints, new_run

    async def list(self, asker: Principal, world: str) -> Sequence[Listed]:
        """The teams that can be asked in a world: its own, and those of every world. Raises `KnowledgeError`, `WorldError`."""
        return teams_of(await self._world(asker, world, ""))

    async def run(
        self, asker: Principal, team: str, task: str, *, world: str, handle: str = "", run_id: str = ""
    ) -> TeamResult:
        """Has a team work on a task until it is done, waits for a human or must stop; with the id of a run that was begun, goes
        on with it. See `stream` for what it raises."""
        return await _last(self.stream(asker, team, task, world=world, handle=handle, run_id=run_id))

    async def stream(
        self, asker: Principal, team: str, task: str, *, world: str, handle: str = "", run_id: str = ""
    ) -> AsyncGenerator[Progress | TeamResult]:
        """The same, with what members do meanwhile; the result comes last.

        Raises `TeamError`, `Refused`, `KnowledgeError` (no such world for this asker), `WorldError`, `NoSuchGame`, `RunBusy`,
        and `StoreAway`: then the same run goes on when the database is back.
        """
        run_id = run_id or self._new_run()
        if not _RUN.fullmatch(run_id):
            raise TeamError(f"{run_id[:60]!r} is not a run's id", "Use small letters, digits and hyphens, at most 40.")
        opened = await self._world(asker, world, handle)
        page = _page(opened, team)
        if _needs_game(read_team(**page)) and not handle:
            raise TeamError(f"The team {team} works in a game", "Give the handle of one.")
        begin = {"page": page, "world": world, "handle": handle, "task": task[:TASK], "log": [], "worked": 0.0}
        await self._knowledge.audit(asker, "team.run", world, {"team": team[:60]})
        if self._model is None:
            yield await self._without(self._desk(asker, run_id, begin), begin)
            return
        async with aclosing(self._work(asker, run_id, begin=begin)) as working:
            async for each in working:
                yield each

    async def resume(
        self, asker: Principal, run_id: str, *, approve: bool | None = None, answer: str | None = None
    ) -> TeamResult:
        """Goes on with a run of the asker's: with a yes or no, or an answer, where a human was asked; without one where its
        process ended. Of a run that is over, its result. Raises `TeamError` where there is no such run for them; see `stream`."""
        return await _last(self.resuming(asker, run_id, approve=approve, answer=answer))

    async def resuming(
        self, asker: Principal, run_id: str, *, approve: bool | None = None, answer: str | None = None
    ) -> AsyncGenerator[Progress | TeamResult]:
        """The same, with what members do meanwhile."""
        given = None if approve is None and answer is None else {"approve": approve, "answer": (answer or "")[:TASK]}
        async with aclosing(self._work(asker, run_id, given=given)) as working:
            async for each in working:
                yield each

    async def forget(self, principal: str) -> int:
        """Deletes all runs of a principal; how many."""
        return await self._checkpoints.forget(principal)

    # --- how

    async def _work(
        self, asker: Principal, run_id: str, *, begin: Json | None = None, given: Json | None = None
    ) -> AsyncGenerator[Progress | TeamResult]:
        """Works on a run until it ends or waits. Nobody else's run has its thread's name."""
        from langgraph.types import Command
        from langsmith import tracing_context

        from agents.teams.graph import compiled

        thread = f"{owner(asker.id)} {run_id[:60]}"
        config: Json = {"configurable": {"thread_id": thread}}
        async with self._checkpoints.run(thread) as saver:
            kept = await saver.aget_tuple(config)
            state: Json | None = kept.checkpoint["channel_values"] if kept else begin
            if state is None:
                raise TeamError(f"There is no run {run_id[:60]!r}", "Begin one.")
            state = state.get("__start__", state)  # its process may have ended before anything was done
            if kept:
                await self._world(asker, state["world"], state["handle"])
            desk = self._desk(asker, run_id, state)
            if self._model is None:
                yield await self._without(desk, state)
                return
            graph = compiled(desk, self._model, lambda: self._people(desk), saver)
            config["recursion_limit"] = 4 * desk.team.steps + 10
            now = await graph.aget_state(config)
            forward: Any = None if kept else begin
            if now.interrupts:
                forward = (
                    Command(resume={now.interrupts[0].id: given}) if _fits(now.interrupts[0].value, given) else None
                )
            if forward is not None or (now.next and not now.interrupts):
                # What members say is nobody else's, whatever the environment says of tracing.
                with tracing_context(enabled=False):
                    async for told in graph.astream(forward, config, stream_mode="custom", durability="sync"):
                        yield told
                now = await graph.aget_state(config)
            waiting = now.interrupts[0].value if now.interrupts else None
            extra = {"text": "", "seen": []}
            found = result(desk, now.values, waiting, extra)
            if found.status == "failed":
                found = result(desk, now.values, waiting, await facts(desk, now.values["task"]))
            if not now.next:
                await self._checkpoints.finished(saver, thread)
            refused = sum(did["outcome"] == "refused" for each in found.trace for did in each["did"])
            told = {"team": found.team, "steps": found.steps, "calls": found.model_calls, "refused": refused}
            await self._knowledge.audit(asker, f"team.{found.status}", desk.world, told)
            yield found

    async def _without(self, desk: Desk, state: Json) -> TeamResult:
        return result(desk, state, None, await facts(desk, state["task"]))

    def _desk(self, asker: Principal, run_id: str, state: Json) -> Desk:
        team = read_team(**state["page"])
        return Desk(
            asker, run_id, team, state["world"], state["handle"], self._games, self._knowledge, time.monotonic(),
            state.get("worked", 0.0),
        )  # fmt: skip

    async def _world(self, asker: Principal, world: str, handle: str) -> World:
        """The world, as it is now, that the asker may read, and in which their game is, where one is named."""
        where = await self._knowledge.where(asker, world)
        if handle:
            asker.need("game:play")
            game = await self._games.game(handle, asker.id)
            if game.record.world != where.location:
                raise NoSuchGame(f"there is no game {handle[:64]!r} in {world}")
            return game.world
        opened = self._worlds(where)
        await asyncio.to_thread(opened.refresh)
        return opened

    async def _people(self, desk: Desk) -> Sequence[Json]:
        game = await desk.game()
        return people(game.world.session, game.state, game.player)


def teams_of(world: World) -> list[Listed]:
    """A world's own teams, and those of every world."""
    found = {**{id: team for id, (team, _) in bundled_teams().items()}, **world.rulebook.teams}
    return [
        Listed(each.id, each.name, each.purpose, tuple(member.id for member in each.members), _needs_game(each))
        for each in found.values()
    ]


def _page(world: World, id: str) -> Json:
    """The page of a team, as `read_team` takes it. Raises `TeamError`."""
    own = world.rulebook.teams.get(id)
    if own is not None:
        path = own.span.path
        return {"path": path, "text": with_libraries(world.checked.pages)[path].text}
    bundled = bundled_teams()
    if id not in bundled:
        known = (*world.rulebook.teams, *bundled)
        raise TeamError(f"There is no team {id[:60]!r}", f"{suggest(id, known)} There is {', '.join(known)}.".strip())
    team, text = bundled[id]
    return {"path": team.span.path, "text": text}


def _needs_game(team: Team) -> bool:
    """Whether somebody in it works for each that is in sight."""
    return any(getattr(part, "each", "") for part in team.work)


def _fits(waiting: Json, given: Json | None) -> bool:
    """Whether what a human said is what was asked."""
    if given is None:
        return False
    return given["approve"] is not None if waiting["kind"] == "approve" else bool(given["answer"])


async def _last(told: AsyncGenerator[Progress | TeamResult]) -> TeamResult:
    async with aclosing(told) as working:
        async for each in working:
            if isinstance(each, TeamResult):
                return each
    raise AssertionError("the result comes last")
