"""Owns what is somebody's own: reading as that player alone, everything kept about them, and erasing it.

`as_player`, `export`, `erase`. Row-level security decides what a player's connection may read. It must not know rules.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar, cast

import orjson

from storage.ids import is_id
from storage.postgres.audit import append, entries
from storage.postgres.connections import Connections

T = TypeVar("T")
MOST_AUDITED = 100_000
DEFAULT_NAME = "you"
"""What players are called who gave no name: nobody's."""

OWN = {
    "profile": "SELECT id, principal, name, level, stats, created FROM players",
    "progress": "SELECT * FROM progress ORDER BY started",
    "events": "SELECT * FROM progress_events ORDER BY id",
    "games": """
        SELECT games.id, world, revision, experience, scope, seed, commit, version, games.created, updated, handle,
            instance, role
        FROM games JOIN seats ON game_id = games.id ORDER BY games.created""",
    "turns": """
        SELECT game_id, number, kind, said, commit, inputs, outcome, hash_before, hash_after, at
        FROM turns ORDER BY game_id, number""",
    "memories": "SELECT game_id, npc, data FROM memories ORDER BY game_id, npc",
}
"""What a player's own connection reads: without a condition, because the database gives nobody else's rows."""

# The rest of what is theirs: a game of their own whole; of a shared world, what they are in it.
INSTANCES = """
SELECT p.game_id, p.id, p.template, p.kind, p.location, p.lat, p.lng, p.tags, p.data
FROM seats JOIN games ON games.id = seats.game_id
    JOIN instances p ON p.game_id = games.id AND (scope IS NULL OR p.id = instance)
WHERE player_id = $1 ORDER BY p.game_id, p.id"""

SAVES = """
SELECT saves.game_id, saves.name, saves.backup, saves.commit, saves.data, saves.at
FROM seats JOIN games ON games.id = seats.game_id JOIN saves ON saves.game_id = games.id
WHERE player_id = $1 AND scope IS NULL ORDER BY saves.game_id, saves.at"""

# What NPCs heard of the player that was not said to them.
OVERHEARD = """
SELECT game_id, npc, line FROM memories, json_array_elements(data -> 'lines') AS line
WHERE game_id IN (SELECT game_id FROM seats WHERE player_id = $1 UNION SELECT game_id FROM turns WHERE player_id = $1)
    AND player_id = game_id AND line ->> 'by' = replace($1::uuid::text, '-', '') ORDER BY game_id, npc"""

# Shared worlds that the player is in or was in.
SHARED = """
SELECT id FROM games WHERE scope IS NOT NULL AND id IN (
    SELECT game_id FROM seats WHERE player_id = $1 UNION SELECT game_id FROM turns WHERE player_id = $1)"""

# First of all: a turn that is under way then finds no game and keeps nothing.
GAMES_GONE = """
DELETE FROM games WHERE scope IS NULL AND id IN (SELECT game_id FROM seats WHERE player_id = $1) RETURNING id"""

TURNS_GONE = "DELETE FROM turns WHERE game_id = ANY($1::uuid[])"

JOBS_GONE = "DELETE FROM jobs WHERE kind = 'tick' AND key = ANY($1::text[])"

# Who could not leave a shared world by its rules goes as they are; other workers read the game again.
INSTANCES_GONE = """
WITH gone AS (
    DELETE FROM instances WHERE (game_id, id) IN (SELECT game_id, instance FROM seats WHERE player_id = $1)
    RETURNING game_id)
UPDATE games SET version = version + 1 WHERE id IN (SELECT game_id FROM gone)"""

TURNS_BLANKED = """
UPDATE turns SET player_id = NULL, kind = 'erased', said = '', key = '', inputs = '{}', undo = '{}', outcome = $2
WHERE player_id = $1 RETURNING game_id"""

NAMED = """
SELECT game_id, number, kind, said, inputs, outcome FROM turns
WHERE game_id = ANY($1::uuid[]) AND (said LIKE $2 OR outcome::text LIKE $2 OR inputs::text LIKE $2)"""

RENAMED = "UPDATE turns SET kind = $3, said = $4, inputs = $5, outcome = $6 WHERE game_id = $1 AND number = $2"

