"""Owns the questions about players' progress: each is one statement, and has its index.

`ProgressQueries(store.connections)`. It only reads, but for a profile's own fields. It must not know rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import asyncpg
import orjson

from storage.ids import is_id
from storage.postgres.connections import Connections
from storage.records import Player, ProgressEvent
from storage.standings import Achievement, Page, Profile, Standing, Visits
from storage.store import StoreError

STATS = frozenset({"preferences", "global_inventory"})
"""What may be kept in a profile besides what follows from playing."""
MAX_STATS = 8192
"""Bytes of one of them as JSON."""
MAX_PAGE = 500
PAUSE = 1800.0
"""Seconds: after a longer pause a player comes for another visit."""
Board = Literal["score", "distance", "completion"]

_PLAYER = "players.id, principal, name, level, stats"
_STANDING = """progress.player_id, name, experience, handle, started, last_turn, completed, playtime, turns, completion, score,
    location, lat, lng, distance, inventory, visited, state"""
_EVENT = "player_id, id, experience, type, content, data, lat, lng, at"

PLAYER = f"SELECT {_PLAYER} FROM players WHERE principal = $1 AND name = $2"

PROFILE = f"""
SELECT {_PLAYER}, created, count(experience) AS experiences, count(completed) AS completed,
    coalesce(sum(turns), 0)::bigint AS turns, coalesce(sum(score), 0)::bigint AS score,
    coalesce(sum(playtime), 0) AS playtime, coalesce(sum(distance), 0) AS distance
FROM players LEFT JOIN progress ON player_id = players.id WHERE players.id = $1 GROUP BY players.id"""

STATS_SET = "UPDATE players SET stats = jsonb_set(stats, ARRAY[$2::text], $3) WHERE id = $1 RETURNING id"

LEVEL_SET = "UPDATE players SET level = $2 WHERE id = $1 RETURNING id"

STANDINGS = f"""
SELECT {_STANDING} FROM progress JOIN players ON players.id = player_id
WHERE player_id = $1 ORDER BY last_turn DESC, experience LIMIT $2"""

STANDING = f"""
SELECT {_STANDING} FROM progress JOIN players ON players.id = player_id WHERE player_id = $1 AND experience = $2"""

INVENTORY = "SELECT inventory FROM progress WHERE player_id = $1 AND experience = $2"

HAS_VISITED = "SELECT $3 = ANY(visited) FROM progress WHERE player_id = $1 AND experience = $2"

# Who carries something, or was somewhere: by the GIN indexes.
CARRIERS = "SELECT player_id FROM progress WHERE inventory @> ARRAY[$1::text] AND experience = $2 LIMIT $3"

VISITORS = "SELECT player_id FROM progress WHERE visited @> ARRAY[$1::text] AND experience = $2 LIMIT $3"

# What a player has now, by the state, with the time from the events: an undo takes an award back, never an event.
ACHIEVEMENTS = """
SELECT progress.experience, reason, max(at) AS at
FROM progress CROSS JOIN jsonb_array_elements_text(state -> 'achievements') AS reason
    LEFT JOIN progress_events AS earned ON earned.player_id = progress.player_id
        AND earned.experience = progress.experience AND type = 'achievement_earned' AND content = reason
WHERE progress.player_id = $1 GROUP BY progress.experience, reason ORDER BY at, reason"""

# Sorts the players of one experience; who shows it often keeps it (as the hot copies do).
LEADERBOARD = f"""
SELECT {_STANDING} FROM progress JOIN players ON players.id = player_id
WHERE experience = $1 ORDER BY {{by}} DESC, last_turn, player_id LIMIT $2"""

ACTIVE = """
SELECT player_id FROM progress WHERE experience = $1 AND played >= date_trunc('minute', $2::timestamptz) AND last_turn >= $2
ORDER BY played DESC LIMIT $3"""

ACTIVE_COUNT = """
SELECT count(DISTINCT player_id) FROM progress WHERE played >= date_trunc('minute', $1::timestamptz) AND last_turn >= $1"""

# By the primary key, which is in order of time.
HISTORY = f"""
SELECT {_EVENT} FROM progress_events
WHERE player_id = $1 AND ($2::uuid IS NULL OR id < $2) AND ($3::text IS NULL OR experience = $3)
    AND ($4::text[] IS NULL OR type = ANY($4))
