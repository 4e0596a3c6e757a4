"""Owns the places for workers: one process after the other in each, asked over its socket. It must not know what is asked."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from benchmarks.chaos import worker as program

PROCESSES = get_context("forkserver")
"""Workers are copies of a process that has everything imported, so that one that was killed is back at once."""
PROCESSES.set_forkserver_preload([program.__name__])
Json = dict[str, Any]


class Gone(Exception):
    """The worker did not answer: it was killed, or took too long."""


class Worker:
    """One place for a worker, in which a process runs after the other."""

    def __init__(self, name: str, folder: Path, given: Json):
        self.name = name
        self._socket = folder / f"{name}.sock"
        self.log = folder / f"{name}.log"
        self._given = {**given, "socket": str(self._socket), "log": str(self.log)}
        self._process: ForkServerProcess | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[Json]] = {}
        self._asked = 0
        self._keeper: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()
        self.ends = 0
        """How often it ended by itself."""

    async def ask(self, seconds: float, **what: str) -> Json:
        """A request's answer. Raises `Gone`."""
        if self._writer is None:
            raise Gone(f"{self.name} is not there")
        self._asked += 1
        id, future = self._asked, asyncio.get_running_loop().create_future()
        self._waiting[id] = future
        try:
            self._writer.write(json.dumps({"id": id, "do": what}).encode() + b"\n")
            return await asyncio.wait_for(future, seconds)
        except (OSError, TimeoutError) as error:
            raise Gone(f"{self.name}: {error or type(error).__name__}") from error
        finally:
            self._waiting.pop(id, None)

    def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Ends it for good."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self.kill()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.is_alive():
            os.kill(self._process.pid or 0, number)

    async def _keep(self) -> None:
        """Starts it, over and over."""
        while True:
            self._socket.unlink(missing_ok=True)
            self._process = PROCESSES.Process(target=program.run, args=(self._given,), daemon=True)
            self._process.start()
            while self._process.is_alive():
                with suppress(OSError):
                    reader, self._writer = await asyncio.open_unix_connection(self._socket)
                    await self._read(reader)
                await asyncio.sleep(0.02)
            self.ends += self._process.exitcode != -signal.SIGKILL

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Hands out the answers until the connection ends."""
        self.ready.set()
        try:
            while line := await reader.readline():
                answer: Json = json.loads(line)
                if (future := self._waiting.get(answer["id"])) is not None and not future.done():
                    future.set_result(answer)
        finally:
            self.ready.clear()
            assert self._writer is not None, "it was just connected"
            self._writer.close()
            self._writer = None
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(ConnectionResetError("the worker ended"))
