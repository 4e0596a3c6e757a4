"""Owns how the workers behind one port reach each other: a session of the 2025 protocol stays in the worker that made it.

`Relay(app, peers)` passes a request for another worker's session to that worker, by a socket that only the owner can open.
It must not know what is served.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import anyio
import httpx2
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SESSION = "mcp-session-id"
CLIENT = "x-rulebound-client"
"""Who is at the other end of a relayed request: read on the private socket alone."""
HOP_BY_HOP = frozenset(["connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "date"])


class Peers:
    """The workers by number, each with the path of its private socket; `mine` is this one's."""

    def __init__(self, mine: int, sockets: Sequence[str]):
        self.mine, self._sockets = mine, sockets
        # A stream of events may be silent for long; who waits for it ends it.
        timeout = httpx2.Timeout(30.0, read=None)
        self._clients = [
            httpx2.AsyncClient(transport=httpx2.AsyncHTTPTransport(uds=path), base_url="http://worker", timeout=timeout)
            for path in sockets
        ]

    def __len__(self) -> int:
        return len(self._clients)

    def private(self, scope: Scope) -> bool:
        """Whether a request came by the private socket."""
        return scope.get("server") == (self._sockets[self.mine], None) if self._sockets else False

    def client(self, number: int) -> httpx2.AsyncClient:
        """HTTP to another worker."""
        return self._clients[number]

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()


class Relay:
    """ASGI: names each session after its worker, and passes what is another's on to it."""

    def __init__(self, app: ASGIApp, peers: Peers):
        self._app, self._peers = app, peers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or len(self._peers) < 2:
            await self._app(scope, receive, send)
            return
        headers = MutableHeaders(scope=scope)
        number, _, session = headers.get(SESSION, "").partition("-")
        # No more digits than a worker's number may have: Python refuses to read very many.
        if session and number.isdecimal() and int(number[:9]) != self._peers.mine:
            if int(number[:9]) < len(self._peers) and not self._peers.private(scope):
                await self._pass_on(int(number[:9]), scope, receive, send)
            else:
                await _gone(scope, receive, send)
            return
        if session:
            headers[SESSION] = session

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                if own := answered.get(SESSION):
                    answered[SESSION] = f"{self._peers.mine}-{own}"
            await send(message)

        await self._app(scope, receive, named)

    async def _pass_on(self, number: int, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = [each for each in Headers(scope=scope).items() if each[0] not in HOP_BY_HOP and each[0] != CLIENT]
        headers.append((CLIENT, (scope.get("client") or ("", 0))[0]))
        client = self._peers.client(number)
        begun = False
        async with anyio.create_task_group() as tasks:

            async def until_gone() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            tasks.start_soon(until_gone)
            with suppress(httpx2.TransportError):
                async with client.stream(scope["method"], scope["path"], headers=headers, content=body) as answer:
                    kept = [(k, v) for k, v in answer.headers.raw if k.decode().lower() not in HOP_BY_HOP]
                    begun = True
                    await send({"type": "http.response.start", "status": answer.status_code, "headers": kept})
                    async for chunk in answer.aiter_raw():
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
            if not begun:
                await _gone(scope, receive, send)
            tasks.cancel_scope.cancel()


async def _gone(scope: Scope, receive: Receive, send: Send) -> None:
    """The worker ended, and its sessions with it: a client begins a new one."""
    error = {"code": -32600, "message": "Session not found"}
    await JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, 404)(scope, receive, send)


class Sender:
    """ASGI, outermost: a relayed request has the address of whoever sent it; nobody else can claim one.

    What a worker asks for itself goes to `own`, past everything that guards `app`.
    """

    def __init__(self, app: ASGIApp, own: ASGIApp, peers: Peers):
        self._app, self._own, self._peers = app, own, peers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._peers.private(scope):
            client = Headers(scope=scope).get(CLIENT)
            if client is None:
                await self._own(scope, receive, send)
                return
            scope["client"] = (client, 0)
        await self._app(scope, receive, send)