ORDER BY id DESC LIMIT $5"""

# A visit goes on until a pause. Only the index is read.
ANALYTICS = """
SELECT '' AS content, count(*) FILTER (WHERE gap IS NULL OR gap > $3) AS visits, count(DISTINCT player_id) AS players,
    coalesce(sum(gap) FILTER (WHERE gap <= $3), 0)::float8 AS seconds
FROM (
    SELECT player_id, extract(epoch FROM at - lag(at) OVER (PARTITION BY player_id ORDER BY at)) AS gap
    FROM progress_events WHERE experience = $1 AND at >= $2) AS events"""

# A visit to a place goes on until the player enters another, or until a pause (how long it took is then not known).
PLACES = """
SELECT content, count(*) AS visits, count(DISTINCT player_id) AS players,
    coalesce(sum(stay) FILTER (WHERE stay <= $3), 0)::float8 AS seconds
FROM (
    SELECT player_id, content, extract(epoch FROM lead(at) OVER (PARTITION BY player_id ORDER BY at) - at) AS stay
    FROM progress_events WHERE experience = $1 AND at >= $2 AND content <> ''
        AND type IN ('experience_started', 'session_started', 'location_entered')) AS entered
GROUP BY content ORDER BY visits DESC, content"""


class NoSuchPlayer(StoreError):
    """There is no player of this name or id."""

    hint = "Name one who has played."


class BadStats(StoreError):
    """This cannot be kept in a profile."""

    hint = f"Keep JSON of at most {MAX_STATS} bytes as one of: {', '.join(sorted(STATS))}."


class ProgressQueries:
    """Players are named by id, experiences as `agents.progress.experience_of` does. All raise `StoreAway`."""

    def __init__(self, connections: Connections):
        self._connections = connections

    # --- one player

    async def player(self, principal: str, name: str) -> Player:
        """A principal's player. Raises `NoSuchPlayer`."""
        row = await self._connections.row(PLAYER, principal, name)
        if row is None:
            raise NoSuchPlayer(f"nobody called {name!r} has played here")
        return _player(row)

    async def profile(self, player: str) -> Profile:
        """Raises `NoSuchPlayer`."""
        row = await self._connections.row(PROFILE, player) if is_id(player) else None
        if row is None:
            raise NoSuchPlayer(f"there is no player {player!r}")
        sums = {name: row[name] for name in ("experiences", "completed", "turns", "score", "playtime", "distance")}
        return Profile(_player(row), row["created"], **sums)

    async def set_stats(self, player: str, name: str, value: Any) -> None:
        """Keeps JSON in the profile under one of `STATS`. Raises `BadStats`, `NoSuchPlayer`."""
        if name not in STATS:
            raise BadStats(f"a profile has no {name!r}")
        try:
            size = len(orjson.dumps(value))
        except TypeError as error:
            raise BadStats(f"{name!r} is not JSON: {error}") from None
        if size > MAX_STATS:
            raise BadStats(f"{name!r} has {size} bytes")
        await self._set(STATS_SET, player, name, value)

    async def set_level(self, player: str, level: int) -> None:
        """Raises `NoSuchPlayer`."""
        await self._set(LEVEL_SET, player, level)

    async def _set(self, query: str, player: str, *values: Any) -> None:
        if await self._connections.row(query, player, *values) is None:
            raise NoSuchPlayer(f"there is no player {player!r}")

    async def standings(self, player: str, limit: int = 20) -> Sequence[Standing]:
        """All experiences of a player, the one that was played last first."""
        return [_standing(row) for row in await self._connections.fetch(STANDINGS, player, limit)]

    async def standing(self, player: str, experience: str) -> Standing | None:
        """None where the player was never in the experience."""
        row = await self._connections.row(STANDING, player, experience)
        return None if row is None else _standing(row)

    async def inventory(self, player: str, experience: str) -> tuple[str, ...]:
        """Templates of what is carried."""
        return tuple(await self._connections.value(INVENTORY, player, experience) or ())

    async def has_visited(self, player: str, experience: str, place: str) -> bool:
        return bool(await self._connections.value(HAS_VISITED, player, experience, place))

    async def achievements(self, player: str) -> Sequence[Achievement]:
        """What the player was awarded in all experiences, in order of time."""
        rows = await self._connections.fetch(ACHIEVEMENTS, player)
        return [Achievement(row["experience"], row["reason"], row["at"]) for row in rows]

    async def history(
        self,
        player: str,
        *,
        after: str | None = None,
        experience: str | None = None,
        types: Sequence[str] | None = None,
        limit: int = 100,
    ) -> Page:
        """Everything that happened to a player, the newest first; `after` is the cursor of the page before."""
        limit = max(1, min(limit, MAX_PAGE))
        rows = await self._connections.fetch(HISTORY, player, after, experience, types, limit + 1)
        events = tuple(event_of(row) for row in rows[:limit])
        return Page(events, events[-1].id if len(rows) > limit else None)

    # --- many players

    async def carriers(self, experience: str, template: str, limit: int = 100) -> Sequence[str]:
        """Players who carry something."""
        return [row[0].hex for row in await self._connections.fetch(CARRIERS, template, experience, limit)]

    async def visitors(self, experience: str, place: str, limit: int = 100) -> Sequence[str]:
        """Players who were somewhere."""
        return [row[0].hex for row in await self._connections.fetch(VISITORS, place, experience, limit)]

    async def leaderboard(self, experience: str, by: Board, limit: int = 10) -> Sequence[Standing]:
        """The best first; of equals, who was there first."""
        if by not in ("score", "distance", "completion"):
            raise ValueError(f"there is no leaderboard by {by!r}")
        query = LEADERBOARD.format(by=by)
        return [_standing(row) for row in await self._connections.fetch(query, experience, limit)]

    async def active(self, experience: str, since: datetime, limit: int = 1000) -> Sequence[str]:
        """Players who took a turn since then, the last first."""
        return [row[0].hex for row in await self._connections.fetch(ACTIVE, experience, since, limit)]

    async def active_count(self, since: datetime) -> int:
        """Players who took a turn anywhere since then."""
        return int(await self._connections.value(ACTIVE_COUNT, since))

    async def analytics(self, experience: str, since: datetime) -> Visits:
        """Visits, players and average time since then. A visit ends with a pause of `PAUSE` seconds."""
        (row,) = await self._connections.fetch(ANALYTICS, experience, since, PAUSE)
        return _visits(row)

    async def places(self, experience: str, since: datetime) -> Sequence[Visits]:
        """As `analytics`, for each place, the one with most visits first."""
        return [_visits(row) for row in await self._connections.fetch(PLACES, experience, since, PAUSE)]


