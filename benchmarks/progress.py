"""What questions about progress cost in a crowd, and how many bytes a player takes; the floor is a bare SELECT by primary key.

`python3 tasks.py bench progress`. Servers of its own, in a folder that it removes.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from benchmarks.measure import peak, row
from storage import NEW, Commit, GameRecord, Part, Progress, ProgressEvent, Seat, TurnRecord, new_id
from storage.cells import EARTH
from storage.postgres import PostgresStore
from storage.postgres.privacy import as_player
from storage.postgres.progress import STANDINGS
from storage.testing import CROWD, crowd, database, landscape, running

REQUIREMENTS = ("0.03", "0.04", "0.05", "0.06", "1.09", "1.10", "1.11", "1.12", "1.13", "1.14", "1.16", "4.43")
PLAYERS, EVENTS, WAYPOINTS = 10_000, 30, 1_000_000
WORLD = "world-2"
SIZES = """
SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables
WHERE relname IN ('players', 'progress', 'progress_events')"""

Call = Callable[[], Awaitable[object]]


def main() -> None:
    """Prints medians, targets and ratios to the floor."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as servers, database(servers) as url:
        asyncio.run(_run(url))
    row("peak memory of this process", f"{peak()} MiB")


async def _run(url: str) -> None:
    store = await PostgresStore.open(url)
    connection = await asyncpg.connect(url)
    sizes = [float(await connection.fetchval(SIZES))]
    await crowd(connection, PLAYERS, 0)
    sizes.append(float(await connection.fetchval(SIZES)))
    await connection.execute(CROWD[-1], PLAYERS, EVENTS)
    await connection.execute("VACUUM ANALYZE progress_events")
    sizes.append(float(await connection.fetchval(SIZES)))
    found = await connection.fetchrow(
        "SELECT md5('player 7')::uuid::text AS player, md5('player 1000')::uuid::text AS other"
    )
    assert found is not None, "a SELECT without FROM gives a row"
    player = found["player"].replace("-", "")
    floor = await _median(lambda: store.connections.row("SELECT name FROM players WHERE id = $1", player), 400)
    row("bare SELECT by primary key (floor)", _ms(floor))

    async def line(name: str, target: float, call: Call, times: int = 200) -> None:
        spent = await _median(call, times)
        told = "" if spent <= target else "  MISSED"
        row(f"{name} (target {_ms(target)})", _ms(spent), f"{spent / floor:.1f} floors{told}")

    progress, week = store.progress, datetime.now(UTC) - timedelta(days=7)
    await line("session", 0.010, lambda: progress.standings(player, 1))
    await line("inventory", 0.020, lambda: progress.inventory(player, WORLD))
    await line("has visited", 0.015, lambda: progress.has_visited(player, WORLD, "crypt"))
    await line("who carries a rare item", 0.020, lambda: progress.carriers("world-0", "crown"))
    await line("profile with totals", 0.010, lambda: progress.profile(player))
    await line("history, a page of 100", 1.0, lambda: progress.history(player, limit=100))
    await line(f"analytics of 7 days, {PLAYERS * EVENTS:,} events", 0.5, lambda: progress.analytics(WORLD, week), 10)
    await line("analytics of places, 7 days", 0.5, lambda: progress.places(WORLD, week), 10)
    await line(f"leaderboard of {PLAYERS // 5:,} players", 0.1, lambda: progress.leaderboard(WORLD, "score"), 20)
    await line(f"active players among {PLAYERS:,}", 0.1, lambda: progress.active(WORLD, week), 20)
    await _write(store, line)
    await _own(store, player)
    _capacity((sizes[1] - sizes[0]) / PLAYERS, (sizes[2] - sizes[1]) / PLAYERS / EVENTS)
    await _places(store, connection, line)
    await connection.close()
    await store.close()


