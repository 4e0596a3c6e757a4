"""Owns what clients may name: the knowledge bases of the command line, the bundled worlds, and those that were made here.

`Catalog(app, named)`; each of them is a world to play where it has an experience. What a principal may not read is answered like
what is not there. It must not know tools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from agents.access import Principal
from agents.game import Game
from agents.knowledge import KnowledgeService
from agents.worlds import Where, World, WorldError
from kb import library
from router import Router
from rulebound.answering import Answering
from rulebound.app import App
from storage import NoSuchGame


class Catalog:
    """The first is the one that a client means who names none. The app may not be open yet. Raises `WorldError`."""

    def __init__(self, app: App, named: Sequence[str] = ()):
        self._app = app
        self.locations = _located(named)

    @property
    def default(self) -> str:
        return next(iter(self.locations))

    @cached_property
    def service(self) -> KnowledgeService:
        """Reading and writing them."""
        return self._app.knowledge(self.locations)

    @property
    def answering(self) -> Answering:
        """What answers messages."""
        return self._app.answering

    @cached_property
    def router(self) -> Router:
        """Answers messages about them, and in games of them."""
        return self.answering.router(self.service)

    async def game(self, who: Principal, handle: str) -> Game:
        """A game of theirs. Raises as `play` does."""
        await self.play(who, handle)
        return await self._app.games.game(handle, who.id)

    async def where(self, who: Principal, name: str = "", branch: str = "") -> Where:
        """Where a world is, or a draft of it. Raises `KnowledgeError`."""
        return await self.service.where(who, name or self.default, branch=branch)

    async def play(self, who: Principal, handle: str) -> None:
        """Who has a place in a game also needs to read its pages still. Raises `NoSuchGame`, `Refused`."""
        who.need("game:play")
        if who.kind == "local":
            return
        game = await self._app.games.game(handle, who.id)
        read = {Where.of(each.location).location for each in await self.service.namespaces(who)}
        if game.record.world not in read:
            raise NoSuchGame(f"there is no game {handle!r}")

    async def world(self, who: Principal, name: str = "") -> World:
        """Raises `KnowledgeError`, `WorldError`."""
        return self._app.worlds(await self.where(who, name))


def _located(named: Sequence[str]) -> Mapping[str, str]:
    """Locations: those of the command line by their last part, then the bundled worlds."""
    found: dict[str, str] = {}
    for each in named:
        location = Where.of(each).location
        name = location.rstrip("/").replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".git")
        if name in found:
            raise WorldError(f"Two worlds are called {name!r}", "Rename one of the folders.")
        found[name] = location
    return {**found, **{name: name for name in library.worlds() if name not in found}}
