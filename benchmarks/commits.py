"""Durable turns a second at 1, 20 and 200 clients, each in a game of its own with a 2 KB state: the part of
`benchmarks.storage` about the commit path. The floors are bare UPDATEs of the same row, single and grouped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import asyncpg
import orjson

from benchmarks.measure import percentiles, row
from benchmarks.processes import Watch
from storage import NEW, Commit, GameRecord, Part, Progress, ProgressEvent, Seat, TurnRecord, new_id
from storage.postgres import PostgresStore

LOADS = {1: 1000, 20: 300, 200: 100}
"""Turns of a client, by how many clients there are."""
FIELDS = {f"field{number}": "x" * 58 for number in range(28)}
OUTCOME = {
    "text": "You take the cloak. " * 10,
    "changes": [{"id": "cloak", "field": "location", "before": "foyer", "after": "player"}],
    "lines": [{"at": f"cloak/pages/cloak.md:{line}@4f1c2d", "value": True} for line in range(6)],
}
UPDATE = "UPDATE instances SET data = $2 WHERE game_id = $1 AND id = 'player'"
UPDATE_MANY = """
UPDATE instances SET data = new.data FROM unnest($1::uuid[], $2::jsonb[]) AS new(id, data)
WHERE game_id = new.id AND instances.id = 'player'"""
GROUP = 100

Send = Callable[[Commit], Awaitable[object]]


def state(version: int) -> dict[str, object]:
    """2 KB of JSON that differ from turn to turn."""
    return {"fields": {**FIELDS, "field0": f"{version:058}"}}


class Client:
    """A player who takes one turn after another in a game of their own."""

    def __init__(self, player: str):
        self.player, self.latencies = player, list[float]()
        now = datetime.now(UTC)
        self.game = GameRecord(new_id(), "cloak", 1, "4f1c2d", 0, "h" * 32, {"book": {}}, now)

    async def begin(self, send: Send) -> None:
        seat = Seat(new_id(), self.game.id, self.player, "player", "bench", "you")
        await send(Commit(self.game, NEW, {"player": Part("player", "player", state(0))}, (), seats=(seat,)))

    async def play(self, send: Send, turns: int) -> None:
        for _ in range(turns):
            start = time.perf_counter()
            await send(self.turn())
            self.latencies.append(time.perf_counter() - start)

    def turn(self) -> Commit:
        """The next one: the player's part, the turn with its trace, the progress, an event."""
        before, now = self.game, datetime.now(UTC)
        self.game = before.with_(version=before.version + 1, updated=now, last=before.version + 1)
        number = self.game.version
        turn = TurnRecord(
            number, "take cloak", "4f1c2d", {"now": now.isoformat(), "seed": number}, OUTCOME, "a" * 32, "b" * 32, now,
            player=self.player, instance="player", key=new_id(),
            undo={"head": {}, "parts": {"cloak": {"location": "foyer"}}, "last": before.last},
        )  # fmt: skip
        progress = Progress(self.player, self.game.id, self.game.id, now, playtime=1.0, turns=1, inventory=("cloak",))
        return Commit(
            self.game, before.version, {"player": Part("player", "player", state(number))}, (turn,),
            progress=(progress,), events=(ProgressEvent(new_id(), self.player, "cloak", "item_collected", now, "cloak"),),
        )  # fmt: skip


async def _play(clients: Sequence[Client], send: Send, turns: int) -> None:
    await asyncio.gather(*(client.play(send, turns) for client in clients))


async def _nowhere(commit: Commit) -> None:
    """Takes a turn and does nothing with it, a pass of the event loop later: what is left is the load generator."""
    await asyncio.sleep(0)


async def _floors(url: str, send: Send, clients: Sequence[Client]) -> tuple[float, float, float]:
    """Seconds of a bare UPDATE and of a turn by one client, turn about (the medians); rows a second of grouped UPDATEs."""
    first, second = await asyncpg.connect(url), await asyncpg.connect(url)
    data = orjson.dumps(state(1)).decode()
    single = await first.prepare(UPDATE)
    bare: list[float] = []
    turns = clients[1]
    turns.latencies.clear()
    for _ in range(500):
        start = time.perf_counter()
        await single.fetch(clients[0].game.id, data)
        bare.append(time.perf_counter() - start)
        await turns.play(send, 1)

    async def many(connection: asyncpg.Connection, ids: list[str]) -> None:
        grouped = await connection.prepare(UPDATE_MANY)
        for _ in range(50):
            await grouped.fetch(ids, [data] * len(ids))

    ids = [client.game.id for client in clients]
    start = time.perf_counter()
    await asyncio.gather(many(first, ids[:GROUP]), many(second, ids[GROUP : 2 * GROUP]))
    rate = 50 * 2 * GROUP / (time.perf_counter() - start)
    await first.close()
    await second.close()
    return percentiles(bare)[0], percentiles(turns.latencies)[0], rate


async def commits(url: str, server: int) -> float:
    """Prints rates, latencies and what they cost; gives the seconds of a bare UPDATE. `server` is the process id of the
    PostgreSQL that is used."""
    store = await PostgresStore.open(url)
    clients = [Client((await store.player("bench", f"you {number}")).id) for number in range(max(LOADS))]
    await asyncio.gather(*(client.begin(store.commit) for client in clients))
    await _play(clients, store.commit, 5)
    single, alone, grouped = await _floors(url, store.commit, clients)
    row("floor: bare UPDATE of the 2 KB row, one client", f"{single * 1e3:.2f} ms p50")
    row("a durable turn, turn about with it", f"{alone * 1e3:.2f} ms p50", f"{alone / single:.1f} bare UPDATEs")
    row(f"floor: UPDATEs of {GROUP} rows, two connections", f"{grouped:,.0f} rows/s")
    for number, turns in LOADS.items():
        chosen = clients[:number]
        for client in chosen:
            client.latencies.clear()
        written = await _wal(store)
        watch = Watch(server)
        await _play(chosen, store.commit, turns)
        spent = watch.spent()
        count = number * turns
        written = (await _wal(store) - written) / count
        p50, p95, p99 = percentiles([each for client in chosen for each in client.latencies])
        watch = Watch(server)
        await _play([Client(each.player) for each in chosen], _nowhere, turns)
        generator = watch.spent().own
        store_cost, server_cost = (spent.own - generator) / count, spent.server / count
        name = f"{number} client{'s' * (number > 1)}"
        row(
            f"{name}: durable turns",
            f"{count / spent.wall:,.0f}/s",
            f"{count / spent.wall / grouped:.2f} of the grouped floor",
        )
        row(
            f"{name}: p50, p95, p99",
            f"{p50 * 1e3:.2f}, {p95 * 1e3:.2f}, {p99 * 1e3:.2f} ms",
            f"{p50 / single:.1f} bare UPDATEs",
        )
        row(
            f"{name}: on two cores without the generator",
            f"{2 / (store_cost + server_cost):,.0f}/s",
            f"µs a turn: store {store_cost * 1e6:.0f}, PostgreSQL {server_cost * 1e6:.0f}, generator "
            f"{generator / count * 1e6:.0f}; others used {spent.others / spent.wall:.1f} cores; WAL {written:,.0f} bytes",
        )
    await store.close()
    return single


async def _wal(store: PostgresStore) -> int:
    return int(await store.connections.value("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))
