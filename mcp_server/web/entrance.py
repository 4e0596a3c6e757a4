"""Owns the composition of identity and limits for one worker: a store and settings in, what the web application needs out.

`Entrance.of(store, settings)`, `entrance.guard(app)`, `async with entrance.open()`. It must not know what is served.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.types import ASGIApp, Scope

from agents.identity import Granting, Identities, Issuer, IssuerKeys
from mcp_server.web.doors import Doors
from mcp_server.web.identity import Gate, Guard
from mcp_server.web.limits import Limiter
from rulebound.settings import Settings
from storage.fenced import FencedStore
from storage.redis import Limits
from storage.redis.tickets import Tickets


class Misconfigured(Exception):
    """The settings do not go together."""

    hint = "See docs/operators/access.md."


@dataclass(frozen=True)
class Entrance:
    """`identities` and `granting` are for tools and administration too; `limiter` for commands that are no requests."""

    gate: Gate
    identities: Identities
    granting: Granting
    limiter: Limiter
    tickets: Tickets

    @staticmethod
    def of(
        store: FencedStore,
        settings: Settings,
        *,
        host: str = "127.0.0.1",
        trust_loopback: bool = False,
        relayed: Callable[[Scope], bool] = lambda _: False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> Entrance:
        """For a server that is bound to `host`. Raises `Misconfigured`."""
        issuer = None
        try:
            doors = Doors.of(host, settings.url, settings.proxies)
            if settings.issuer:
                if not settings.url:
                    raise Misconfigured("RULEBOUND_ISSUER needs RULEBOUND_URL: for whom tokens must be made")
                issuer = Issuer(
                    settings.issuer,
                    [url + end for url in (settings.url, f"{settings.url}/mcp") for end in ("", "/")],
                    IssuerKeys(settings.issuer, settings.jwks_url or None),
                    roles=settings.roles_claim,
                    teams=settings.teams_claim,
                )
        except ValueError as error:
            raise Misconfigured(str(error)) from error
        identities = Identities(store.access, store.channels, now=now, issuer=issuer)
        gate = Gate(doors, settings.url, settings.issuer, settings.public, trust_loopback, relayed)
        return Entrance(
            gate,
            identities,
            Granting(store.access, identities, now=now),
            Limiter(Limits(store.redis)),
            Tickets(store.redis),
        )

    def guard(self, app: ASGIApp) -> Guard:
        """Stands before the application: the outermost middleware but for what only says from where a request comes."""
        return Guard(app, self.gate, self.identities, self.limiter, self.tickets)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Hears of keys that are revoked elsewhere, for as long as it lasts."""
        async with self.identities.listening():
            yield
