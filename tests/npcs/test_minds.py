"""Memories are read once, written behind, and two workers who write at once lose nothing."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from agents.npcs.facts import found
from agents.npcs.memory import Line, Memory, remember
from agents.npcs.minds import Minds
from storage import StoreAway
from storage.memories import LocalMemories, MemoryKey, MemoryRecord

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("3.10")]
KEY = MemoryKey("g", "p", "otto")


@dataclass
class Counted(LocalMemories):
    """A store that counts, and can be away."""

    reads: int = 0
    writes: int = 0
    away: bool = False
    sizes: list[int] = field(default_factory=list[int])

    def __post_init__(self) -> None:
        super().__init__()

    async def load(self, key: MemoryKey) -> MemoryRecord | None:
        self.reads += 1
        await asyncio.sleep(0)
        if self.away:
            raise StoreAway("away")
        return await super().load(key)

    async def keep(self, records: Sequence[MemoryRecord]) -> Sequence[MemoryKey]:
        self.writes += 1
        self.sizes.append(len(records))
        await asyncio.sleep(0)
        if self.away:
            raise StoreAway("away")
        return await super().keep(records)


def says(turn: int, words: str = "hello") -> Callable[[Memory], Memory]:
    return lambda memory: remember(memory, Line(f"turn {turn}", turn, turn, "Ada", words), found(words))


async def test_many_changes_are_read_once_and_written_in_few_writes() -> None:
    store = Counted()
    minds = Minds(store)
    for turn in range(200):
        await minds.change(KEY, says(turn))
    await minds.flush()
    assert store.reads == 1
    assert store.writes <= 3
    assert minds.hits / minds.reads >= 0.8
    assert len((await Minds(store).of(KEY)).lines) == 100


async def test_memories_of_many_are_written_together() -> None:
    store = Counted()
    minds = Minds(store)
    await asyncio.gather(*(minds.change(KEY._replace(npc=f"npc-{n}"), says(1)) for n in range(50)))
    await minds.flush()
    assert max(store.sizes) > 10
    assert sum(store.sizes) == 50


async def test_two_workers_that_write_at_once_lose_nothing_and_agree() -> None:
    store = Counted()
    one, two = Minds(store), Minds(store)
    for turn in range(0, 40, 2):
        await asyncio.gather(
            one.change(KEY, says(turn, "my name is Ada")), two.change(KEY, says(turn + 1, "I like honey"))
        )
    await asyncio.gather(one.flush(), two.flush())
    kept = await Minds(store).of(KEY)
    assert [each.turn for each in kept.lines] == list(range(40))
    assert set(kept.facts) == {"name", "taste:honey"}


async def test_what_another_worker_wrote_is_seen_a_moment_later() -> None:
    now = 0.0
    store = Counted()
    one, two = Minds(store, clock=lambda: now), Minds(store, clock=lambda: now)
    assert (await two.of(KEY)).talks == 0
    await one.change(KEY, says(1))
    await one.flush()
    now = 1.5
    assert (await two.of(KEY)).talks == 1


async def test_while_the_database_is_away_talk_goes_on_and_is_written_when_it_is_back() -> None:
    store = Counted()
    minds = Minds(store)
    store.away = True
    await minds.change(KEY, says(1, "my name is Ada"))
    await minds.flush()
    assert minds.trouble
    assert (await minds.of(KEY)).fact("name") == "Ada"
    store.away = False
    await minds.flush()
    assert not minds.trouble
    assert (await Minds(store).of(KEY)).fact("name") == "Ada"


async def test_what_is_not_written_yet_stays_though_others_crowd_it_out() -> None:
    store = Counted()
    minds = Minds(store, held=2)
    store.away = True
    await minds.change(KEY, says(1))
    for n in range(10):
        await minds.of(KEY._replace(npc=f"npc-{n}"))
    store.away = False
    await minds.flush()
    assert (await store.load(KEY)) is not None


async def test_who_was_erased_is_not_written_again() -> None:
    store = Counted()
    minds = Minds(store)
    await minds.change(KEY, says(1))
    minds.drop({"other"}, "p")
    await minds.flush()
    assert minds.known() == []
