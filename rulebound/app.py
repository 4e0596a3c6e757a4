"""Owns the composition: settings in, an `App` with its services out.

`async with open_app(settings) as app` uses the real stores; `build(settings, store=…)` takes any: every seam is a parameter.
It must not know transports.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING

from agents.access import Principal
from agents.background import Background
from agents.game import GameService
from agents.waiting import WaitingTurns
from agents.worlds import Where, World
from rulebound.secret import BYTES, secret
from rulebound.settings import Settings
from storage import MemoryStore, Store
from storage.channels import ChannelsAway
from storage.checkpoints import MemoryCheckpoints

if TYPE_CHECKING:
    from agents.identity import Granting, Identities
    from agents.judging import Judging
    from agents.knowledge import KnowledgeService
    from agents.models import Model
    from agents.models.client import Client
    from router import Router
    from rulebound.answering import Answering
    from storage.checkpoints import Checkpoints
    from storage.fenced import FencedStore
    from storage.ledger import Ledger

PRINCIPAL = "local"
"""Who uses the command line and stdio on this machine."""


KNOWLEDGE = "room:knowledge"
"""The channel on which workers hear that a knowledge base's live branch is at another commit: `{"namespace": name}`."""


class Misconfigured(Exception):
    """The settings do not go together."""

    hint = "See docs/operators/access.md."


class Worlds:
    """The live worlds of a process; each is opened once."""

    def __init__(self, settings: Settings):
        self._cache = settings.cache
        self._open: dict[Where, World] = {}

    def commits(self) -> Mapping[str, str]:
        """The live commit of each that is open, by its location, with the branch where one is named."""
        return {
            f"{where.location}@{where.revision}" if where.revision else where.location: world.commit
            for where, world in self._open.items()
        }

    def refresh(self) -> None:
        """Looks for news in every world that is asked over the network."""
        for world in list(self._open.values()):
            if world.remote:
                world.refresh()

    def __call__(self, where: Where) -> World:
        """The world at a location. Raises `agents.worlds.WorldError`."""
        if where not in self._open:
            self._open[where] = World.open(where, cache=self._cache)
        return self._open[where]


@dataclass(frozen=True)
class Access:
    """Who somebody is, and managing what they may."""

    identities: Identities
    granting: Granting


@dataclass(frozen=True)
class App:
    """The services of one process."""

    settings: Settings
    store: Store
    worlds: Worlds
    games: GameService
    secret: bytes
    """Seals what clients carry for us; the same in all workers."""
    access: Access | None
    """None where nothing is kept: there everybody is the owner of the process."""
    model: Model | None
    """None: no model is configured."""
    checkpoints: Checkpoints
    """Where teams' runs are kept."""
    now: Callable[[], datetime]

    @cached_property
    def answering(self) -> Answering:
        """What answers messages."""
        from rulebound.answering import Answering

        return Answering(self.model, self.store, self.games, self.worlds, self.checkpoints, now=self.now)

    @property
    def client(self) -> Client | None:
        """What can tell how providers of models do."""
        from agents.models.client import Client

        return self.model if isinstance(self.model, Client) else None

    def router(self, knowledge: KnowledgeService) -> Router:
        """Answers messages; its teams write to the knowledge bases of a service."""
        return self.answering.router(knowledge)

    async def close(self) -> None:
        """Keeps what is yet to be kept."""
        await self.games.close()
        if "answering" in self.__dict__:
            await self.answering.close()

    def knowledge(self, fixed: Mapping[str, str]) -> KnowledgeService:
        """The knowledge bases: those that were made, and `fixed` ones, by name their locations."""

        from agents.identity import GrantedSpaces, actor
        from agents.knowledge import KnowledgeService, MemorySpaces

        async def audit(who: Principal, action: str, kb: str, data: Mapping[str, int | str]) -> None:
            told = {"namespace": kb, **{name: value for name, value in data.items() if name != "branch"}}
            await self.store.audit(actor(who), action, "", told, who.address)

        async def changed(kb: str) -> None:
            with suppress(ChannelsAway):
                await self.store.channels.say(KNOWLEDGE, {"namespace": kb})

        spaces = MemorySpaces() if self.access is None else GrantedSpaces(self.access.identities, self.access.granting)
        home, cache = self.settings.home, self.settings.cache
        return KnowledgeService(spaces, fixed, home=home, cache=cache, audit=audit, changed=changed)


