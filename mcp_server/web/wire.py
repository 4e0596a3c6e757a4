"""Owns one WebSocket: the tasks that serve it, what waits for the client to read it, and how it ends.

`wire = Wire(websocket, times, …)`; `await wire.run(work(), …)` serves until one of them raises `Ended`. It must not know what is
said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

QUEUE = 64
"""Messages that wait for a client to read them."""


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds."""

    check: float = 25.0
    """Between two looks whether the credential still holds."""
    slow: float = 10.0
    """How long a client may leave everything unread."""
    close: float = 5.0
    """How long we try to say why we close."""


TIMES: Final = Times()


class Ended(Exception):
    """The connection ends: a label for the metrics, and what the client is told; 0: it went by itself."""

    def __init__(self, label: str, code: int = 0, reason: str = ""):
        super().__init__(reason)
        self.label, self.code, self.reason = label, code, reason


class Wire:
    """`ended` is told how it ends, `unexpected` every error that nobody expected."""

    def __init__(
        self,
        websocket: WebSocket,
        times: Times,
        ended: Callable[[str], object],
        unexpected: Callable[[Exception], object],
    ):
        self._websocket, self._times = websocket, times
        self._ended, self._unexpected = ended, unexpected
        self._out = asyncio.Queue[str](QUEUE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._over: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()

    async def run(self, *work: Coroutine[Any, Any, None]) -> None:
        """Serves until one task ends it, then says why and ends the others."""
        for each in (self._write(), *work):
            self.begin(each)
        try:
            ended = await self._over
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if ended.code:
            try:
                async with asyncio.timeout(self._times.close):
                    await self._websocket.close(ended.code, ended.reason)
            except (TimeoutError, WebSocketDisconnect, RuntimeError):
                pass  # nobody is there to be told

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """One more task of this connection."""

        async def guarded() -> None:
            try:
                await work
            except Ended as ended:
                self._end(ended)
            except WebSocketDisconnect:
                self._end(Ended("client"))
            except Exception as error:
                self._unexpected(error)
                self._end(Ended("error", 1011, "This failed, and it is our fault"))

        task = asyncio.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _end(self, ended: Ended) -> None:
        if not self._over.done():
            self._over.set_result(ended)
            self._ended(ended.label)

    async def receive(self) -> str | None:
        """The next frame of the client; None: one of bytes."""
        frame = await self._websocket.receive()
        if frame["type"] == "websocket.disconnect":
            raise Ended("client")
        return frame.get("text")

    async def put(self, type: str, id: Any = None, **rest: Any) -> None:
        """Hands a message to the writer. Where the client reads nothing, waits a while and then ends the connection."""
        text = orjson.dumps({"type": type, **({} if id is None else {"id": id}), **rest}).decode()
        if not self._out.full():
            self._out.put_nowait(text)
            return
        try:
            async with asyncio.timeout(self._times.slow):
                await self._out.put(text)
        except TimeoutError:
            raise Ended("slow", 1013, "Too much was left unread; read faster, and resume") from None

    async def _write(self) -> None:
        while True:
            await self._websocket.send({"type": "websocket.send", "text": await self._out.get()})
