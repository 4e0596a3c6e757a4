"""Owns what operators ask of the stores: whether each is well, and the numbers about them.

`await health(store)` is data, `await metrics(store, now)` text for Prometheus. It must not know transports.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from agents.progress import SESSION
from storage import StoreError
from storage.fenced import FencedStore
from storage.metrics import counter, gauge, process
from storage.postgres import PostgresStore

STATUS = "SELECT current_setting('server_version') AS version, (SELECT version_num FROM alembic_version) AS revision"


async def health(store: PostgresStore) -> dict[str, Any]:
    """`status` and for each store `status` (`healthy` or `degraded`), how long an answer took in `milliseconds`, and what
    else tells how it does. Without Redis everything works, slower; without PostgreSQL nothing is kept."""
    found = {"postgres": await _postgres(store)}
    if isinstance(store, FencedStore):
        found["redis"] = await _redis(store)
    well = all(each["status"] == "healthy" for each in found.values())
    return {"status": "healthy" if well else "degraded", **found}


async def _postgres(store: PostgresStore) -> dict[str, Any]:
    begin = time.perf_counter()
    try:
        row = await store.connections.row(STATUS)
    except StoreError as error:
        return {"status": "degraded", "error": str(error), "hint": error.hint}
    assert row is not None, "a SELECT without FROM gives a row"
    return {"status": "healthy", "milliseconds": _since(begin), "connections": store.connections.busy, **row}


async def _redis(store: FencedStore) -> dict[str, Any]:
    begin, status = time.perf_counter(), store.redis.status()
    told = {"breaker": status.breaker, "hit_rate": round(store.hot.stats.hit_rate, 4)}
    try:
        await store.redis.call("PING")
    except StoreError as error:
        return {"status": "degraded", "error": str(error), "hint": error.hint, **told}
    return {"status": "healthy", "milliseconds": _since(begin), **told}


async def metrics(store: PostgresStore, now: datetime) -> str:
    """Everything that is measured about the stores and this process. Raises `StoreAway`."""
    active = await store.progress.active_count(now - timedelta(seconds=SESSION))
    connections = store.connections
    found = [
        gauge("active_players_total", "Players who took a turn in the last half hour.", active),
        store.writes.render(),
        connections.queries.render(),
        gauge("database_connections_active", "Connections of the pool that are in use.", connections.busy),
        gauge("database_connections_reused", "Share of queries on a connection that was open.", connections.reused),
        gauge("database_transaction_rate", "Transactions a second since the start.", store.rate()),
    ]
    if isinstance(store, FencedStore):
        stats = store.hot.stats
        found += [
            gauge("player_progress_cache_hit_rate", "Share of reads that PostgreSQL did not see.", stats.hit_rate),
            counter("hot_process_hits_total", "Reads answered in this process.", stats.process),
            counter("redis_hits_total", "Reads answered by Redis.", stats.redis),
            counter("redis_misses_total", "Reads that PostgreSQL answered.", stats.loaded),
        ]
    return "".join((*found, process()))


def _since(begin: float) -> float:
    return round((time.perf_counter() - begin) * 1000, 2)
