"""Owns the order of turns: those that wait for the same game are resolved one after another and committed together.

`await lanes.do(game, request)`. While a commit is under way the next turns gather, so that many players of one world cost
few commits. A conflict with another worker is settled by resolving again. It must not know what a turn does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from agents.held import Held
from agents.worlds import World
from storage import Conflict, KnownTurn, Progress, ProgressEvent, Seat, Told, TurnRecord

MAX_TRIES = 20
MAX_BATCH = 64


@dataclass(frozen=True, slots=True)
class Step:
    """What one request leads to: the game after it, and what is stored with it."""

    held: Held
    turn: TurnRecord | None
    """None: nothing happened, and nothing is stored."""
    touched: frozenset[str] | None = None
    """Instances that may differ; None: any."""
    progress: tuple[Progress, ...] = ()
    events: tuple[ProgressEvent, ...] = ()
    told: tuple[Told, ...] = ()
    seats: tuple[Seat, ...] = ()
    left: tuple[str, ...] = ()


Resolve = Callable[[World, Held], Awaitable[Step]]


@dataclass(slots=True, eq=False)
class Request:
    """Something to be done in a game. The same key again is the same turn."""

    resolve: Resolve
    key: str
    alone: bool = False
    """It reads what the turns before it stored, so it waits until they are."""
    done: asyncio.Future[TurnRecord | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(slots=True)
class _Lane:
    waiting: deque[Request] = field(default_factory=deque[Request])
    under_way: list[Request] = field(default_factory=list[Request])
    busy: bool = False


class Lanes:
    """`held` gives a game as it is (`fresh`: surely not an older one); `commit` stores what steps led to."""

    def __init__(
        self,
        held: Callable[[str, bool], Awaitable[tuple[World, Held]]],
        commit: Callable[[World, Held, list[Step]], Awaitable[None]],
    ):
        self._held, self._commit = held, commit
        self._lanes: dict[str, _Lane] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def do(self, game: str, resolve: Resolve, key: str, *, alone: bool = False) -> TurnRecord | None:
        """The turn that was stored; the first one where its key was known. Raises what `resolve` and the store raise."""
        lane = self._lanes.setdefault(game, _Lane())
        same = next((each for each in (*lane.under_way, *lane.waiting) if each.key == key), None)
        request = same or Request(resolve, key, alone)
        if same is None:
            lane.waiting.append(request)
            if not lane.busy:
                lane.busy = True
                task = asyncio.create_task(self._run(game, lane))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        return await asyncio.shield(request.done)

    async def close(self) -> None:
        """Waits until everything that was begun is done."""
        while self._running:
            await asyncio.wait(self._running)

    async def _run(self, game: str, lane: _Lane) -> None:
        try:
            while lane.waiting:
                lane.under_way = [lane.waiting.popleft()]
                while lane.waiting and len(lane.under_way) < MAX_BATCH and not lane.waiting[0].alone:
                    lane.under_way.append(lane.waiting.popleft())
                await self._settle(game, lane.under_way)
                lane.under_way = []
        finally:
            lane.busy = False
            self._lanes.pop(game, None)
            _fail((*lane.under_way, *lane.waiting), asyncio.CancelledError())

    async def _settle(self, game: str, batch: list[Request]) -> None:
        left = list(batch)
        try:
            for attempt in range(MAX_TRIES):
                world, held = await self._held(game, attempt > 0)
                found = await self._resolved(world, held, left)
                steps = [each for each in found if isinstance(each, Step) and each.turn is not None]
                if not steps and attempt == 0:
                    continue  # what is in memory may be old, and only a commit tells
                try:
                    await self._commit(world, held, steps)
                except Conflict:
                    continue
                except KnownTurn as known:
                    left = _answered(left, known.turns)
                    continue
                for request, each in zip(left, found, strict=True):
                    if isinstance(each, Step):
                        _answer(request, each.turn)
                    else:
                        _fail((request,), each)
                return
            raise Conflict("the game is being played elsewhere at the same time")
        except Exception as error:
            _fail(left, error)

    async def _resolved(self, world: World, held: Held, batch: list[Request]) -> list[Step | Exception]:
        """Each request on the state that the one before it left, or why it cannot be done there; it fails alone."""
        found: list[Step | Exception] = []
        for request in batch:
            try:
                step = await request.resolve(world, held)
            except Exception as error:
                found.append(error)
            else:
                held = step.held
                found.append(step)
        return found


def _answered(batch: list[Request], known: Iterable[TurnRecord]) -> list[Request]:
    """Gives requests that were done before their stored turn; returns the others."""
    by_key = {turn.key: turn for turn in known}
    for request in batch:
        if request.key in by_key:
            _answer(request, by_key[request.key])
    return [request for request in batch if request.key not in by_key]


def _answer(request: Request, turn: TurnRecord | None) -> None:
    if not request.done.done():
        request.done.set_result(turn)


def _fail(batch: Iterable[Request], error: BaseException) -> None:
    for request in batch:
        if not request.done.done():
            request.done.set_exception(error)
