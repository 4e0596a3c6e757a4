"""NPCs' memory over 1,000 turns of talk: prompt sizes, memory of the process, rows, and what remembering costs beside a write that is
waited for (the floor), in PostgreSQL."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agents.game import Game
from agents.npcs.facts import found
from agents.npcs.memory import Line, remember
from agents.npcs.minds import Minds
from agents.npcs.recall import LIMIT
from agents.npcs.voices import Talk, Voices
from agents.worlds import Where
from benchmarks.measure import peak, percentiles, row
from rulebound.app import build
from rulebound.settings import Settings
from storage.memories import MemoryKey, MemoryRecord
from storage.postgres import PostgresStore
from storage.testing import database, migrated, running

REQUIREMENTS = ("3.06", "3.07", "3.10")
TURNS = 1_000
WORDS = (
    "My name is Ada, the {n}th of my house, and I come from the mill by river {n}.",
    "I promise to bring you bottle {n} before the night. I love thing {n}.",
    "What do you make of the bottle in the oak, and of the {n} houses south of here, and of all that was told there so long ago?",
    "Tell me about the river and the ferry number {n}.",
)


async def talk(voices: Voices, game: Game) -> tuple[list[int], list[float], list[float]]:
    """Prompt sizes in tokens, seconds to put a prompt together, and seconds that an exchange takes without a model."""
    sizes: list[int] = []
    composing: list[float] = []
    speaking: list[float] = []
    for n in range(TURNS):
        words = WORDS[n % len(WORDS)].format(n=n)
        npc = "maeve"
        begin = time.perf_counter()
        mind = await voices.considered(Talk(game, npc, words, f"size {n}", n, "local", (), happened=words * 3))
        composing.append(time.perf_counter() - begin)
        sizes.append(mind.prompt.tokens)
        begin = time.perf_counter()
        assert await voices.converse(game, npc, words, key=str(n)) is not None
        speaking.append(time.perf_counter() - begin)
    return sizes, composing, speaking


async def waited(store: PostgresStore, key: MemoryKey, voices: Voices) -> list[float]:
    """Seconds to read, change and write the same memory while the player waits, as one would without `Minds`."""
    memory = await voices.minds.of(key)
    spent: list[float] = []
    other = key._replace(npc="floor")
    for n in range(100):
        begin = time.perf_counter()
        record = await store.memories.load(other)
        line = Line(f"floor {n}", n, float(n), "Ada", WORDS[0])
        memory = remember(memory, line, found(WORDS[0]))
        await store.memories.keep([MemoryRecord(other, (record.version if record else 0) + 1, memory.dump())])
        spent.append(time.perf_counter() - begin)
    return spent


async def remembering(minds: Minds, key: MemoryKey) -> list[float]:
    """Seconds that the player waits for the same change through `Minds`."""
    spent: list[float] = []
    for n in range(100):
        begin = time.perf_counter()
        line = Line(f"more {n}", TURNS + n, TURNS + float(n), "Ada", WORDS[0])
        await minds.change(key, lambda memory, line=line: remember(memory, line, found(WORDS[0])))
        spent.append(time.perf_counter() - begin)
    await minds.flush()
    return spent


def times(name: str, spent: Sequence[float], floor: Sequence[float] | None = None) -> None:
    p50, p95, _ = percentiles(spent)
    ratio = f"{statistics.median(spent) / statistics.median(floor):.3f} floors" if floor else ""
    row(name, f"{p50 * 1e3:.2f} / {p95 * 1e3:.2f} ms", ratio)


async def measure(url: str, home: Path) -> None:
    store = await PostgresStore.open(url)
    at = datetime(2026, 5, 1, 10, tzinfo=UTC)

    def now() -> datetime:
        nonlocal at
        at += timedelta(seconds=1)
        return at

    app = build(Settings(home), store=store, now=now)
    handle, _ = await app.games.start(Where.of("wylding-woods"), "bench", name="Ada")
    await app.games.act(handle, "bench", "walk to 51.2000, -1.0000")
    game = await app.games.game(handle, "bench")
    minds = Minds(store.memories)
    voices = Voices(None, minds, now=now)
    before = peak()
    sizes, composing, speaking = await talk(voices, game)
    key = MemoryKey(game.record.id, game.seat.player, "maeve")
    await minds.flush()
    row(f"prompt tokens, {TURNS} turns: most (limit {LIMIT})", f"{max(sizes)}", f"{max(sizes) / LIMIT:.2f} limits")
    row("prompt tokens: mean", f"{statistics.mean(sizes):.0f}")
    row("memory of the session (target 100 MiB)", f"{peak() - before} MiB")
    size = await store.connections.value("SELECT sum(length(data::text)) FROM memories")
    rows = await store.connections.value("SELECT count(*) FROM memories")
    row("rows, and their JSON", f"{rows}, {size / 1024:.0f} KiB")
    row("reads that PostgreSQL did not see (target 80%)", f"{minds.hits / minds.reads:.1%}")
    times("putting a prompt together, p50 / p95", composing)
    times("an exchange without a model, p50 / p95", speaking)
    floor = await waited(store, key, voices)
    times("remembering, read and written while waiting (floor)", floor)
    times("remembering, written behind (target 0.5)", await remembering(minds, key), floor)
    await voices.close()
    await store.close()


def main() -> None:
    """Starts a PostgreSQL of its own and prints the figures."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as servers, database(servers) as url:
        asyncio.run(migrated(url))
        asyncio.run(measure(url, Path(folder) / "home"))


if __name__ == "__main__":
    main()
