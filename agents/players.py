"""Owns what a player can ask about themselves: where they are, what they did, what is near, all that is kept about them.

`PlayerService(store, games)`. Plain questions are `service.progress` (`storage.postgres.progress.ProgressQueries`); here is
what needs rules as well. It must not know transports or SQL.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from agents.game import Game, GameError, GameService
from agents.held import point_of
from agents.progress import SESSION, experience_of
from agents.worlds import World, WorldError
from kb.referee import State
from kb.view import perceived
from storage.standings import Found, Standing, Visits

if TYPE_CHECKING:
    from storage.postgres import PostgresStore
    from storage.postgres.privacy import Erased

REACHED = 50.0
"""Metres from which a waypoint that says nothing of its own counts as reached."""
DAYS = 7
AFTER_ERASURE = "after an erasure"
"""The save of a shared world from which a replay can go on; the last erasure's."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a player was last. `active`: within the last half hour, so that they are probably there."""

    standing: Standing
    active: bool


@dataclass(frozen=True, slots=True)
class Around:
    """What a point on Earth is to a player: the waypoint that they have reached there and what they perceive at it."""

    waypoint: Found | None
    things: tuple[str, ...]
    """Names."""


class PlayerService:
    """`erased` is told of every player who was erased, so that copies elsewhere go too."""

    def __init__(
        self,
        store: PostgresStore,
        games: GameService,
        *,
        now: Callable[[], datetime],
        erased: Callable[[Erased], Awaitable[None]] | None = None,
    ):
        self._store, self._games, self._now, self._erased = store, games, now, erased
        self.progress, self._places = store.progress, store.places
        self._published: dict[str, str] = {}

    # --- where a player is

    async def session(self, player: str) -> Whereabouts | None:
        """The experience that a player was in last, and where in it; None: they never played."""
        found = await self.progress.standings(player, 1)
        if not found:
            return None
        active = self._now() - found[0].last_turn <= timedelta(seconds=SESSION)
        return Whereabouts(found[0], active)

    async def resumable(self, player: str, limit: int = 20) -> Sequence[Standing]:
        """All that a player could go on with, the last first; `handle` goes on there."""
        return await self.progress.standings(player, limit)

    async def analytics(self, experience: str, days: int = DAYS) -> tuple[Visits, Sequence[Visits]]:
        """Visits, players and the average time of the last days: of the experience, and of each place."""
        since = self._now() - timedelta(days=days)
        return await self.progress.analytics(experience, since), await self.progress.places(experience, since)

    async def active(self, experience: str, minutes: int = 30) -> Sequence[str]:
        """Ids of the players who took a turn in the last minutes."""
        return await self.progress.active(experience, self._now() - timedelta(minutes=minutes))

    # --- what is where on Earth

    async def nearest(
        self, handle: str, principal: str, point: tuple[float, float], count: int = 10
    ) -> Sequence[Found]:
        """The nearest things with a point in a player's game, as it stands. Raises `NoSuchGame`."""
        game = await self._placed(handle, principal)
        gone = len(game.state.book["gone"])
        name = experience_of(game.world.where)
        found = await self._places.nearest(name, point, count + gone, game=game.record.id)
        return _there(game.state, found)[:count]

    async def within(
        self, handle: str, principal: str, point: tuple[float, float], metres: float, limit: int = 50
    ) -> Sequence[Found]:
        """Everything with a point within a radius, the nearest first. Raises `NoSuchGame`."""
        return await self._within(await self._placed(handle, principal), point, metres, limit)

    async def around(self, handle: str, principal: str, point: tuple[float, float]) -> Around:
        """The nearest waypoint whose radius reaches a point, and what the player perceives there. Raises `NoSuchGame`."""
        game = await self._placed(handle, principal)
        radii = [row["radius"] for row in game.state.rows.values() if "radius" in row]
        for found in await self._within(game, point, max([REACHED, *radii]), 50):
            row = game.state.rows[found.id]
            if found.metres <= row.get("radius", REACHED):
                return Around(found, _things(game, found.id))
        return Around(None, ())

    async def _within(self, game: Game, point: tuple[float, float], metres: float, limit: int) -> list[Found]:
        gone = len(game.state.book["gone"])
        name = experience_of(game.world.where)
        found = await self._places.within(name, point, metres, game=game.record.id, limit=limit + gone)
        return _there(game.state, found)[:limit]

    async def _placed(self, handle: str, principal: str) -> Game:
        """A player's game, the points of whose rules can be asked for."""
        game = await self._games.game(handle, principal)
        name = experience_of(game.world.where)
        if self._published.get(name) != game.world.commit:
            await self._places.publish(name, waypoints(game.world))
            self._published[name] = game.world.commit
        return game

    # --- what is theirs

    async def export(self, player: str, *, actor: str, address: str = "") -> dict[str, Any]:
        """Everything that is kept about a player: `profile`, `progress`, `events`, `games`, `turns`, `instances`, `saves`,
        `audit`. Raises `NoSuchPlayer`."""
        await self.progress.profile(player)
        found = await self._store.export(player)
        await self._store.audit(actor, "export", player, address=address)
        return found

    async def erase(self, player: str, *, actor: str, address: str = "") -> Erased:
        """Erases a player everywhere; it cannot be taken back. Raises `NoSuchPlayer`."""
        profile = (await self.progress.profile(player)).player
        for seat, game in await self._store.seats(profile.principal, name=profile.name, limit=10_000):
            if game.scope is not None:
                try:
                    await self._games.leave(seat.handle, seat.principal)
                except (GameError, WorldError):
                    # The rules are gone or broken: the store takes the player out as they are.
                    continue
        erased = await self._store.erase(player, profile.name, actor, address)
        for id in erased.shared:
            loaded = await self._store.load(id)
            if loaded is not None:
                await self._store.save(AFTER_ERASURE, loaded)
        if self._erased is not None:
            await self._erased(erased)
        return erased


def waypoints(world: World) -> dict[str, tuple[str, tuple[float, float]]]:
    """Everything that has a point when a game of this world begins: by id its name and its point."""
    rows = world.session.referee.new().rows
    points = {id: (str(row.get("name", "")), point_of(row)) for id, row in rows.items()}
    return {id: (name, point) for id, (name, point) in points.items() if point is not None}


def _there(state: State, found: Sequence[Found]) -> list[Found]:
    """What is still in the game, by the name that it has now."""
    return [
        Found(each.id, str(state.rows[each.id].get("name", "")), each.point, each.metres)
        for each in found
        if each.id in state.rows
    ]


def _things(game: Game, waypoint: str) -> tuple[str, ...]:
    """What the player perceives of what is at a waypoint."""
    referee = game.world.session.referee
    here = perceived(referee, referee.frame(game.state, game.player))
    rows = game.state.rows
    return tuple(str(rows[id].get("name") or id) for id in here if rows[id].get("location") == waypoint)
