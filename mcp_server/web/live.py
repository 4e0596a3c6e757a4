"""Owns `/ws`: playing over a WebSocket. Commands are answered in order, and what others do is told as it happens.

`routes(Live(app, catalog, measures, errors))`; `docs/operators/live.md` has the protocol. Any worker serves any connection: what
it knows it has from the store and its channels. It must not know how turns are resolved, nor how a principal is recognised.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from agents.access import Principal
from agents.game import Game, Reply, opening
from agents.hearing import POLL, Heard
from mcp_server.catalog import Catalog
from mcp_server.web.messages import Ask, Bad, Command, Message, Observe, Ping, Resume, Start, Why, read, refusal
from mcp_server.web.metrics import Measures
from mcp_server.web.refusals import Refusal, only, principal
from mcp_server.web.requests import ID_KEY, Errors
from mcp_server.web.wire import TIMES, Ended, Times, Wire
from router import route
from rulebound.app import App
from storage import StoreError
from storage.records import Json

RECOGNISE_KEY = "rulebound.recognise"
"""Where the web app's middleware puts what recognises a connection's credential again: the principal, or None where it has
ended. It is not there for those whose credential never ends."""
LONELY = 60.0
"""Seconds after which the store is asked what time did in a game that nobody else is in, in case no channel told it."""
MOST_CONNECTIONS = 32
"""Connections of one principal to a worker; the owner of this machine may have more."""
MOST_ASKING = 4
"""Messages for the router of one connection that are being answered."""
MOST_MISSED = 100_000
"""Turns of a world after which nobody is told what they missed."""

Recognise = Callable[[], Awaitable[Principal | None]]
Take = Callable[[Principal, Literal["model"] | None], Awaitable[float]]
"""A rate limit, of messages or of those that may ask a model: the seconds that a principal has to wait before they are heard; 0:
go on."""


async def unlimited(_: Principal, __: Literal["model"] | None) -> float:
    """No limit."""
    return 0.0


@dataclass(frozen=True, slots=True)
class Live:
    """What all connections of a worker share."""

    app: App
    catalog: Catalog
    measures: Measures
    errors: Errors
    take: Take = unlimited
    times: Times = TIMES
    connected: Counter[str] = field(default_factory=Counter[str])
    """How many connections each principal has."""


def routes(live: Live) -> list[WebSocketRoute]:
    """`/ws`, for who may play."""

    async def ws(websocket: WebSocket) -> None:
        who = principal(websocket)
        refused = only(websocket, "game:play")
        if refused is None and who.kind != "local" and live.connected[who.id] >= MOST_CONNECTIONS:
            refused = Refusal(429, "too_many_connections", "You have too many connections", "Close one of them first.")
        if refused is not None:
            await websocket.send_denial_response(refused.response)
            return
        live.connected[who.id] += 1
        live.measures.connections.inc()
        try:
            await websocket.accept()
            await _Connection(live, websocket).run()
        finally:
            live.measures.connections.dec()
            live.connected[who.id] -= 1
            if not live.connected[who.id]:
                del live.connected[who.id]

    return [WebSocketRoute("/ws", ws)]


class _Connection:
    """One client, and the game that it plays."""

    def __init__(self, live: Live, websocket: WebSocket):
        self._live, self._websocket, self._games = live, websocket, live.app.games
        self._who = principal(websocket)
        self._wire = Wire(websocket, live.times, lambda label: live.measures.closed.labels(label).inc(), self._note)
        self._handle, self._event = "", "0"
        self._hearing: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serves until the connection ends."""
        await self._wire.run(self._read(), self._watch())

    def _note(self, error: Exception) -> str:
        """Keeps an error that nobody expected; the id under which it is found."""
        id = str(self._websocket.scope.get(ID_KEY, ""))
        self._live.errors.note(error, id, "/ws")
        return id

    async def _watch(self) -> None:
        """Ends the connection when its credential has ended."""
        recognise: Recognise | None = self._websocket.scope.get(RECOGNISE_KEY)
        while recognise is not None:
            await asyncio.sleep(self._live.times.check)
            try:
                who = await recognise()
            except StoreError:
                continue  # nobody can tell; it is asked again
            if who is None or who.id != self._who.id or not who.may("game:play"):
                raise Ended("credential", 1008, "The credential has ended")
            self._who = who

    async def _read(self) -> None:
        while True:
            text = await self._wire.receive()
            begin, type, id = time.perf_counter(), "unknown", None
            try:
                message = read(text)
                type, id = message.type, message.id
                wait = await self._live.take(self._who, None)
                if wait > 0:
                    raise Bad("rate_limited", "That was too much at once", f"Wait {wait:.1f} s.", id)
                status = await self._do(message)
            except (Ended, WebSocketDisconnect):
                raise
            except Exception as error:
                status = await self._refuse(error, id)
            self._live.measures.messages.labels(type, status).inc()
            if type == "command":
                self._live.measures.command_seconds.observe(time.perf_counter() - begin)

    async def _refuse(self, error: Exception, id: Any) -> str:
        """Tells an error, whatever it is; its code."""
        told = refusal(error)
        if told is None:
            told = "internal", "This failed, and it is our fault", f"Tell an operator this id: {self._note(error)}"
        code, message, hint = told
        id = error.id if isinstance(error, Bad) and error.id is not None else id
        await self._wire.put("error", id, code=code, message=message, hint=hint)
        return code

    # --- what is asked

    async def _do(self, asked: Message) -> str:
        """Answers a message; what came of it."""
        games, who = self._games, self._who.id
        match asked:
            case Ping():
                await self._wire.put("pong", asked.id)
            case Start():
                handle, _ = await games.start(
                    await self._live.catalog.where(self._who, asked.world), who, name=asked.player, seed=asked.seed
                )
                await self._enter(asked, await games.game(handle, who), None)
            case Resume():
                handle = asked.handle or await self._last(asked)
                await self._live.catalog.play(self._who, handle)
                await self._enter(asked, await games.game(handle, who), asked.since)
            case Command():
                return await self._command(asked)
            case Observe():
                await self._answer(asked, observed=await games.observe(await self._seat(), who, asked.since))
            case Why():
                await self._answer(asked, why=await games.why(await self._seat(), who, asked.turn))
            case Ask():
                await self._ask(asked, await self._seat())
        return "done"

    async def _seat(self) -> str:
        if not self._handle:
            raise Bad("no_game", "No game is open on this connection", "Send start or resume first.")
        await self._live.catalog.play(self._who, self._handle)
        return self._handle

    async def _last(self, asked: Resume) -> str:
        if not asked.world:
            raise Bad("bad_message", "Which game is meant?", "Name its handle, or a world and the player.")
        handle = await self._games.resume(
            await self._live.catalog.where(self._who, asked.world), self._who.id, asked.player
        )
        if handle is None:
            raise Bad("no_such_game", f"{asked.player} has no game in {asked.world}", "Send start.")
        return handle

    async def _answer(self, asked: Message, status: str = "done", **rest: Any) -> None:
        await self._wire.put("response", asked.id, status=status, **rest, event=self._event)

    async def _command(self, asked: Command) -> str:
        handle, who = await self._seat(), self._who.id
        reply = await self._games.act(handle, who, asked.command, key=asked.key)
        more: Json = {}
        if reply.status == "not-understood":
            decision = route(asked.command, await self._games.game(handle, who))
            more = {"citations": [hit.citation for hit in decision.citations]}
        messages = [each for each in (reply.text, *reply.notes) if each]
        await self._answer(asked, reply.status, messages=messages, **_played(reply), **more)
        return reply.status

    async def _ask(self, asked: Ask, handle: str) -> None:
        """A message for the router. Others go on meanwhile: a model may take its time."""
        router = self._live.catalog.router
        if len(self._asking) >= MOST_ASKING:
            raise Bad("rate_limited", "That was too much at once", f"Wait for one of your {MOST_ASKING} questions.")
        if self._live.catalog.answering.asks and (wait := await self._live.take(self._who, "model")) > 0:
            raise Bad("rate_limited", "You asked too much", f"Wait {wait:.1f} s.")

        async def answer() -> None:
            try:
                pieces = router.stream(self._who, asked.question, handle=handle, persona=asked.persona, key=asked.key)
                async for piece in pieces:
                    if piece.answered is None:
                        if asked.stream:
                            await self._wire.put("piece", asked.id, text=piece.text)
                        continue
                    answered = piece.answered
                    status = answered.reply.status if answered.reply else "done"
                    played = _played(answered.reply) if answered.reply else {}
                    data = {**played, **answered.as_data()}
                    await self._answer(asked, status, messages=[answered.text, *answered.notes], **data)
            except (Ended, WebSocketDisconnect):
                raise
            except Exception as error:
                await self._refuse(error, asked.id)

        task = self._wire.begin(answer())
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    # --- what is told

    async def _enter(self, asked: Message, game: Game, since: str | int | None) -> None:
        """Goes on in a game: answers, then tells what was missed, and from then on what happens."""
        now = game.record.version
        turn, _, at = str(now if since is None else since).partition(".")
        if int(turn) > now or now - int(turn) > MOST_MISSED:
            raise Bad("bad_since", "What was missed since then cannot be told", "Resume without since, and observe.")
        if self._hearing is not None:
            self._hearing.cancel()
            await asyncio.gather(self._hearing, return_exceptions=True)
        self._handle, self._event = game.seat.handle, f"{turn}.{at}" if at else turn
        row = game.state.rows[game.player]
        messages = [opening(game), *game.notes] if since is None else list(game.notes)
        await self._answer(
            asked,
            handle=self._handle,
            messages=messages,
            changes=[],
            score=row["score"],
            ended=row["ended"] or None,
            turn=now,
        )
        poll = LONELY if game.record.scope is None else POLL
        self._hearing = self._wire.begin(self._hear(self._handle, int(turn), int(at) if at else None, poll))

    async def _hear(self, handle: str, turn: int, at: int | None, poll: float) -> None:
        begun, measures = time.time(), self._live.measures
        async with await self._games.listen(handle, self._who.id, turn, at, poll=poll) as heard:
            async for each in heard:
                await self._tell(each)
                measures.events.labels(each.type).inc()
                if each.made is not None and each.made >= begun:
                    measures.propagation.observe(time.time() - each.made)

    async def _tell(self, heard: Heard) -> None:
        if heard.at is not None:
            self._event = f"{heard.turn}.{heard.at}"
        type = "user_event" if heard.type == "quest_update" else "room_message"
        await self._wire.put(type, kind=heard.type, text=heard.text, turn=heard.turn, event=self._event)


def _played(reply: Reply) -> Json:
    """What a turn led to, as far as its player saw."""
    names = ("what", "field", "before", "after")
    changes = [{name: each[name] for name in names} for each in reply.changes if each["seen"]]
    return {"changes": changes, "score": reply.score, "ended": reply.ended, "turn": reply.turn}
