"""What is on disk outlives the process, whatever ends it."""

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from storage import Conflict, Damaged, Full, GameRecord, MemoryStore, TurnRecord

pytestmark = pytest.mark.anyio
Make = Callable[..., GameRecord]
Next = Callable[..., tuple[GameRecord, TurnRecord]]


async def test_games_turns_keys_and_saves_are_there_after_a_restart(tmp_path: Path, game: Make, turn: Next) -> None:
    store = MemoryStore(tmp_path)
    await store.create(game())
    after, record = turn(game(), key="k")
    await store.commit(after, record)
    await store.save("g1", "s", after)
    again = MemoryStore(tmp_path)
    assert await again.load("g1", "ann") == after
    assert list(await again.turns("g1")) == [record]
    assert await again.by_key("g1", "k") == record
    assert await again.saved("g1", "s") == after


@pytest.mark.parametrize("torn", [b'{"turn": {"numb', b'{"turn": {"numb\n', b"\x00\x00\n"])
async def test_a_torn_last_line_is_dropped_and_play_goes_on(
    tmp_path: Path, game: Make, turn: Next, torn: bytes
) -> None:
    store = MemoryStore(tmp_path)
    await store.create(game())
    first, record = turn(game())
    await store.commit(first, record)
    with (tmp_path / "g1.jsonl").open("ab") as file:
        file.write(torn)
    again = MemoryStore(tmp_path)
    assert await again.load("g1", "ann") == first
    second, record = turn(first)
    await again.commit(second, record)
    assert await MemoryStore(tmp_path).load("g1", "ann") == second


async def test_damage_before_the_last_line_is_told_with_its_place(tmp_path: Path, game: Make, turn: Next) -> None:
    store = MemoryStore(tmp_path)
    await store.create(game())
    await store.commit(*turn(game()))
    path = tmp_path / "g1.jsonl"
    first, second, _ = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([first, second[:-5], second, b""]))
    with pytest.raises(Damaged, match=f"g1.jsonl is damaged after byte {len(first) + 1}"):
        await MemoryStore(tmp_path).load("g1", "ann")


async def test_two_processes_share_a_game_and_only_one_turn_wins(tmp_path: Path, game: Make, turn: Next) -> None:
    one, two = MemoryStore(tmp_path), MemoryStore(tmp_path)
    await one.create(game())
    assert await two.load("g1", "ann") == game()
    after, record = turn(game(), "north")
    await one.commit(after, record)
    with pytest.raises(Conflict):
        await two.commit(*turn(game(), "south"))
    assert await two.load("g1", "ann") == after
    await two.commit(*turn(after, "south"))
    assert [each.text for each in await one.turns("g1")] == ["north", "south"]


def _plays(folder: str, name: str) -> None:
    import asyncio

    async def play() -> None:
        store = MemoryStore(Path(folder))
        for _ in range(20):
            while True:
                before = await store.load("g1", "ann")
                after = before.with_(version=before.version + 1)
                record = TurnRecord(after.version, name, "c1", {}, {}, "", "")
                try:
                    await store.commit(after, record)
                    break
                except Conflict:
                    continue

    asyncio.run(play())


@pytest.mark.requirement("0.36")
async def test_no_turn_of_several_writing_processes_is_lost(tmp_path: Path, game: Make) -> None:
    await MemoryStore(tmp_path).create(game())
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_plays, args=(str(tmp_path), f"w{n}")) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    turns = await MemoryStore(tmp_path).turns("g1")
    assert [each.number for each in turns] == list(range(1, 61))
    assert {each.text for each in turns} == {"w0", "w1", "w2"}


async def test_a_turn_that_cannot_be_written_is_not_done(
    tmp_path: Path, game: Make, turn: Next, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore(tmp_path)
    await store.create(game())

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(Full, match="No space left"):
            await store.commit(*turn(game()))
    assert await store.load("g1", "ann") == game()
    assert await MemoryStore(tmp_path).load("g1", "ann") == game()
    await store.commit(*turn(game()))


async def test_the_journal_grows_by_what_changed_not_by_the_state(tmp_path: Path, game: Make, turn: Next) -> None:
    store = MemoryStore(tmp_path)
    now = game(state={"score": 0, "rows": {str(n): "x" * 100 for n in range(1000)}})
    await store.create(now)
    before = (tmp_path / "g1.jsonl").stat().st_size
    now, record = turn(now)
    await store.commit(now, record)
    assert (tmp_path / "g1.jsonl").stat().st_size - before < 1_000


async def test_a_damaged_game_does_not_hide_the_others(tmp_path: Path, game: Make, turn: Next) -> None:
    store = MemoryStore(tmp_path)
    for id in ("g1", "g2"):
        await store.create(game(id))
    with (tmp_path / "g1.jsonl").open("ab") as file:
        file.write(b"\x00\n{}\n")
    (tmp_path / "notes.jsonl").write_text("not a game")
    again = MemoryStore(tmp_path)
    assert [each.id for each in await again.games("ann")] == ["g2"]
    with pytest.raises(Damaged):
        await again.load("g1", "ann")
