"""Owns the composition of identity and limits for one worker: an app in, what the web application needs out.

`Entrance.of(store, settings)`, `entrance.guard(app)`. It must not know what is served.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Scope

from agents.identity import Identities
from mcp_server.web.doors import Doors
from mcp_server.web.identity import Gate, Guard
from mcp_server.web.limits import Limiter
from rulebound.app import App, Misconfigured
from storage.fenced import FencedStore
from storage.redis import Limits
from storage.redis.tickets import Tickets


@dataclass(frozen=True)
class Entrance:
    """`limiter` for commands that are no requests."""

    gate: Gate
    identities: Identities
    limiter: Limiter
    tickets: Tickets

    @staticmethod
    def of(
        app: App,
        *,
        host: str = "127.0.0.1",
        trust_loopback: bool = False,
        relayed: Callable[[Scope], bool] = lambda _: False,
    ) -> Entrance:
        """For a server that is bound to `host`. Raises `Misconfigured`."""
        settings, store = app.settings, app.store
        assert isinstance(store, FencedStore), "what is served is kept"
        assert app.access is not None, "what is served is kept"
        try:
            doors = Doors.of(host, settings.url, settings.proxies)
        except ValueError as error:
            raise Misconfigured(str(error)) from error
        gate = Gate(doors, settings.url, settings.issuer, settings.public, trust_loopback, relayed)
        return Entrance(gate, app.access.identities, Limiter(Limits(store.redis)), Tickets(store.redis))

    def guard(self, app: ASGIApp) -> Guard:
        """Stands before the application: the outermost middleware but for what only says from where a request comes."""
        return Guard(app, self.gate, self.identities, self.limiter, self.tickets)
