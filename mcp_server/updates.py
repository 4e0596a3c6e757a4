"""Owns telling clients that a resource of a game has changed, whoever changed it, in whichever worker.

`Updates(app, resources).add(mcp)`: `resources/subscribe` of the 2025 era, `subscriptions/listen` of 2026-07-28. A client is told
when what it would read is another text than before. It must not know what games are.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from mcp.server import MCPServer
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    EmptyResult,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)

from agents.access import Principal, Refused
from agents.game import GameError
from agents.worlds import WorldError
from mcp_server import who
from mcp_server.resources import Resources
from rulebound.app import App
from storage import StoreError

MOST = 100
"""Resources that one client may watch."""
_GAME = re.compile(r"game://([^/]+)/(state|transcript|map)")

Tell = Callable[[], Awaitable[None]]


@dataclass(eq=False)
class _Watched:
    """One resource of one game: the streams, and how to tell the sessions, of those who watch it."""

    who: Principal
    handle: str
    part: str
    etag: str = ""
    streams: set[object] = field(default_factory=set[object])
    sessions: dict[object, Tell] = field(default_factory=dict[object, Tell])


class Updates:
    """The resources of games that clients of this worker watch."""

    def __init__(self, app: App, resources: Resources):
        self.bus = InMemorySubscriptionBus()
        self._streams = ListenHandler(self.bus)
        self._app, self._resources = app, resources
        self._watched: dict[str, dict[str, _Watched]] = {}
        """By the game's id and the resource's address."""
        self._sessions: dict[object, dict[str, AsyncExitStack]] = {}
        self._listening: asyncio.Task[None] | None = None

    def add(self, mcp: MCPServer[Any]) -> None:
        """Serves subscriptions. The SDK has no public place for handlers that know who asks."""
        lowlevel = mcp._lowlevel_server  # pyright: ignore[reportPrivateUsage]
        lowlevel.add_request_handler("subscriptions/listen", SubscriptionsListenRequestParams, self._stream)
        lowlevel.add_request_handler("resources/subscribe", SubscribeRequestParams, self._subscribe)
        lowlevel.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe)

    # --- 2026-07-28: a stream that names what it wants

    async def _stream(
        self, ctx: ServerRequestContext[Any, Any], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        wanted, token = params.notifications, object()
        uris = [str(uri) for uri in wanted.resource_subscriptions or ()][:MOST]
        async with AsyncExitStack() as stack:
            # Of a game that is not the principal's they are told nothing, not even that somebody plays it.
            kept = [uri for uri in uris if await self._watch(stack, who.of(ctx.request), uri, token, None)]
            own = wanted.model_copy(update={"resource_subscriptions": kept})
            return await self._streams(ctx, params.model_copy(update={"notifications": own}))

    # --- 2025: a session

    async def _subscribe(self, ctx: ServerRequestContext[Any, Any], params: SubscribeRequestParams) -> EmptyResult:
        connection = ctx.session._connection  # pyright: ignore[reportPrivateUsage]  # what lasts as long as the session
        known = self._sessions.get(connection)
        if known is None:
            known = self._sessions[connection] = {}
            connection.exit_stack.push_async_callback(self._gone, connection)
        uri = str(params.uri)
        if uri in known:
            return EmptyResult()
        if len(known) >= MOST:
            raise MCPError(INVALID_PARAMS, f"A session watches at most {MOST} resources", data={"uri": uri})
        stack = AsyncExitStack()
        session = ctx.session

        async def tell() -> None:
            await session.send_resource_updated(uri)

        if await self._watch(stack, who.of(ctx.request), uri, connection, tell):
            known[uri] = stack
        return EmptyResult()

    async def _unsubscribe(self, ctx: ServerRequestContext[Any, Any], params: UnsubscribeRequestParams) -> EmptyResult:
        connection = ctx.session._connection  # pyright: ignore[reportPrivateUsage]
        stack = self._sessions.get(connection, {}).pop(str(params.uri), None)
        if stack is not None:
            await stack.aclose()
        return EmptyResult()

    async def _gone(self, connection: object) -> None:
        for stack in self._sessions.pop(connection, {}).values():
            await stack.aclose()

    # --- both

    async def _watch(
        self, stack: AsyncExitStack, principal: Principal, uri: str, token: object, tell: Tell | None
    ) -> bool:
        """Watches until the stack ends; False where there is nothing of the principal's to watch. Other resources than
        games' never change."""
        found = _GAME.fullmatch(uri)
        if found is None:
            return True
        try:
            game = await self._resources.game_of(principal, found[1])
        except (Refused, GameError, StoreError, WorldError):
            return False
        watched = self._watched.setdefault(game, {}).setdefault(uri, _Watched(principal, found[1], found[2]))
        watched.etag = watched.etag or await self._etag(watched)
        if tell is None:
            watched.streams.add(token)
        else:
            watched.sessions[token] = tell
        if self._listening is None or self._listening.done():
            self._listening = asyncio.create_task(self._listen())
        stack.callback(self._unwatch, game, uri, token)
        return True

    def _unwatch(self, game: str, uri: str, token: object) -> None:
        watched = self._watched[game][uri]
        watched.streams.discard(token)
        watched.sessions.pop(token, None)
        if not (watched.streams or watched.sessions):
            del self._watched[game][uri]
        if not self._watched[game]:
            del self._watched[game]
        if not self._watched and self._listening is not None:
            self._listening.cancel()
            self._listening = None

    async def _listen(self) -> None:
        async with self._app.games.news.listen() as news:
            await self._look(list(self._watched))
            async for games in news:
                await self._look(
                    [each for each in (self._watched if games is None else games) if each in self._watched]
                )

    async def _look(self, games: list[str]) -> None:
        """Tells of what is another text than before."""
        for uri, watched in [each for game in games for each in self._watched.get(game, {}).items()]:
            etag = await self._etag(watched)
            if not etag or etag == watched.etag:
                continue
            watched.etag = etag
            if watched.streams:
                await self.bus.publish(ResourceUpdated(uri=uri))
            for tell in list(watched.sessions.values()):
                with suppress(Exception):  # whoever has gone is no reason not to tell the others
                    await tell()

    async def _etag(self, watched: _Watched) -> str:
        """Of what would be read now; empty where it cannot be."""
        try:
            return await self._resources.etag(watched.who, watched.handle, watched.part)
        except (Refused, GameError, StoreError, WorldError):
            return ""
