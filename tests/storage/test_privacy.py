"""A player reads nothing of others', the audit cannot be changed, and erasing leaves nothing."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from storage import Commit, Progress, ProgressEvent, Told, new_id
from storage.memories import MemoryKey, MemoryRecord
from storage.postgres import PostgresStore, audit
from storage.postgres.privacy import as_player
from storage.postgres.schema import metadata

pytestmark = pytest.mark.anyio
AT = datetime(2026, 1, 2, tzinfo=UTC)
OWN = {
    "players": "id",
    "seats": "player_id",
    "turns": "player_id",
    "progress": "player_id",
    "progress_events": "player_id",
    "memories": "player_id",
}


@pytest.fixture
async def store(database: str) -> AsyncIterator[PostgresStore]:
    opened = await PostgresStore.open(database)
    yield opened
    await opened.close()


@pytest.fixture
def played(store: PostgresStore, begin: Callable[..., Any], turn: Callable[..., Commit]) -> Callable[..., Any]:
    """Somebody who took a turn, saved, and has progress; gives the commit of the turn."""

    async def make(name: str, **given: Any) -> Commit:
        first = await begin(name, **given)
        seat = first.seats[0]
        commit = turn(first, "take lamp", key=new_id())
        commit = replace(
            commit,
            seats=(),
            progress=(Progress(seat.player, "cloak", seat.handle, AT, turns=1, inventory=("lamp",)),),
            events=(ProgressEvent(new_id(), seat.player, "cloak", "item_collected", AT, "lamp"),),
            told=(Told(new_id(), f"user:{seat.player}", {"text": "hello"}),),
            due=AT,
        )
        await store.commit(commit)
        loaded = await store.load(commit.game.id)
        assert loaded is not None
        await store.save("early", loaded)
        (game, player), line = (commit.game.id, seat.player), {"name": "Otto", "what": "hello", "text": "Hm."}
        about = MemoryRecord(MemoryKey(game, player, "otto"), 1, {"lines": [line]})
        heard = MemoryRecord(MemoryKey(game, game, "marta"), 1, {"lines": [{**line, "by": player}]})
        await store.memories.keep((about, heard))
        return replace(commit, seats=(seat,))

    return make


@pytest.mark.requirement("1.21")
async def test_a_players_connection_gives_their_own_rows_of_every_table(store: PostgresStore, played: Any) -> None:
    commits = [await played(name) for name in ("Ada", "Bob")]
    ada, bob = [commit.seats[0].player for commit in commits]

    async def owners(connection: asyncpg.Connection) -> dict[str, set[str]]:
        rows = {table: await connection.fetch(f"SELECT {column} FROM {table}") for table, column in OWN.items()}
        return {table: {row[0].hex for row in found} for table, found in rows.items()}

    assert await as_player(store.connections, ada, owners) == {key: {ada} for key in OWN}
    assert await as_player(store.connections, bob, owners) == {key: {bob} for key in OWN}
    games = await as_player(store.connections, ada, lambda connection: connection.fetch("SELECT id FROM games"))
    assert [row["id"].hex for row in games] == [commits[0].game.id]


@pytest.mark.requirement("1.21")
@pytest.mark.parametrize("context", ["SET LOCAL rulebound.player = ''", "RESET rulebound.player", "SELECT 1"])
async def test_strangers_and_nobody_are_given_no_row_of_any_table(
    store: PostgresStore, played: Any, context: str
) -> None:
    await played("Ada")
    for table in metadata.tables:

        async def count(connection: asyncpg.Connection, table: str = table) -> int:
            await connection.execute(context)
            return await connection.fetchval(f"SELECT count(*) FROM {table}")

        if table in OWN or table == "games":
            assert await as_player(store.connections, new_id(), count) == 0, table
        else:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await as_player(store.connections, new_id(), count)


@pytest.mark.requirement("1.21")
@pytest.mark.parametrize("write", ["DELETE FROM {}", "UPDATE {0} SET {1} = {1}", "INSERT INTO {} DEFAULT VALUES"])
async def test_a_players_connection_writes_nothing(store: PostgresStore, played: Any, write: str) -> None:
    ada = (await played("Ada")).seats[0].player
    for table in metadata.tables.values():
        query = write.format(table.name, next(iter(table.columns)).name)

        async def go(connection: asyncpg.Connection, query: str = query) -> None:
            await connection.execute("ROLLBACK; BEGIN; SET LOCAL ROLE rulebound_player")
            await connection.execute(query)

        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await as_player(store.connections, ada, go)


async def test_a_players_context_ends_with_it_even_where_it_failed(store: PostgresStore) -> None:
    async def fail(connection: asyncpg.Connection) -> None:
        await connection.execute("SELECT 1 / 0")

    before = await store.connections.value("SELECT current_user::text")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await as_player(store.connections, new_id(), fail)
    for _ in range(3):
        row = await store.connections.row("SELECT current_user::text, current_setting('rulebound.player', true)")
        assert row is not None
        assert (row[0], row[1] or "") == (before, "")
    with pytest.raises(ValueError, match="no player's id"):
        await as_player(store.connections, "x'; RESET ROLE --", fail)


@pytest.mark.requirement("1.22")
@pytest.mark.parametrize("change", ["UPDATE audit SET actor = ''", "DELETE FROM audit", "TRUNCATE audit"])
async def test_an_entry_of_the_audit_can_be_neither_changed_nor_removed(store: PostgresStore, change: str) -> None:
    who = new_id()
    await store.audit(who, "export", who, {"games": 2})
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await store.connections.fetch(change)
    (entry,) = await audit.entries(store.connections, who)
    assert (entry.actor, entry.action, entry.target, entry.data) == (who, "export", who, {"games": 2})


@pytest.mark.requirement("1.21", "1.22")
@pytest.mark.parametrize(("actor", "target", "data"), [
    ("ada@example.org", "", {}), ("operator", "Ada", {}), ("operator", "", {"name": "Ada"}),
])  # fmt: skip
async def test_what_could_name_somebody_is_not_audited(
    store: PostgresStore, actor: str, target: str, data: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="ids and numbers"):
        await store.audit(actor, "export", target, data)


async def test_the_audit_is_told_newest_first_by_whom_or_to_whom_it_was(store: PostgresStore) -> None:
    ann, bob = new_id(), new_id()
    await store.audit(ann, "export", ann)
    await store.audit("operator", "erase", ann)
    await store.audit(bob, "export", bob)
    assert [entry.action for entry in await audit.entries(store.connections, ann)] == ["erase", "export"]
    assert [entry.actor for entry in await audit.entries(store.connections, limit=2)] == [bob, "operator"]
    assert await audit.entries(store.connections, ann, since=datetime(2100, 1, 1, tzinfo=UTC)) == []


@pytest.mark.requirement("1.21")
async def test_an_export_holds_everything_of_a_player_and_nothing_of_others(store: PostgresStore, played: Any) -> None:
    ada, bob = await played("Ada"), await played("Bob")
    found = await store.export(ada.seats[0].player)
    lengths = {name: len(each) for name, each in found.items()}
    assert lengths == {"profile": 1, "progress": 1, "events": 1, "games": 1, "turns": 1, "instances": 2, "saves": 1,
                       "audit": 0, "memories": 1, "overheard": 1}  # fmt: skip
    assert found["turns"][0]["said"] == "take lamp"
    text = repr(found)
    assert "Ada" in text
    assert all(id not in text.replace("-", "") for id in (bob.game.id, bob.seats[0].player, "Bob"))


@pytest.mark.requirement("1.21", "1.22")
async def test_erasing_a_player_leaves_nothing_of_theirs_but_an_id_in_the_audit(
    store: PostgresStore, played: Any, principal: str
) -> None:
    ada, bob = await played("Ada"), await played("Bob")
    player = ada.seats[0].player
    kept = await store.export(bob.seats[0].player)
    erased = await store.erase(player, "Ada", "operator")
    assert (erased.games, erased.shared, erased.events) == ((ada.game.id,), (), 1)
    for table in metadata.tables.values():
        found = await store.connections.value(
            f"SELECT count(*) FROM {table.name} AS t WHERE replace(t::text, '-', '') ~ $1",
            f"{player}|{ada.game.id}|{ada.seats[0].handle}",
        )
        assert found == (1 if table.name == "audit" else 0), table.name
    (entry,) = await audit.entries(store.connections, player)
    assert (entry.actor, entry.action, dict(entry.data)) == (
        "operator", "erase", {"games": 1, "shared": 0, "turns": 0, "events": 1},
    )  # fmt: skip
    assert await store.export(bob.seats[0].player) == kept
    assert (await store.player(principal, "Ada")).id != player


@pytest.mark.requirement("1.21")
async def test_in_a_shared_world_an_erased_players_turns_stay_blank_and_others_forget_the_name(
    store: PostgresStore, played: Any, turn: Callable[..., Commit]
) -> None:
    ada = await played("Ada", scope=new_id())
    bob = (await played("Bob")).seats[0].player
    told = turn(ada, "look at Ada", key=new_id())
    (record,) = told.turns
    outcome = {"text": "Ada and Adam nod.", "status": "Ada", "actions": [{"messages": [{"text": 'Ada "A" %'}]}]}
    await store.commit(replace(told, seats=(), turns=(replace(record, player=bob, outcome=outcome),)))
    erased = await store.erase(ada.seats[0].player, "Ada", "operator")
    assert (erased.games, erased.shared, erased.turns) == ((), (ada.game.id,), 1)
    first, second = await store.turns(ada.game.id)
    assert (first.kind, first.text, first.key, first.player, first.inputs) == ("erased", "", "", None, {})
    assert (first.hash_before, first.hash_after, first.number) == ("h0", "h1", 1)
    assert (second.text, second.player) == ("look at someone", bob)
    assert second.outcome == {
        "text": "someone and Adam nod.", "status": "Ada", "actions": [{"messages": [{"text": "someone \"A\" %"}]}],
    }  # fmt: skip
    for npc in ("otto", "marta"):
        assert await store.memories.load(MemoryKey(ada.game.id, ada.seats[0].player, npc)) is None
    (heard,) = await store.memories.of(ada.game.id, ada.game.id)
    assert heard.data["lines"] == []
    loaded = await store.load(ada.game.id)
    assert loaded is not None
    assert (set(loaded.parts), loaded.game.version) == ({"lamp"}, 3)
