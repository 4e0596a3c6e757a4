"""What NPCs remember is kept once, by whoever is first, and not for somebody who is gone."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from storage import Store, new_id
from storage.memories import MAX_BYTES, MemoryKey, MemoryRecord
from storage.postgres import PostgresStore

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("3.06", "3.10")]
Begin = Callable[..., Any]


async def _key(begin: Begin, npc: str = "otto") -> MemoryKey:
    commit = await begin()
    return MemoryKey(commit.game.id, commit.seats[0].player, npc)


async def test_a_memory_is_read_as_it_was_kept_last(store: Store, begin: Begin) -> None:
    key = await _key(begin)
    assert await store.memories.load(key) is None
    for version in (1, 2):
        assert await store.memories.keep(
            [MemoryRecord(key, version, {"facts": {"name": "Ädä\u2028"}, "n": version})]
        ) == [key]
    assert await store.memories.load(key) == MemoryRecord(key, 2, {"facts": {"name": "Ädä\u2028"}, "n": 2})


async def test_of_two_who_write_at_once_one_is_told_to_read_again(store: Store, begin: Begin) -> None:
    key = await _key(begin)
    found = await asyncio.gather(*(store.memories.keep([MemoryRecord(key, 1, {"n": n})]) for n in range(4)))
    assert sorted(found) == [[], [], [], [key]]
    assert await store.memories.keep([MemoryRecord(key, 3, {})]) == []
    assert await store.memories.keep([MemoryRecord(key, 2, {})]) == [key]


async def test_many_are_kept_at_once_and_listed_by_npc(store: Store, begin: Begin) -> None:
    marta = await _key(begin, "marta")
    keys = [marta, marta._replace(npc="bodo"), marta._replace(player=marta.game)]
    assert sorted(await store.memories.keep([MemoryRecord(key, 1, {}) for key in keys])) == sorted(keys)
    assert [each.key.npc for each in await store.memories.of(marta.game, marta.player)] == ["bodo", "marta"]
    assert await store.memories.keep([]) == []


async def test_a_memory_that_forgot_its_caps_is_refused(store: Store, begin: Begin) -> None:
    key = await _key(begin)
    with pytest.raises(ValueError, match="262144"):
        await store.memories.keep([MemoryRecord(key, 1, {"text": "x" * MAX_BYTES})])
    assert await store.memories.load(key) is None


@pytest.mark.requirement("1.21")
async def test_nothing_is_kept_of_whoever_has_no_place_in_the_game_any_more(store: Store, begin: Begin) -> None:
    if not isinstance(store, PostgresStore):
        return
    key = await _key(begin)
    strangers = [key._replace(player=new_id()), key._replace(game=new_id()), MemoryKey(*[new_id()] * 2, "otto")]
    assert await store.memories.keep([MemoryRecord(each, 1, {}) for each in strangers]) == []
    await store.erase(key.player, "you", "operator")
    assert await store.memories.keep([MemoryRecord(key, 1, {})]) == []
