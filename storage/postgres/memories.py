"""Owns `storage.memories.Memories` over PostgreSQL. It must not know what a document holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storage.memories import MemoryKey, MemoryRecord, check_size
from storage.postgres.connections import Connections

LOAD = """
SELECT game_id, player_id, npc, version, data FROM memories
WHERE game_id = $1 AND player_id = $2 AND ($3::text IS NULL OR npc = $3) ORDER BY npc"""

# The locks make an erasure that is under way wait, or us for it: what is written after it finds nobody there. An erasure
# deletes memories after games and seats.
KEEP = """
WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::json[])
        AS given (game_id, player_id, npc, version, data)),
worlds AS (SELECT id FROM games WHERE id = ANY($1::uuid[]) ORDER BY id FOR KEY SHARE),
members AS (
    SELECT game_id, player_id FROM seats WHERE game_id = ANY($1::uuid[]) AND player_id = ANY($2::uuid[])
    ORDER BY handle FOR KEY SHARE)
INSERT INTO memories (game_id, player_id, npc, version, data)
SELECT game_id, player_id, npc, version, data FROM given
WHERE game_id IN (SELECT id FROM worlds)
    AND (player_id = game_id OR (game_id, player_id) IN (SELECT game_id, player_id FROM members))
ORDER BY game_id, player_id, npc
ON CONFLICT (game_id, player_id, npc) DO UPDATE SET version = excluded.version, data = excluded.data
    WHERE memories.version = excluded.version - 1
RETURNING game_id, player_id, npc"""


class PostgresMemories:
    """See `storage.memories.Memories`. All raise `StoreAway`."""

    def __init__(self, connections: Connections):
        self._connections = connections

    async def load(self, key: MemoryKey) -> MemoryRecord | None:
        row = await self._connections.row(LOAD, *key)
        return None if row is None else _record(row)

    async def of(self, game: str, player: str) -> Sequence[MemoryRecord]:
        return [_record(row) for row in await self._connections.fetch(LOAD, game, player, None)]

    async def keep(self, records: Sequence[MemoryRecord]) -> Sequence[MemoryKey]:
        check_size(records)
        columns = [list(column) for column in zip(*(each.key for each in records), strict=True)] or [[], [], []]
        versions, data = [each.version for each in records], [each.data for each in records]
        return [_key(row) for row in await self._connections.fetch(KEEP, *columns, versions, data)]


def _key(row: Any) -> MemoryKey:
    return MemoryKey(row["game_id"].hex, row["player_id"].hex, row["npc"])


def _record(row: Any) -> MemoryRecord:
    return MemoryRecord(_key(row), row["version"], row["data"])
