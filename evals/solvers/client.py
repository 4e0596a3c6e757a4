"""Owns a client from outside: it plays cases over MCP on a server in a process of its own, as chat clients do.

A model chooses among the server's tools, or without one a case's gold is said. What came of it is read from the database that the server
writes. It must not import the server. docs/evaluators/solvers.md says what it shows.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rulebound
from agents.filled import Filled
from agents.held import Held, read, whole
from agents.models import MARKED, Model, Tool, ToolCall
from agents.worlds import Where
from evals.attempts import Attempt, Status, Step, shown
from evals.cases import Case
from evals.environment import PLAYER, Environment, differences
from evals.oracle import audit, inputs_of
from evals.solvers import Needs, Solver, SolverError
from evals.solvers.acting import FINISH, acted
from evals.solvers.seated import seed_of
from kb import library
from kb.referee import Action, Inputs, State
from kb.referee.parts import head
from rulebound.app import PRINCIPAL
from storage import Loaded, Seat, TurnRecord
from storage.records import Json

if TYPE_CHECKING:
    from mcp.client import Client
    from mcp_types import CallToolResult

    from storage.postgres.store import PostgresStore

PREPARED = "as the case begins"
"""The save in which a case's beginning waits for the client to restore it."""
ORDER = f"""You play a game for the user, with the tools of a game server. Do what the user asks for with `act`, with the handle that you are told,
one command at a time; `observe` shows the game and what is allowed. What the server refuses cannot be done: finish then with `refused`. {MARKED}"""
_CODE = re.compile(r"confirm=(\w+)")


@dataclass(frozen=True)
class Place:
    """A server that runs, and the database that it writes."""

    client: Client
    store: PostgresStore

    async def call(self, tool: str, **given: Any) -> Json:
        """A tool's structured answer. Raises `SolverError` with what it says where it fails."""
        answer = await self.client.call_tool(tool, given)
        told = _words(answer)
        if answer.is_error and (code := _CODE.search(told)):  # it asks whether this is meant
            answer = await self.client.call_tool(tool, {**given, "confirm": code[1]})
            told = _words(answer)
        if answer.is_error:
            raise SolverError(f"{tool}: {told}")
        return _data(answer)


class Game:
    """`Hands` that call a server's tools in one game."""

    def __init__(self, place: Place, at: Environment, seat: Seat, tools: tuple[Tool, ...]):
        self.tools = tools
        self.seat, self.state = seat, at.session.referee.new()
        self.turns: list[TurnRecord | None] = []
        """For each call the turn that it was."""
        self._place, self._at = place, at
        self._last = 0

    def seen(self) -> str:
        """What a client knows that begins to play."""
        return f"handle: {self.seat.handle}"

    def hears(self, line: str) -> None:
        """The server does not hear it."""

    async def does(self, call: ToolCall) -> tuple[Step, str]:
        """What a tool of the server gives, and the turn that it was."""
        answer = await self._place.client.call_tool(call.name, dict(call.arguments))
        told, data = _words(answer), _data(answer)
        turn = await self.look()
        self.turns.append(turn)
        status: Status = data.get("status", "refused" if answer.is_error else "answered")
        says = turn.text if turn is not None else f"{call.name} {json.dumps(call.arguments, default=str)}"
        step = Step(
            says, str(data.get("text", "")), status, "solver", route=data.get("route", ""), hash=self.state.hash
        )
        return replace(step, citations=tuple(data.get("citations", ())), **self._decided(turn, told)), told

    async def look(self) -> TurnRecord | None:
        """Takes what the database holds as the state; the turn that led there, where it is a new one."""
        loaded = await self._place.store.load(self.seat.game)
        assert loaded is not None, "no version was named as known"
        self.state = read(_renamed(loaded, self.seat.instance, PLAYER), self._at.session).state
        before, self._last = self._last, loaded.game.version
        return (await self._place.store.turns(self.seat.game, self._last - 1))[0] if self._last > before else None

    async def prepare(self, state: State) -> None:
        """Puts the game into a state, as a player restores a save."""
        loaded = await self._place.store.load(self.seat.game)
        assert loaded is not None, "no version was named as known"
        record = replace(loaded.game, head=head(state), hash=state.hash)
        saved = _renamed(Loaded(record, whole(Held(record, state))), PLAYER, self.seat.instance)
        await self._place.store.save(PREPARED, saved)
        await self._place.call("act", handle=self.seat.handle, action="restore", arguments={"name": PREPARED})

    def ended(self, attempt: Attempt) -> Attempt:
        """As it is: it is audited when all is over."""
        return attempt

    def _decided(self, turn: TurnRecord | None, told: str) -> Json:
        """What the record of a turn tells besides the answer; of what was no turn, all that was told."""
        actions: list[Json] = turn.outcome["actions"] if turn is not None else []
        if turn is None or not actions:
            return {"lines": tuple(told.splitlines())}
        last = actions[-1]
        refused = any(each["status"] == "refused" for each in actions)
        return {
            **({"status": "refused"} if refused else {}),
            "actions": tuple(shown(_action(each, self.seat.instance)) for each in actions),
            "rule": last["rule"] or "",
            "reason": last["reason"] or "",
            "lines": tuple(
                f"{line['at']} {line['kind']}: {line['text']}" for each in actions for line in each["lines"]
            ),
            "changes": tuple(effect for each in actions for effect in each["effects"]),
            "models": tuple(Filled.load(turn.inputs).by),
        }


