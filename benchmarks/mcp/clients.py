"""Owns clients that cost little: JSON-RPC over one kept connection, or over a process's standard input and output."""

from __future__ import annotations

import asyncio
import json
import time
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Caller(Protocol):
    """Calls tools, one after the other."""

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Any: ...
    async def close(self) -> None: ...


def _message(tool: str, arguments: Mapping[str, Any]) -> bytes:
    params = {"name": tool, "arguments": arguments, "_meta": META}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()


def _result(answer: bytes) -> Any:
    message = json.loads(answer)
    if "error" in message or message["result"].get("isError"):
        raise RuntimeError(answer.decode()[:500])
    return message["result"].get("structuredContent")


class OverHttp:
    """One connection to `/mcp` of the protocol without sessions."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str):
        self._reader, self._writer, self._host = reader, writer, host

    @classmethod
    async def to(cls, port: int) -> Self:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        return cls(reader, writer, f"127.0.0.1:{port}")

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Any:
        body = _message(tool, arguments)
        head = (
            f"POST /mcp HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
            f"Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: {VERSION}\r\n"
            f"Mcp-Method: tools/call\r\nMcp-Name: {tool}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        answered = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if b"content-length: " not in answered:
            raise RuntimeError(answered.decode())
        length = int(answered.split(b"content-length: ")[1].split(b"\r\n")[0])
        return _result(await self._reader.readexactly(length))

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


class OverStdio:
    """A server, or a bridge, of its own."""

    def __init__(self, process: Process):
        self.process = process

    @classmethod
    async def of(cls, command: Sequence[str], environment: Mapping[str, str]) -> Self:
        return cls(await create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env=environment, limit=2**22))

    async def say(self, message: bytes) -> bytes:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(message + b"\n")
        while b'"id"' not in (line := await self.process.stdout.readline()):
            if not line:
                raise RuntimeError("the server ended")
        return line

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Any:
        return _result(await self.say(_message(tool, arguments)))

    async def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.process.wait()


async def first_list(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Seconds from the start of a command to its answer to `tools/list`, as a client of the 2025 protocol asks."""
    began = time.perf_counter()
    client = await OverStdio.of(command, environment)
    spoken = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "benchmark", "version": "1"}}
    await client.say(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": spoken}).encode())
    assert client.process.stdin is not None
    client.process.stdin.write(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
    answer = await client.say(b'{"jsonrpc": "2.0", "id": 2, "method": "tools/list"}')
    spent = time.perf_counter() - began
    assert b'"tools"' in answer
    await client.close()
    return spent
