"""Owns telling clients that a resource of a game or a knowledge base has changed, whoever changed it, in whichever worker.

`Updates(app, resources, pages).add(mcp)`: `resources/subscribe` of the 2025 era, `subscriptions/listen` of 2026-07-28. A client is told
when what it would read is another text than before. It must not know what games are.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
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
from agents.knowledge import KnowledgeError
from agents.worlds import WorldError
from kb.pages.names import WriteError
from kb.pages.source import SourceError
from mcp_server import who
from mcp_server.pages import Pages
from mcp_server.resources import Resources
from rulebound.app import KNOWLEDGE, App
from storage import StoreError

MOST = 100
"""Resources that one client may watch."""
_BASE = re.compile(r"kb://[^/@]+")
_GAME = re.compile(r"game://([^/]+)/(state|transcript|map)")

Tell = Callable[[], Awaitable[None]]


@dataclass(eq=False)
class _Watched:
    """One resource for one principal: the streams, and how to tell the sessions, of those who watch it."""

    read: Callable[[], Awaitable[str]]
    """The etag of what would be read now; empty where it cannot be."""
    etag: str
    streams: set[object] = field(default_factory=set[object])
    sessions: dict[object, Tell] = field(default_factory=dict[object, Tell])


class Updates:
    """The resources that clients of this worker watch."""

    def __init__(self, app: App, resources: Resources, pages: Pages):
        self.bus = InMemorySubscriptionBus()
        self._streams = ListenHandler(self.bus)
        self._app, self._resources, self._pages = app, resources, pages
        self._watched: dict[str, dict[tuple[str, str], _Watched]] = {}
        """By the game's id or the knowledge base's address, then by the resource's address and the principal."""
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
        """Watches until the stack ends; False where there is nothing of the principal's to watch. Other resources than those of
        games and knowledge bases never change."""
        game, base = _GAME.fullmatch(uri), _BASE.match(uri)
        if game is not None:
            read = partial(self._of_game, principal, game[1], game[2])
            try:
                topic = await self._resources.game_of(principal, game[1])
            except (Refused, GameError, StoreError, WorldError):
                return False
        elif base is not None:
            read, topic = partial(self._of_base, principal, uri), base[0]
        else:
            return True
        etag = await read()
        if not etag:
            return False
        key = uri, principal.id
        watched = self._watched.setdefault(topic, {}).setdefault(key, _Watched(read, etag))
        if tell is None:
            watched.streams.add(token)
        else:
            watched.sessions[token] = tell
        if self._listening is None or self._listening.done():
            self._listening = asyncio.create_task(self._listen())
        stack.callback(self._unwatch, topic, key, token)
        return True

    def _unwatch(self, topic: str, key: tuple[str, str], token: object) -> None:
        watched = self._watched[topic][key]
        watched.streams.discard(token)
        watched.sessions.pop(token, None)
        if not (watched.streams or watched.sessions):
            del self._watched[topic][key]
        if not self._watched[topic]:
            del self._watched[topic]
        if not self._watched and self._listening is not None:
            self._listening.cancel()
            self._listening = None

    async def _listen(self) -> None:
        await asyncio.gather(self._listen_to_games(), self._listen_to_bases())

    async def _listen_to_games(self) -> None:
        async with self._app.games.news.listen() as news:
            await self._look(list(self._watched))
            async for games in news:
                await self._look(list(self._watched) if games is None else games)

    async def _listen_to_bases(self) -> None:
        async with self._app.store.channels.listen(KNOWLEDGE) as said:
            async for each in said:
                await self._look(list(self._watched) if each is None else [f"kb://{each['namespace']}"])

    async def _look(self, topics: Sequence[str]) -> None:
        """Tells of what is another text than before."""
        for (uri, _), watched in [each for topic in topics for each in self._watched.get(topic, {}).items()]:
            etag = await watched.read()
            if not etag or etag == watched.etag:
                continue
            watched.etag = etag
            if watched.streams:
                await self.bus.publish(ResourceUpdated(uri=uri))
            for tell in list(watched.sessions.values()):
                with suppress(Exception):  # whoever has gone is no reason not to tell the others
                    await tell()

    async def _of_game(self, principal: Principal, handle: str, part: str) -> str:
        with suppress(Refused, GameError, StoreError, WorldError):
            return await self._resources.etag(principal, handle, part)
        return ""

    async def _of_base(self, principal: Principal, uri: str) -> str:
        with suppress(KnowledgeError, Refused, SourceError, StoreError, WriteError):
            return await self._pages.etag(principal, uri)
        return ""