def build(
    settings: Settings,
    *,
    store: Store | None = None,
    now: Callable[[], datetime] | None = None,
    new_handle: Callable[[], str] | None = None,
    new_seed: Callable[[], int] | None = None,
    sealed_with: bytes | None = None,
    access: Access | None = None,
    model: Model | None = None,
    checkpoints: Checkpoints | None = None,
) -> App:
    """An app with the given seams, or the real ones: the clock, random bits. Without a store nothing is kept."""
    store = store or MemoryStore()
    worlds, now = Worlds(settings), now or (lambda: datetime.now(UTC))
    games = GameService(
        store,
        worlds,
        now=now,
        new_handle=new_handle or (lambda: secrets.token_hex(16)),
        new_seed=new_seed or (lambda: secrets.randbits(63)),
        waiting=WaitingTurns(settings.waiting),
        judging=_judging(model),
    )
    sealed_with = sealed_with or secrets.token_bytes(BYTES)
    return App(settings, store, worlds, games, sealed_with, access, model, checkpoints or MemoryCheckpoints(), now)


def _judging(model: Model | None) -> Judging | None:
    """Who asks what pages leave to judge; nobody where no model is configured."""
    if model is None:
        return None
    from agents.judging import Judging
    from agents.models.batch import Batching

    return Judging(Batching(model))


@asynccontextmanager
async def open_model(settings: Settings, ledger: Ledger | None = None) -> AsyncGenerator[Client | None]:
    """The models that the settings tell, or None where they tell none; what they cost is kept in `ledger`.

    Raises `agents.models.ConfigurationError`.
    """
    if not settings.has_models:
        yield None
        return
    from agents.models.client import Client
    from agents.models.configuration import Configuration

    if settings.model:
        found = Configuration.one(url=settings.model_url, model=settings.model, key=settings.model_key)
    else:
        found = Configuration.load(settings.models_file, settings.variables.get)
    async with Client(found, ledger=ledger) as client:
        yield client


def between_turns(app: App) -> Background:
    """Runs what runs between turns, inside an `async with`: for processes that stay."""
    also = app.answering.between_turns()
    return Background(app.games, app.store.work, app.store.channels, now=app.now, also=also)


def access_of(
    settings: Settings, store: FencedStore, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Access:
    """Who is recognised, and by what. Raises `Misconfigured`."""
    from agents.identity import Granting, Identities, Issuer, IssuerKeys

    issuer = None
    if settings.issuer:
        if not settings.url:
            raise Misconfigured("RULEBOUND_ISSUER needs RULEBOUND_URL: for whom tokens must be made")
        audiences = [url + end for url in (settings.url, f"{settings.url}/mcp") for end in ("", "/")]
        try:
            keys = IssuerKeys(settings.issuer, settings.jwks_url or None)
        except ValueError as error:
            raise Misconfigured(str(error)) from error
        issuer = Issuer(settings.issuer, audiences, keys, roles=settings.roles_claim, teams=settings.teams_claim)
    identities = Identities(store.access, store.channels, now=now, issuer=issuer)
    return Access(identities, Granting(store.access, identities, now=now))


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncGenerator[App]:
    """An app over PostgreSQL and Redis: those that the settings name, or the embedded ones, which run while somebody uses them.

    Raises `storage.StoreError` or `storage.embedded.ServiceError`.
    """
    # Only who keeps games pays for importing the drivers.
    from storage.embedded import Supervisor
    from storage.fenced import FencedStore
    from storage.postgres.checkpoints import PostgresCheckpoints

    shared = secret(settings)
    supervisor = Supervisor(settings.home, database_url=settings.database_url, redis_url=settings.redis_url)
    try:
        servers = await asyncio.to_thread(supervisor.acquire)
        revive = partial(asyncio.to_thread, supervisor.acquire)
        async with FencedStore.opened(servers.database_url, servers.redis_url, revive) as store:
            access = access_of(settings, store)
            checkpoints = PostgresCheckpoints(servers.database_url)
            async with open_model(settings, store.ledger) as model, access.identities.listening():
                app = build(
                    settings, store=store, sealed_with=shared, access=access, model=model, checkpoints=checkpoints
                )
                async with _hearing(app):
                    try:
                        yield app
                    finally:
                        await app.close()
    finally:
        await asyncio.to_thread(supervisor.release)


@asynccontextmanager
async def _hearing(app: App) -> AsyncGenerator[None]:
    """Takes up what was pushed to a Git host or written by another worker, inside an `async with`."""
    async with app.store.channels.listen(KNOWLEDGE) as events:

        async def hear() -> None:
            async for _ in events:
                await asyncio.to_thread(app.worlds.refresh)

        task = asyncio.create_task(hear())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