class FromOutside:
    """Plays cases over servers; `servers` gives the one that serves a world."""

    def __init__(self, servers: Servers, model: Model | None):
        self._servers, self._model = servers, model
        self._alone: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def solve(self, case: Case, at: Environment, epoch: int) -> Attempt:
        """Plays in a game of its own; in a shared world alone, after it was begun anew."""
        place = await self._servers.of(at.world.where)
        if not at.session.rulebook.settings.shared:
            return await self._played(place, case, at)
        async with self._alone[at.world.where.location]:
            return await self._played(place, case, at)

    async def _played(self, place: Place, case: Case, at: Environment) -> Attempt:
        shared, begun = at.session.rulebook.settings.shared, at.begin(case).state
        referee = at.session.referee
        prepared = bool(differences(referee.join(referee.new(), PLAYER, "you"), begun))
        name = at.world.where.location.rstrip("/").rpartition("/")[2]
        started = await place.call("start", world=name, seed=seed_of(case, int(prepared)))
        if shared:
            await place.call("act", handle=started["handle"], action="reset", arguments={"scope": "world"})
        seat = await place.store.seat(started["handle"], PRINCIPAL)
        offered = (await place.client.list_tools()).tools if self._model is not None else []
        tools = tuple(Tool(each.name, each.description or "", each.input_schema) for each in offered)
        game = Game(place, at, seat, (*tools, FINISH))
        if prepared:
            await game.prepare(begun)
        await game.look()
        if self._model is not None:
            attempt = await acted(case, self._model, game, ORDER)
        else:
            attempt = await self._said(case, game)
        if shared:
            await place.call("act", handle=seat.handle, action="leave")
        turns = iter(game.turns)
        of_steps = [next(turns) if each.hash else None for each in attempt.steps]
        return audit(attempt, case, at, lambda number: _inputs(of_steps[number]))

    async def _said(self, case: Case, game: Game) -> Attempt:
        """A case's gold, or what its user says."""
        steps, states = list[Step](), [game.state]
        for line in case.gold or tuple(turn.says for turn in case.turns):
            step, _ = await game.does(ToolCall("", "act", {"handle": game.seat.handle, "text": line}))
            steps.append(replace(step, says=line))
            states.append(game.state)
        return Attempt(tuple(steps), tuple(states), tuple(range(1, len(steps) + 1)))


