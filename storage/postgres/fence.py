"""Owns the fence of the hot copies: one durable row that says when they may be read.

`PostgresFence(connections)` is a `storage.redis.Fence`. It must not know what a copy is.
"""

from __future__ import annotations

from typing import Any

from storage.postgres.connections import Connections
from storage.postgres.groups import FENCE
from storage.redis.fence import FenceState

LOOK = f"SELECT {FENCE} FROM fence"

# Before the first server was named nobody can have read a copy, and nobody needs to wait.
HUSH = f"""
UPDATE fence SET epoch = epoch + 1, run = coalesce($2, run),
    until = greatest(until, clock_timestamp()
        + make_interval(secs => CASE WHEN run = '' AND $2 IS NOT NULL THEN 0 ELSE $1 END))
RETURNING {FENCE}"""


class PostgresFence:
    """See `storage.redis.Fence`."""

    def __init__(self, connections: Connections):
        self._connections = connections

    async def look(self) -> FenceState:
        return state_of(await self._connections.row(LOOK))

    async def hush(self, seconds: float, run: str | None = None) -> FenceState:
        return state_of(await self._connections.row(HUSH, seconds, run))


def state_of(row: Any) -> FenceState:
    """The fence as a row gives it."""
    return FenceState(row["epoch"], row["run"], row["quiet"], row["clock"])
