"""Owns the daemon's socket for bridges: a hello, then MCP as on standard input and output, a message a line.

`Lines(server_for).serve(sock)`. Only the owner of the home can open the socket, so whoever does is the owner. It must not
know what is served.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from mcp_server.daemon.place import LINE_LIMIT
from rulebound import __version__


class Lines:
    """Serves connections. `server_for` gives the server for the worlds that a client names; what it raises is told."""

    def __init__(self, server_for: Callable[[Sequence[str]], MCPServer[Any]]):
        self._server_for = server_for
        self._clients: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many clients are there."""
        return len(self._clients)

    @asynccontextmanager
    async def serving(self, sock: socket.socket) -> AsyncGenerator[None]:
        """Takes connections inside the `async with`; what is under way at its end is cut."""
        server = await asyncio.start_unix_server(self._client, sock=sock, limit=LINE_LIMIT)
        try:
            yield
        finally:
            server.close()
            for task in self._clients:
                task.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            await self._serve(reader, writer)
        except* (OSError, ValueError, asyncio.CancelledError):
            pass  # the client left, or said what is no line
        finally:
            self._clients.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = json.loads(await reader.readline())
        try:
            mcp = self._server_for(tuple(map(str, hello["worlds"])))
        except Exception as error:
            hint = getattr(error, "hint", "Look into the daemon's log.")
            writer.write(json.dumps({"error": str(error), "hint": hint}).encode() + b"\n")
            return
        writer.write(json.dumps({"rulebound": __version__}).encode() + b"\n")
        said, heard = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        answers, told = anyio.create_memory_object_stream[SessionMessage](0)

        async def read() -> None:
            async with said:
                while line := await reader.readline():
                    try:
                        await said.send(SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False)))
                    except ValueError as error:
                        await said.send(error)

        async def write() -> None:
            async with told:
                async for each in told:
                    if writer.is_closing():
                        raise BrokenPipeError  # uvloop has an error of its own for a transport that is closed
                    writer.write(each.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
                    await writer.drain()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            tasks.start_soon(write)
            lowlevel = mcp._lowlevel_server  # pyright: ignore[reportPrivateUsage]  # the only way to streams of our own
            await lowlevel.run(heard, answers, lowlevel.create_initialization_options())
            tasks.cancel_scope.cancel()
