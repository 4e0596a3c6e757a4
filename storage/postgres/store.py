"""Owns the `Store` over PostgreSQL: the truth about every game.

`await PostgresStore.open(url)` brings the schema up to date. It must not know rules or Redis.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from storage.channels import Channels, LocalChannels
from storage.expiring import Expiring, LocalExpiring
from storage.ids import is_id, new_id
from storage.memories import Memories
from storage.metrics import Histogram
from storage.postgres import audit, privacy
from storage.postgres.access import PostgresAccess
from storage.postgres.commits import GroupCommit, Guard
from storage.postgres.connections import LOST, Connections, away
from storage.postgres.ledger import PostgresLedger
from storage.postgres.decisions import PostgresDecisions
from storage.postgres.memories import PostgresMemories
from storage.postgres.migrate import migrate
from storage.postgres.places import Places
from storage.postgres.progress import ProgressQueries
from storage.postgres.work import PostgresWork
from storage.records import NEW, Commit, GameRecord, Kind, Loaded, Part, Player, Seat, TurnRecord
from storage.reviving import Reviver
from storage.store import Conflict, KnownTurn, NoSuchGame
from storage.work import KEPT_BACKUPS

_GAME = "games.id, world, revision, experience, scope, seed, commit, version, hash, head, last, updated"
_SEAT = "handle, game_id, player_id, instance, role, principal, name"
_TURN = "number, said, commit, inputs, outcome, hash_before, hash_after, at, kind, player_id, instance, key, undo"

PLAYER = """
INSERT INTO players (id, principal, name) VALUES ($1, $2, $3) ON CONFLICT (principal, name) DO UPDATE SET name = $3
RETURNING id, principal, name, level, stats"""

SEAT = f"SELECT {_SEAT} FROM seats JOIN players ON players.id = player_id WHERE handle = $1 AND principal = $2"

SEATS = f"""
SELECT {_SEAT}, {_GAME} FROM seats JOIN players ON players.id = player_id JOIN games ON games.id = game_id
WHERE principal = $1 AND ($2::text IS NULL OR name = $2) AND ($3::text IS NULL OR world = $3)
ORDER BY games.updated DESC, handle LIMIT $4"""

MEMBERS = f"""
SELECT {_SEAT} FROM seats JOIN players ON players.id = player_id WHERE game_id = $1 ORDER BY seats.created, handle"""

GAME = f"SELECT {_GAME} FROM games WHERE id = $1"

# In one snapshot, so that the parts are those of the version.
LOAD = f"""
SELECT {_GAME}, p.id AS part, p.template, p.kind, p.location, p.lat, p.lng, p.tags, p.data
FROM games LEFT JOIN instances p ON p.game_id = games.id AND version IS DISTINCT FROM $2 WHERE games.id = $1"""

TURNS = f"""
SELECT {_TURN} FROM turns WHERE game_id = $1 AND number > $2 AND ($4::bigint IS NULL OR number <= $4)
    AND ($5::text[] IS NULL OR kind = ANY($5))
ORDER BY number DESC LIMIT $3"""

BY_KEYS = f"SELECT {_TURN} FROM turns WHERE game_id = $1 AND key = ANY($2::text[]) AND key <> ''"

SAVE = """
INSERT INTO saves (game_id, name, backup, commit, data) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (game_id, name) DO UPDATE SET commit = excluded.commit, data = excluded.data, at = now()"""

BACKUPS = f"""
DELETE FROM saves WHERE game_id = $1 AND backup AND name NOT IN (
    SELECT name FROM saves WHERE game_id = $1 AND backup ORDER BY at DESC, name DESC LIMIT {KEPT_BACKUPS})"""

SAVED = "SELECT data FROM saves WHERE game_id = $1 AND name = $2"

SAVES = "SELECT name FROM saves WHERE game_id = $1 ORDER BY at, name"

NAMED = "SELECT id FROM players WHERE id::text = $1 OR replace(id::text, '-', '') = $1 OR name = $1 OR principal = $1"

# By id, some at a time, so that a replay of everything holds no transaction open.
PLAYED = f"""
SELECT {_GAME} FROM games WHERE ($3::text IS NULL OR world = $3) AND ($4::uuid IS NULL OR id > $4) AND EXISTS (
    SELECT FROM turns WHERE game_id = games.id AND ($1::uuid[] IS NULL OR player_id = ANY($1))
        AND ($2::timestamptz IS NULL OR at >= $2))