def _player(row: asyncpg.Record) -> Player:
    return Player(row["id"].hex, row["principal"], row["name"], row["level"], row["stats"])


def _standing(row: asyncpg.Record) -> Standing:
    return Standing(
        player=row["player_id"].hex, name=row["name"], experience=row["experience"], handle=row["handle"].hex,
        started=row["started"], last_turn=row["last_turn"], completed=row["completed"], playtime=row["playtime"],
        turns=row["turns"], completion=row["completion"], score=row["score"], location=row["location"],
        point=_point(row), distance=row["distance"], inventory=tuple(row["inventory"]), visited=tuple(row["visited"]),
        state=row["state"],
    )  # fmt: skip


def event_of(row: asyncpg.Record) -> ProgressEvent:
    """An event from its row."""
    return ProgressEvent(
        id=row["id"].hex, player=row["player_id"].hex, experience=row["experience"], type=row["type"], at=row["at"],
        content=row["content"], data=row["data"], point=_point(row),
    )  # fmt: skip


def _visits(row: asyncpg.Record) -> Visits:
    return Visits(row["content"], row["visits"], row["players"], row["seconds"] / max(row["visits"], 1))


def _point(row: asyncpg.Record) -> tuple[float, float] | None:
    return None if row["lat"] is None else (row["lat"], row["lng"])