SAVES_NAMED = "SELECT game_id, name, data FROM saves WHERE game_id = ANY($1::uuid[]) AND data::text LIKE $2"

SAVE_RENAMED = "UPDATE saves SET data = $3 WHERE game_id = $1 AND name = $2"

# After games and seats, so that what is being written meanwhile comes before this or finds nobody there.
MEMORIES_GONE = "DELETE FROM memories WHERE player_id = $1 OR game_id = ANY($2::uuid[])"

MEMORIES_NAMED = """
SELECT game_id, player_id, npc, data FROM memories
WHERE game_id = ANY($1::uuid[]) AND (data::text LIKE $2 OR data::text LIKE '%' || $3 || '%')
ORDER BY game_id, player_id, npc FOR UPDATE"""

MEMORY_WITHOUT = """
UPDATE memories SET data = $4, version = version + 1 WHERE game_id = $1 AND player_id = $2 AND npc = $3"""

EVENTS_GONE = "DELETE FROM progress_events WHERE player_id = $1"

TOLD_GONE = "DELETE FROM outbox WHERE channel = 'user:' || $1"

PROGRESS_GONE = "DELETE FROM progress WHERE player_id = $1 RETURNING experience"

# With the profile go seats.
PLAYER_GONE = "DELETE FROM players WHERE id = $1 RETURNING principal"

# A principal without a player of theirs is gone: what let them in, and what they were given, in one statement.
PRINCIPAL_GONE = """
WITH gone AS (SELECT $1::text AS who WHERE NOT EXISTS (SELECT FROM players WHERE principal = $1 AND id <> $2)),
    keys AS (DELETE FROM api_keys USING gone WHERE principal = who),
    held AS (DELETE FROM roles USING gone WHERE principal = who),
    member AS (DELETE FROM teams USING gone WHERE principal = who),
    spent AS (DELETE FROM model_spending USING gone WHERE principal = who),
    asked AS (UPDATE model_calls SET principal = '' FROM gone WHERE principal = who)
DELETE FROM shares USING gone WHERE kind = 'principal' AND holder = who"""

EMPTY: Final[dict[str, Any]] = {
    "text": "",
    "changes": [],
    "score": 0,
    "ended": None,
    "status": "done",
    "notes": [],
    "actions": [],
}
"""The outcome of a turn that was erased."""
PROSE = frozenset({"text", "what", "before", "after", "name"})
"""Where an outcome or a save says something in words; all else are ids and numbers."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased: the games that are gone, and the shared worlds in which turns are blank now."""

    player: str
    games: tuple[str, ...]
    shared: tuple[str, ...]
    turns: int
    """Turns that were blanked."""
    events: int
    experiences: tuple[str, ...]
    """Where there was progress."""


async def as_player(connections: Connections, player: str, work: Callable[[Any], Awaitable[T]]) -> T:
    """What `work` gives on a connection that can read nothing but this player's rows, and can write nothing."""
    if not is_id(player):
        raise ValueError(f"{player!r} is no player's id")

    async def run(connection: Any) -> T:
        # One round trip; the id holds hexadecimal digits alone. All of it ends with the transaction.
        await connection.execute(
            f"BEGIN READ ONLY; SET LOCAL ROLE rulebound_player; SET LOCAL rulebound.player = '{player}'"
        )
        try:
            return await work(connection)
        finally:
            await connection.execute("ROLLBACK")

    return await connections.run(run)


async def export(connections: Connections, player: str) -> dict[str, Any]:
    """Everything that is kept about a player, as JSON; empty lists for somebody unknown."""

    async def own(connection: Any) -> dict[str, Any]:
        return {name: [dict(row) for row in await connection.fetch(query)] for name, query in OWN.items()}

    found = await as_player(connections, player, own)
    for name, query in (("instances", INSTANCES), ("saves", SAVES), ("overheard", OVERHEARD)):
        found[name] = [dict(row) for row in await connections.fetch(query, player)]
    audited = await entries(connections, player, limit=MOST_AUDITED)
    # From where somebody else acted is not the player's to know.
    found["audit"] = [asdict(each) | {"address": each.address if each.actor == player else ""} for each in audited]
    return cast("dict[str, Any]", orjson.loads(orjson.dumps(found, default=str)))


