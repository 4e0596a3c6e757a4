"""Owns what operators ask of the stores: whether each is well, and the numbers about them.

`await health(store)` is data, `await metrics(store, games, now)` text for Prometheus. It must not know transports.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from agents.game import GameService
from agents.models.client import Client
from agents.models.metrics import none as no_models
from agents.progress import SESSION
from storage import StoreError
from storage.fenced import FencedStore
from storage.metrics import counter, gauge, process
from storage.postgres import PostgresStore

STATUS = "SELECT current_setting('server_version') AS version, (SELECT version_num FROM alembic_version) AS revision"


async def health(store: PostgresStore, patience: float = 30.0, *, models: Client | None = None) -> dict[str, Any]:
    """`status` and for each store `status` (`healthy` or `degraded`), how long an answer took in `milliseconds`, and what
    else tells how it does. Without Redis everything works, slower; without PostgreSQL nothing is kept; without a model's
    provider rules, templates and what is cached answer. A store that says nothing for `patience` seconds is degraded."""
    found = {"postgres": await _within(patience, _postgres(store))}
    if isinstance(store, FencedStore):
        found["redis"] = await _within(patience, _redis(store))
    if models is not None:
        found["models"] = models.health()
    well = all(each["status"] == "healthy" for each in found.values())
    return {"status": "healthy" if well else "degraded", **found}


async def _within(seconds: float, told: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    try:
        async with asyncio.timeout(seconds):
            return await told
    except TimeoutError:
        return {"status": "degraded", "error": f"no answer within {seconds:g} s", "hint": "See whether it hangs."}


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


async def metrics(store: PostgresStore, games: GameService, now: datetime, models: Client | None = None) -> str:
    """Everything that is measured about the stores, the turns, the models and this process. While the database is away, without
    the number of players, which only it knows."""
    connections, (held, instances) = store.connections, games.held
    found = list[str]()
    with suppress(StoreError):
        active = await store.progress.active_count(now - timedelta(seconds=SESSION))
        found.append(gauge("active_players_total", "Players who took a turn in the last half hour.", active))
    found += [
        games.took.render(),
        gauge("games_held", "Games in this process' memory.", held),
        gauge("game_state_instances", "Instances of all games in this process' memory.", instances),
        models.metrics() if models is not None else no_models(),
        gauge("decision_cache_hit_rate", "Share of decisions that no model had to be asked for again.", 0),
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