def _words(answer: CallToolResult) -> str:
    return "\n".join(getattr(each, "text", "") for each in answer.content)


def _data(answer: CallToolResult) -> Json:
    return answer.structured_content or {}


def _action(told: Json, instance: str) -> Action:
    """A recorded action, of a player who is called as everywhere in evals."""
    return Action(told["action"], json.loads(json.dumps(told["values"]).replace(instance, PLAYER)), told["text"])


def _inputs(turn: TurnRecord | None) -> Inputs | None:
    """What a turn was recorded with; None: no rule was asked."""
    if turn is None or turn.kind != "say":
        return None
    return inputs_of(turn)


def _renamed(loaded: Loaded, old: str, new: str) -> Loaded:
    """A game in which the player has another id."""
    parts = {
        id.replace(old, new): replace(part, data=json.loads(json.dumps(part.data).replace(f'"{old}"', f'"{new}"')))
        for id, part in loaded.parts.items()
    }
    book = json.loads(json.dumps(loaded.game.head).replace(f'"{old}"', f'"{new}"'))
    return Loaded(replace(loaded.game, head=book), parts)


class Servers:
    """Servers by what they serve: one for all bundled worlds, one for each other location. Each starts when it is needed."""

    def __init__(self, home: Path, urls: Mapping[str, str], store: PostgresStore):
        self._home, self._urls, self._store = home, urls, store
        self._running: dict[str, asyncio.Future[Place]] = {}
        self._over = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def of(self, where: Where) -> Place:
        """The server for a world. Raises what keeps it from starting."""
        location = "" if where.location in library.worlds() else where.location
        if location not in self._running:
            self._running[location] = asyncio.get_running_loop().create_future()
            self._tasks.append(asyncio.create_task(self._serve(location, self._running[location])))
        return await self._running[location]

    async def _serve(self, location: str, ready: asyncio.Future[Place]) -> None:
        # In a task of its own, because a connection is closed where it was opened.
        from mcp import StdioServerParameters
        from mcp.client import Client

        command = StdioServerParameters(
            command=sys.executable,
            args=["-m", "rulebound", "mcp", "--standalone", *([location] if location else [])],
            env={"RULEBOUND_HOME": str(self._home), **self._urls},
            cwd=Path(rulebound.__file__).parents[1],
        )
        try:
            async with Client(command) as client:
                ready.set_result(Place(client, self._store))
                await self._over.wait()
        except Exception as error:
            if ready.done():
                raise
            ready.set_exception(SolverError(f"the server does not start: {error}"))

    async def close(self) -> None:
        """Ends them all."""
        self._over.set()
        await asyncio.gather(*self._tasks)


@asynccontextmanager
async def running(home: Path, database_url: str, redis_url: str) -> AsyncGenerator[Servers]:
    """Servers over databases that are there; their other files are in a home of their own."""
    from storage.postgres.store import PostgresStore

    store = await PostgresStore.open(database_url)
    urls = {"RULEBOUND_DATABASE_URL": database_url, "RULEBOUND_REDIS_URL": redis_url}
    servers = Servers(home, urls, store)
    try:
        yield servers
    finally:
        await servers.close()
        await store.close()


@asynccontextmanager
async def opened(needs: Needs) -> AsyncGenerator[Solver]:
    """With databases of its own in the run's home; a model is not needed. Raises `storage.embedded.ServiceError`."""
    from storage.embedded import Supervisor

    if needs.revision is not None:
        raise SolverError(
            "`client` plays what the server serves, which is no other revision", "Leave `--revision` out."
        )
    home = (needs.home / "client").resolve()  # the servers that are started have another working directory
    supervisor = Supervisor(home)
    urls = await asyncio.to_thread(supervisor.acquire)
    try:
        async with running(home, urls.database_url, urls.redis_url) as servers:
            yield FromOutside(servers, needs.model)
    finally:
        await asyncio.to_thread(supervisor.release)