async def _write(store: PostgresStore, line: Callable[..., Awaitable[None]]) -> None:
    """A progress event, committed with the turn that led to it."""
    player, now = await store.player("bench", "Bench"), datetime.now(UTC)
    game = GameRecord(new_id(), "bench", 1, "c", 0, "h", {}, now)
    seat = Seat(new_id(), game.id, player.id, "player", "bench", "Bench")
    await store.commit(Commit(game, NEW, {}, (), (seat,)))

    async def write() -> None:
        nonlocal game
        base, game = game.version, game.with_(version=game.version + 1)
        turn = TurnRecord(game.version, "take lamp", "c", {}, {}, "a", "b", now, player=player.id, key=new_id())
        part = Part("player", "player", {"fields": {"score": game.version}})
        standing = Progress(player.id, "bench", seat.handle, now, turns=1, inventory=("lamp",))
        event = ProgressEvent(new_id(), player.id, "bench", "item_collected", now, "lamp")
        await store.commit(Commit(game, base, {"player": part}, (turn,), progress=(standing,), events=(event,)))

    await line("write an event, its turn and state, durable", 0.050, write)


async def _own(store: PostgresStore, player: str) -> None:
    """The same read as somebody's own connection."""
    plain = await _median(lambda: store.connections.fetch(STANDINGS, player, 1), 200)
    own = await _median(
        lambda: as_player(store.connections, player, lambda connection: connection.fetch(STANDINGS, player, 1)), 200
    )
    row("session under row-level security", _ms(own), f"{own / plain:.1f} times the plain read")


def _capacity(player: float, event: float) -> None:
    """Bytes with all indexes, measured, and what more players would take; a tenth of them are active, with many events."""
    row("bytes of a player's profile and progress", f"{player:,.0f} B")
    row("bytes of an event", f"{event:,.0f} B", "estimated by the sources: 100 B without indexes")
    each = player + event * (0.9 * EVENTS + 0.1 * 10 * EVENTS)
    row(f"bytes a player ({EVENTS} events, of a tenth {10 * EVENTS})", f"{each:,.0f} B", "the sources': 11,300 B")
    for players in (10_000, 100_000, 1_000_000, 10_000_000):
        row(f"  {players:,} players, by that", f"{players * each / 1e9:,.2f} GB")


async def _places(store: PostgresStore, connection: asyncpg.Connection, line: Callable[..., Awaitable[None]]) -> None:
    """The nearest and a radius among a million waypoints, checked against all of them."""
    points = await landscape(connection, "earth", WAYPOINTS)
    rng = random.Random(2)
    centres = [(rng.uniform(50.8, 51.2), rng.uniform(-0.4, 0.4)) for _ in range(500)]
    for centre in centres[:2]:
        near = sorted((_metres(centre, (lat, lng)), id) for id, lat, lng in points)[:10]
        found = await store.places.nearest("earth", centre, 10)
        assert [each.id for each in found] == [id for _, id in near], "the nearest are not the nearest"
    left = iter(centres * 10)
    name = f"among {WAYPOINTS:,} waypoints"
    await line(f"the nearest 10 {name}", 0.001, lambda: store.places.nearest("earth", next(left), 10))
    await line(f"within 100 m {name}", 0.001, lambda: store.places.within("earth", next(left), 100.0))
    await line(f"within 1 km, the first 50, {name}", 0.020, lambda: store.places.within("earth", next(left), 1000.0))


def _metres(one: tuple[float, float], two: tuple[float, float]) -> float:
    """The distance by the law of cosines: another formula than the database's."""
    from math import acos, cos, radians, sin

    (lat, lng), (lat2, lng2) = ((radians(a), radians(b)) for a, b in (one, two))
    return EARTH * acos(min(1.0, sin(lat) * sin(lat2) + cos(lat) * cos(lat2) * cos(lng2 - lng)))


async def _median(call: Call, times: int) -> float:
    """Seconds of one call, awaited one after another; a tenth more warms up."""
    spent: list[float] = []
    for number in range(times + times // 10 + 1):
        begin = time.perf_counter()
        await call()
        if number > times // 10:
            spent.append(time.perf_counter() - begin)
    return statistics.median(spent)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.2f} ms"


if __name__ == "__main__":
    main()
