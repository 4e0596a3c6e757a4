"""Owns Streamable HTTP for both eras of the protocol: JSON where a request is only answered, a stream where it is talked about.

`transport = Transport(mcp, asks=…)`, an ASGI app that is served inside `async with transport.run()`. It must not know tools, nor
how a principal is recognised.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, cast
from uuid import uuid4

import orjson
from mcp.server import MCPServer
from mcp.server.auth.middleware.bearer_auth import AuthorizationContext
from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import LOG_LEVEL_META_KEY
from starlette.types import Message, Receive, Scope, Send

Asks = Callable[[str, Mapping[str, Any]], bool]
"""Whether a call of a tool may ask the user something while it runs: its name, its arguments."""

MAX_BODY = 1024 * 1024
"""Bytes of a request: a page, with room to spare."""
MAX_SESSIONS = 2_000
"""Sessions of the 2025 era in one worker; one more is refused with 503."""
IDLE = 600.0
"""Seconds without a request after which a session of the 2025 era ends; its client is told 404 and begins another."""


_plain: ContextVar[bool] = ContextVar("plain", default=False)
"""Whether the request of this task is answered with JSON. A stream costs a third more CPU, so it is for those that need it."""


class Transport(StreamableHTTPSessionManager):
    """Serves an MCP server. Sessions of the 2025 era live in this worker and belong to the principal who began them; requests of
    2026-07-28 have none."""

    def __init__(
        self,
        mcp: MCPServer[Any],
        *,
        asks: Asks = lambda tool, arguments: False,
        security: TransportSecuritySettings | None = None,
        max_body: int = MAX_BODY,
        max_sessions: int = MAX_SESSIONS,
        idle: float = IDLE,
    ):
        super().__init__(
            mcp._lowlevel_server,  # pyright: ignore[reportPrivateUsage]
            security_settings=security,
            session_idle_timeout=idle,
            max_request_body_size=max_body,
            max_sessions=max_sessions,
        )
        self._asks = asks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request, whose `user` is known already: a session answers to that of its beginning alone."""
        # httptools leaves the white space around a value that RFC 9110 wants excluded.
        headers = [(name, value.strip()) for name, value in scope["headers"]]
        await self.asgi_app({**scope, "headers": headers}, receive, send)

    @property
    def json_response(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The SDK asks this for each request."""
        return _plain.get()

    @json_response.setter
    def json_response(self, value: bool) -> None:
        """The SDK sets a mode for all requests; here each has its own."""

    async def _handle_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Decides by the message, which the middleware around this has read and limited."""
        first = await receive()
        _plain.set(_is_plain(first.get("body", b""), self._asks))
        waiting: list[Message] = [first]

        async def again() -> Message:
            return waiting.pop() if waiting else await receive()

        await super()._handle_request(scope, again, send)

    def _admit_session(self, requestor: AuthorizationContext | None) -> StreamableHTTPServerTransport | None:
        """As the SDK's, with a session that decides for each request."""
        if self.max_sessions is not None and len(self._server_instances) >= self.max_sessions:
            return None
        session = _Session(
            uuid4().hex, security_settings=self.security_settings, idle_timeout=self.session_idle_timeout
        )
        assert session.mcp_session_id is not None
        self._server_instances[session.mcp_session_id] = session
        if requestor is not None:
            self._session_owners[session.mcp_session_id] = requestor
        return session


class _Session(StreamableHTTPServerTransport):
    """A session of the 2025 era."""

    @property
    def is_json_response_enabled(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The SDK asks this in the task of a request, and in the session's own, which passes on what goes into streams."""
        return _plain.get()

    @is_json_response_enabled.setter
    def is_json_response_enabled(self, value: bool) -> None:
        """The SDK sets a mode for all requests; here each has its own."""

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Any]:
        # The task of the session began in that of its first request, whose mode is not for those that follow.
        _plain.set(False)
        async with super().connect() as streams:
            yield streams


def _is_plain(body: bytes, asks: Asks) -> bool:
    """Whether a request is answered with JSON: nothing is reported while it runs, and the user is not asked.

    What is no JSON is; the SDK says what is wrong with it.
    """
    try:
        message = orjson.loads(body)
    except ValueError:
        return True
    params = _mapping(_mapping(message).get("params"))
    meta = _mapping(params.get("_meta"))
    if "progressToken" in meta or LOG_LEVEL_META_KEY in meta:
        return False
    name = params.get("name")
    calls = _mapping(message).get("method") == "tools/call" and isinstance(name, str)
    return not (calls and asks(cast("str", name), _mapping(params.get("arguments"))))


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}