async def erase(connections: Connections, player: str, name: str, actor: str, address: str = "") -> Erased:
    """Erases a player for good, in one transaction, with an entry in the audit.

    Games of their own go whole. In shared worlds their turns stay as blank ones of kind `erased`, and others' turns and
    saves call them "someone"; a replay goes on at the next save after that. With the last player of a principal go their keys,
    roles, teams and shares.
    """

    async def run(connection: Any) -> Erased:
        async with connection.transaction():
            shared = [row["id"] for row in await connection.fetch(SHARED, player)]
            games = [row["id"] for row in await connection.fetch(GAMES_GONE, player)]
            await connection.execute(TURNS_GONE, games)
            await connection.execute(JOBS_GONE, [str(game) for game in games])
            await connection.execute(INSTANCES_GONE, player)
            turns = len(await connection.fetch(TURNS_BLANKED, player, EMPTY))
            await _unnamed(connection, shared, name)
            events = int((await connection.execute(EVENTS_GONE, player)).split()[-1])
            await connection.execute(TOLD_GONE, player)
            experiences = tuple(row["experience"] for row in await connection.fetch(PROGRESS_GONE, player))
            principal = await connection.fetchval(PLAYER_GONE, player)
            await connection.execute(PRINCIPAL_GONE, principal, player)
            await connection.execute(MEMORIES_GONE, player, games)
            await _unheard(connection, shared, player, name)
            counts = {"games": len(games), "shared": len(shared), "turns": turns, "events": events}
            await append(connection, actor, "erase", player, counts, address)
        own, others = tuple(id.hex for id in games), tuple(id.hex for id in shared)
        return Erased(player, own, others, turns, events, experiences)

    return await connections.run(run)


async def _unnamed(connection: Any, games: list[Any], name: str) -> None:
    """Takes a player's name out of what others were told in these games, and out of their saves."""
    if name == DEFAULT_NAME or not games:
        return
    written = orjson.dumps(name).decode()[1:-1]
    like = "%" + re.sub(r"([\\%_])", r"\\\1", written) + "%"
    pattern = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    for row in await connection.fetch(NAMED, games, like):
        kind, inputs = row["kind"], row["inputs"]
        if name in (named for _, named, _ in inputs.get("players", ())):
            # A beginning for all who were there: without the name it cannot be replayed.
            kind, inputs = "erased", {}
        said, outcome = pattern.sub("someone", row["said"]), _without(row["outcome"], pattern)
        await connection.execute(RENAMED, row["game_id"], row["number"], kind, said, inputs, outcome)
    for row in await connection.fetch(SAVES_NAMED, games, like):
        await connection.execute(SAVE_RENAMED, row["game_id"], row["name"], _without(row["data"], pattern))


async def _unheard(connection: Any, games: list[Any], player: str, name: str) -> None:
    """Takes what NPCs of these games overheard of a player out of their memories, and the player's name."""
    pattern = None if name == DEFAULT_NAME else re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    written = orjson.dumps(name).decode()[1:-1]
    like = "" if pattern is None else "%" + re.sub(r"([\\%_])", r"\\\1", written) + "%"
    for row in await connection.fetch(MEMORIES_NAMED, games, like, player):
        data = row["data"]
        data["lines"] = [each for each in data.get("lines", ()) if each.get("by") != player]
        data = data if pattern is None else _without(data, pattern)
        await connection.execute(MEMORY_WITHOUT, row["game_id"], row["player_id"], row["npc"], data)


def _without(value: Any, pattern: re.Pattern[str], prose: bool = False) -> Any:
    """JSON with what the pattern finds in prose replaced."""
    if isinstance(value, Mapping):
        entries = cast("Mapping[str, Any]", value)
        return {key: _without(each, pattern, key in PROSE) for key, each in entries.items()}
    if isinstance(value, list):
        return [_without(each, pattern, prose) for each in cast("list[Any]", value)]
    return pattern.sub("someone", value) if prose and isinstance(value, str) else value
