"""Owns writing: commits that wait at the same time share one round trip and one flush to disk.

`GroupCommit(connect)`; `await commit(change)` returns when the change is durable. A connection that breaks in the middle
leaves nobody in doubt: the commit is tried again, and its turns' keys tell whether it had been kept. It must not know what
is in a commit.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol

import asyncpg

from storage.postgres.connections import LOST, Connection
from storage.postgres.groups import statement
from storage.records import NEW, Commit
from storage.store import Conflict, Full, StoreAway, StoreError

MOST = 64
"""Commits in one round trip. More are no cheaper, and the lanes would stop working turn about: one waits for the database
while the callers of another take their answers."""
TRIED_AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)


class Marks(Protocol):
    """Games that are marked as being written."""

    deadline: float
    """By the database's clock: later no game may be changed under these marks."""


class Guard(Protocol):
    """Who must know of writes before and after: the hot copies. Its methods raise `StoreAway`."""

    async def begin(self, commits: Sequence[Commit]) -> Marks: ...

    async def settle(
        self, marks: Any, kept: Sequence[Commit], refused: Sequence[Commit], fence: Any, asked: float
    ) -> None:
        """What must come before anybody is told of the commits. `fence` is how it stood, as a row; `asked` when."""
        ...


@dataclass(slots=True, eq=False)
class _Waiting:
    change: Commit
    done: asyncio.Future[None]
    since: float


class GroupCommit:
    """Writers' queue. `connect` opens a connection; `patience` is how many seconds a commit waits for a lost server."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        guard: Guard | None = None,
        *,
        lanes: int = 2,
        patience: float = 10.0,
    ):
        self._connect, self._guard, self._patience = connect, guard, patience
        self._waiting: deque[_Waiting] = deque()
        self._asked: set[asyncio.Future[None]] = set()
        self._news = asyncio.Event()
        self._lanes = [asyncio.ensure_future(self._lane()) for _ in range(lanes)]

    async def commit(self, change: Commit) -> None:
        """Raises `Conflict` where the game's version moved or a key is known (the caller tells which), `Full`,
        `StoreAway` or `StoreError`."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._asked.add(done)
        self._waiting.append(_Waiting(change, done, loop.time()))
        self._news.set()
        try:
            await done
        finally:
            self._asked.discard(done)

    async def close(self) -> None:
        """Finishes what was asked for, then stops."""
        while self._asked:
            await asyncio.wait(self._asked)
            await asyncio.sleep(0)
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)

    async def _lane(self) -> None:
        """Sends what waits, over and over, on a connection of its own."""
        connection: Connection | None = None
        pause = 0.0
        try:
            while True:
                await self._news.wait()
                if connection is None:
                    try:
                        connection = await self._connect()
                    except (*LOST, asyncpg.PostgresError) as error:
                        pause = await self._rest(error, pause)
                        continue
                batch = self._take()
                lost = await self._send(connection, batch) if batch else None
                if lost is None:
                    pause = 0.0
                    continue
                connection.terminate()
                connection = None
                pause = await self._rest(lost, pause)
        finally:
            if connection is not None:
                connection.terminate()

    def _take(self) -> list[_Waiting]:
        """What goes out next: one commit a game, new games apart from those that change. In order of their ids, so that two
        workers never wait for each other."""
        batch: dict[str, _Waiting] = {}
        later: list[_Waiting] = []
        while self._waiting and len(batch) < MOST:
            each = self._waiting.popleft()
            if each.done.done():
                continue
            first = next(iter(batch.values()), each)
            if each.change.game.id in batch or (each.change.base == NEW) != (first.change.base == NEW):
                later.append(each)
            else:
                batch[each.change.game.id] = each
        self._waiting.extendleft(reversed(later))
        if not self._waiting:
            self._news.clear()
        return [batch[game] for game in sorted(batch)]

    async def _rest(self, error: BaseException, pause: float) -> float:
        """After a failure; each pause is longer than the one before."""
        self._give_up(error)
        pause = min(0.05 + 2 * pause, 1.0)
        await asyncio.sleep(pause)
        return pause

    async def _send(self, connection: Connection, batch: list[_Waiting]) -> BaseException | None:
        """One round trip; the error where the connection is lost, or what guards it."""
        changes = [each.change for each in batch]
        guard = None if changes[0].base == NEW else self._guard
        marks = None
        try:
            marks = await guard.begin(changes) if guard else None
            asked = asyncio.get_running_loop().time()
            query, parameters = statement(changes, marks.deadline if marks else inf)
            rows = await connection.fetch(query, *parameters, timeout=self._patience)
            won = {row["id"].hex for row in rows if row["id"] is not None}
            if guard:
                kept = [each for each in changes if each.game.id in won]
                await guard.settle(marks, kept, [each for each in changes if each.game.id not in won], rows[0], asked)
        except (*LOST, StoreError) as error:
            self._again(batch)
            return error
        except TRIED_AGAIN as error:
            self._again(batch)
            self._give_up(error)
        except Exception as error:
            # One that cannot be kept must not take the others with it.
            if len(batch) > 1:
                half = len(batch) // 2
                lost = [await self._send(connection, each) for each in (batch[:half], batch[half:])]
                return next(filter(None, lost), None)
            _fail(batch[0], _told(error))
        else:
            _settle(batch, won)
        return None

    def _again(self, batch: list[_Waiting]) -> None:
        self._waiting.extendleft(reversed(batch))
        self._news.set()

    def _give_up(self, error: BaseException) -> None:
        """Nobody waits longer than the patience lasts."""
        now = asyncio.get_running_loop().time()
        for each in list(self._waiting):
            if now - each.since > self._patience:
                self._waiting.remove(each)
                _fail(each, StoreAway(f"the database does not answer ({str(error) or type(error).__name__})"))
        if not self._waiting:
            self._news.clear()


def _settle(batch: list[_Waiting], won: set[str]) -> None:
    for each in batch:
        game = each.change.game.id
        if game not in won:
            _fail(each, Conflict(f"the game {game!r} is no more at version {each.change.base}"))
        elif not each.done.done():
            each.done.set_result(None)


def _fail(waiting: _Waiting, error: StoreError) -> None:
    if not waiting.done.done():
        waiting.done.set_exception(error)


def _told(error: Exception) -> StoreError:
    """A database error as one of ours; its further lines would show values of players."""
    kind = Full if isinstance(error, asyncpg.InsufficientResourcesError) else StoreError
    return kind("the turn could not be kept: " + str(error).partition("\n")[0])
