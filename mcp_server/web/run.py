"""Owns serving the HTTP application by uvicorn, on sockets that are given, until an event says to end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import uvicorn
from starlette.types import ASGIApp

GRACE = 5
"""Seconds in which requests that are under way may end."""


class _Server(uvicorn.Server):
    """uvicorn, which leaves the signals to the daemon: it would end the process before the rest is closed."""

    def capture_signals(self) -> nullcontext[None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return nullcontext()


async def run(app: ASGIApp, sockets: Sequence[socket.socket], stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Serves. `ready` is called when it begins."""
    server = _Server(
        uvicorn.Config(
            app,
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=2**16,  # what is longer than it may be is answered up to here, and then closed
            ws_per_message_deflate=False,  # messages are small, and each connection would keep two windows
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # the guard believes the operator's proxies, and no others
            timeout_graceful_shutdown=GRACE,
        )
    )

    async def until_told() -> None:
        await stop.wait()
        server.should_exit = True

    told = asyncio.create_task(until_told())
    ready()
    try:
        await server.serve(list(sockets))
    finally:
        told.cancel()