ORDER BY id LIMIT 500"""


async def ready(url: str, revive: Reviver | None = None) -> Connections:
    """Connections to a database that is up to date. Raises `StoreAway`, `WrongSchema`."""
    connections = Connections(url, revive)
    try:
        connection = await connections.patiently(connections.single)
        await migrate(connection, url)
        await connection.close()
    except LOST as error:
        raise away(url, error) from error
    return connections


class PostgresStore:
    """See `storage.store.Store`."""

    def __init__(self, connections: Connections, guard: Guard | None = None):
        self.connections = connections
        self.progress, self.places = ProgressQueries(connections), Places(connections)
        self.access = PostgresAccess(connections)
        self.work = PostgresWork(connections)
        self.ledger = PostgresLedger(connections)
        self.decisions = PostgresDecisions(connections)
        self.channels: Channels = LocalChannels()
        self.expiring: Expiring = LocalExpiring()
        self.memories: Memories = PostgresMemories(connections)
        self._commits = GroupCommit(connections.single, guard)
        self.writes = Histogram(
            "player_progress_write_latency_seconds", "From a turn's commit being asked for to durable."
        )
        self._begun = time.monotonic()

    @classmethod
    async def open(cls, url: str) -> PostgresStore:
        """Connects and migrates. Raises `StoreAway`, `WrongSchema`."""
        return cls(await ready(url))

    async def close(self) -> None:
        await self._commits.close()
        await self.connections.close()

    # --- players and seats

    async def player(self, principal: str, name: str) -> Player:
        row = await self.connections.row(PLAYER, new_id(), principal, name)
        assert row is not None, "the statement always gives a row"
        return Player(row["id"].hex, row["principal"], row["name"], row["level"], row["stats"])

    async def seat(self, handle: str, principal: str) -> Seat:
        row = await self.connections.row(SEAT, handle, principal) if is_id(handle) else None
        if row is None:
            raise NoSuchGame(f"there is no game {handle!r}")
        return _seat(row)

    async def seats(
        self, principal: str, *, name: str | None = None, world: str | None = None, limit: int = 20
    ) -> Sequence[tuple[Seat, GameRecord]]:
        return [(_seat(row), _game(row)) for row in await self.connections.fetch(SEATS, principal, name, world, limit)]

    async def members(self, game: str) -> Sequence[Seat]:
        return [_seat(row) for row in await self.connections.fetch(MEMBERS, game)]

    async def shared(self, scope: str) -> str | None:
        id = await self.connections.value("SELECT id FROM games WHERE scope = $1", scope)
        return None if id is None else id.hex

    # --- games

    async def load(self, game: str, known: int | None = None) -> Loaded | None:
        rows = await self.connections.fetch(LOAD, game, known)
        if not rows:
            raise NoSuchGame(f"there is no game {game!r}")
        if rows[0]["version"] == known:
            return None
        return Loaded(_game(rows[0]), {row["part"]: _part(row) for row in rows if row["part"] is not None})

    async def commit(self, commit: Commit) -> None:
        begin = time.monotonic()
        try:
            await self._commits.commit(commit)
            self.writes.observe(time.monotonic() - begin)
        except Conflict:
            # The connection may have broken before the answer, and what was kept was sent again: then it is ours.
            if commit.base == NEW:
                row = await self.connections.row(GAME, commit.game.id)
                if row is None or _game(row) != commit.game:
                    raise
                return
            keys = [turn.key for turn in commit.turns if turn.key]
            known = [_turn(row) for row in await self.connections.fetch(BY_KEYS, commit.game.id, keys)]
            if not known:
                raise
            if {(turn.key, turn.at) for turn in known} != {(turn.key, turn.at) for turn in commit.turns}:
                raise KnownTurn("turns with these keys are known", known) from None

    # --- turns and saves

    async def turns(
        self,
        game: str,
        since: int = 0,
        limit: int | None = None,
        *,
        until: int | None = None,
        kinds: Sequence[Kind] | None = None,
    ) -> Sequence[TurnRecord]:
        rows = await self.connections.fetch(TURNS, game, since, limit, until, kinds)
        return [_turn(row) for row in reversed(rows)]

    async def by_key(self, game: str, key: str) -> TurnRecord | None:
        row = await self.connections.row(BY_KEYS, game, [key])
        return None if row is None else _turn(row)

    async def save(self, name: str, loaded: Loaded, *, backup: bool = False) -> None:
        game = asdict(loaded.game) | {"updated": loaded.game.updated.isoformat()}
        data = {"game": game, "parts": {key: asdict(part) for key, part in loaded.parts.items()}}
        await self.connections.fetch(SAVE, loaded.game.id, name, backup, loaded.game.commit, data)
        if backup:
            await self.connections.fetch(BACKUPS, loaded.game.id)

    async def saved(self, game: str, name: str) -> Loaded | None:
        data = await self.connections.value(SAVED, game, name)
        if data is None:
            return None
        game_data: dict[str, Any] = data["game"]
        game_data["updated"] = datetime.fromisoformat(game_data["updated"])
        record = GameRecord(**game_data)
        return Loaded(record, {key: saved_part(part) for key, part in data["parts"].items()})

    async def saves(self, game: str) -> Sequence[str]:
        return [row["name"] for row in await self.connections.fetch(SAVES, game)]

    async def named(self, player: str) -> Sequence[str]:
        return [row["id"].hex for row in await self.connections.fetch(NAMED, player)]

    async def played(
        self, *, players: Collection[str] | None = None, since: datetime | None = None, world: str | None = None
    ) -> AsyncIterator[GameRecord]:
        ids, last = None if players is None else list(players), None
        while rows := await self.connections.fetch(PLAYED, ids, since, world, last):
            for row in rows:
                yield _game(row)
            last = rows[-1]["id"]

    def rate(self) -> float:
        """Transactions a second since the start: queries, and commits of turns."""
        return (self.connections.queries.count + self.writes.count) / max(time.monotonic() - self._begun, 1.0)

    # --- privacy

    async def audit(
        self,
        actor: str,
        action: str,
        target: str = "",
        data: Mapping[str, int | str] | None = None,
        address: str = "",
    ) -> None:
        await audit.append(self.connections, actor, action, target, data, address)

    async def export(self, player: str) -> dict[str, Any]:
        """See `storage.postgres.privacy.export`."""
        return await privacy.export(self.connections, player)

    async def erase(self, player: str, name: str, actor: str, address: str = "") -> privacy.Erased:
        """See `storage.postgres.privacy.erase`."""
        return await privacy.erase(self.connections, player, name, actor, address)


def _game(row: Any) -> GameRecord:
    return GameRecord(
        id=row["id"].hex, world=row["world"], seed=row["seed"], commit=row["commit"], version=row["version"],
        hash=row["hash"], head=row["head"], updated=row["updated"], revision=row["revision"],
        experience=row["experience"], scope=row["scope"], last=row["last"],
    )  # fmt: skip


def _seat(row: Any) -> Seat:
    return Seat(
        handle=row["handle"].hex, game=row["game_id"].hex, player=row["player_id"].hex, instance=row["instance"],
        principal=row["principal"], name=row["name"], role=row["role"],
    )  # fmt: skip


def _part(row: Any) -> Part:
    point = None if row["lat"] is None else (row["lat"], row["lng"])
    return Part(row["template"], row["kind"], row["data"], row["location"], point, tuple(row["tags"]))


def saved_part(data: dict[str, Any]) -> Part:
    """A part from its JSON."""
    data["point"] = data["point"] and tuple(data["point"])
    data["tags"] = tuple(data["tags"])
    return Part(**data)


def _turn(row: Any) -> TurnRecord:
    return TurnRecord(
        number=row["number"], text=row["said"], commit=row["commit"], inputs=row["inputs"], outcome=row["outcome"],
        hash_before=row["hash_before"], hash_after=row["hash_after"], at=row["at"], kind=row["kind"],
        player=row["player_id"] and row["player_id"].hex, instance=row["instance"], key=row["key"], undo=row["undo"],
    )  # fmt: skip
