"""To begin anew: with a backup, at one's own place, or for everyone in a shared world."""

from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agents.game import GameError
from agents.worlds import Where
from rulebound.app import App

pytestmark = pytest.mark.anyio
Workers = Callable[[], Awaitable[App]]


async def has_coin(app: App, handle: str, principal: str) -> bool:
    seen = (await app.games.observe(handle, principal))["perceived"]
    return "gold coin" in seen["inventory"]


@pytest.mark.requirement("0.41")
async def test_a_world_of_ones_own_begins_anew_and_its_backup_brings_it_back(app: App, pages: Path) -> None:
    handle, _ = await app.games.start(Where.of(str(pages)), "ann")
    start = (await app.games.game(handle, "ann")).state.hash
    taken = await app.games.act(handle, "ann", "take coin")
    reply = await app.games.reset(handle, "ann")
    assert (reply.turn, reply.state_hash, reply.score) == (2, start, 0)
    (name,) = await app.store.saves((await app.store.seat(handle, "ann")).game)
    assert name in reply.text
    with pytest.raises(GameError, match="nothing to undo"):
        await app.games.undo(handle, "ann")
    back = await app.games.restore(handle, "ann", name)
    assert (back.turn, back.state_hash, back.score) == (3, taken.state_hash, 2)


@pytest.mark.requirement("0.41")
async def test_the_last_five_backups_are_kept_and_saves_are_not_counted(app: App, pages: Path) -> None:
    handle, _ = await app.games.start(Where.of(str(pages)), "ann")
    await app.games.save(handle, "ann", "mine")
    for _ in range(7):
        await app.games.act(handle, "ann", "wait")
        await app.games.reset(handle, "ann")
    saves = await app.store.saves((await app.store.seat(handle, "ann")).game)
    assert saves[0] == "mine"
    assert len(saves) == 6
    assert all(name.startswith("backup-") for name in saves[1:])


@pytest.mark.requirement("0.41")
async def test_a_player_of_a_shared_world_begins_anew_at_their_own_place(new_worker: Workers, inn: Where) -> None:
    app = await new_worker()
    (ann, _), (ben, _) = [await app.games.start(inn, each, name=each.title()) for each in ("ann", "ben")]
    await app.games.act(ann, "ann", "take coin")
    await app.games.act(ann, "ann", "north")
    await app.games.act(ben, "ben", "wait")
    reply = await app.games.reset(ann, "ann")
    state = (await app.games.game(ann, "ann")).state
    rows = {
        seat.name: state.rows[seat.instance]
        for seat in await app.store.members((await app.store.seat(ann, "ann")).game)
    }
    assert reply.status == "done"
    assert (rows["Ann"]["location"], rows["Ann"]["turns"], rows["Ben"]["turns"]) == ("hall", 0, 1)
    assert state.rows["coin"]["location"] == "attic"


@pytest.mark.requirement("0.41")
async def test_a_shared_world_begins_anew_for_everyone_by_a_gm_alone_and_its_backup_brings_it_back(
    new_worker: Workers, inn: Where
) -> None:
    app = await new_worker()
    (ann, _), (ben, _) = [await app.games.start(inn, each, name=each.title()) for each in ("ann", "ben")]
    await app.games.act(ann, "ann", "take coin")
    with pytest.raises(GameError, match="belongs to everyone"):
        await app.games.reset_world(inn, "operator", "player")
    backup = await app.games.reset_world(inn, "operator", "gm")
    assert not await has_coin(app, ann, "ann")
    assert (await app.games.act(ben, "ben", "take coin")).status == "done"
    eve, _ = await app.games.start(inn, "eve", name="Eve")
    await app.games.leave(ben, "ben")
    await app.games.restore_world(inn, "operator", "gm", backup)
    assert await has_coin(app, ann, "ann")
    assert (await app.games.observe(eve, "eve"))["perceived"]["room"] == "Hall"
    state = (await app.games.game(ann, "ann")).state
    assert [state.rows[each]["name"] for each in state.players] == ["Ann", "Eve"]


async def test_the_turns_after_a_beginning_stand_on_it_in_every_worker(new_worker: Workers, inn: Where) -> None:
    app = await new_worker()
    ann, _ = await app.games.start(inn, "ann", name="Ann")
    await app.games.act(ann, "ann", "take coin")
    await app.games.reset_world(inn, "operator", "admin")
    await app.games.reset(ann, "ann")
    turns = await app.store.turns((await app.store.seat(ann, "ann")).game)
    assert [each.kind for each in turns] == ["join", "say", "reset", "reset"]
    for before, after in pairwise(turns):
        assert after.hash_before == before.hash_after


@pytest.mark.requirement("0.41")
async def test_progress_begins_anew_and_what_was_played_stays_counted(app: App, pages: Path) -> None:
    handle, _ = await app.games.start(Where.of(str(pages)), "ann")
    await app.games.act(handle, "ann", "take coin")
    await app.games.reset(handle, "ann")
    row: Any = await progress(app, handle)
    assert (row["score"], list(row["inventory"]), row["turns"]) == (0, [], 2)


async def progress(app: App, handle: str) -> dict[str, Any]:
    from storage import MemoryStore
    from storage.postgres import PostgresStore

    seat = await app.store.seat(handle, "ann")
    if isinstance(app.store, MemoryStore):
        (row,) = [each for (player, _), each in app.store.progress.items() if player == seat.player]
        return {"score": row.score, "inventory": row.inventory, "turns": 2}
    assert isinstance(app.store, PostgresStore)
    found = await app.store.connections.row(
        "SELECT * FROM progress WHERE player_id = $1 AND handle = $2", seat.player, handle
    )
    assert found is not None
    return dict(found)
