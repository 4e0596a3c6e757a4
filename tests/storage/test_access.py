"""Keys, roles, teams, namespaces and shares are kept with their entry in the audit, or not at all; no player reads them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from storage import new_id
from storage.access import Act, Key, NamespaceRecord
from storage.postgres import PostgresStore, audit
from storage.postgres.privacy import as_player

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
TABLES = ("api_keys", "roles", "teams", "namespaces", "shares")


@pytest.fixture
async def store(database: str) -> AsyncIterator[PostgresStore]:
    opened = await PostgresStore.open(database)
    yield opened
    await opened.close()


def act(action: str = "test") -> Act:
    return Act("operator", action, address="203.0.113.9")


def key(**given: Any) -> Key:
    fields: dict[str, Any] = {"id": new_id(), "prefix": new_id()[:12], "principal": new_id(), "name": "n", "scopes": ("kb:read",),
              "created": NOW, "created_by": "local"}  # fmt: skip
    return Key(**{**fields, **given})


async def test_a_key_is_found_by_its_prefix_with_what_its_principal_holds(store: PostgresStore) -> None:
    access, made = store.access, key(expires=NOW + timedelta(days=1))
    assert await access.key(made.prefix) is None
    assert await access.add_key(made, b"hash", act())
    await access.grant(made.principal, "gm", "local", act())
    await access.join(made.principal, "red", "local", act())
    found = await access.key(made.prefix)
    assert found is not None
    assert (found.hash, found.roles, found.teams) == (b"hash", ("gm",), ("red",))
    assert (found.key.id, found.key.scopes, found.key.expires) == (made.id, ("kb:read",), made.expires)
    assert await access.held(made.principal) == (("gm",), ("red",))
    assert [each.id for each in await access.keys(made.principal)] == [made.id]


async def test_when_a_key_was_used_is_kept_to_the_hour(store: PostgresStore) -> None:
    access, made = store.access, key()
    await access.add_key(made, b"h", act())
    for at in (NOW, NOW + timedelta(minutes=20), NOW - timedelta(days=1)):
        await access.used(made.id, at)
        kept = await access.key_by_id(made.id)
        assert kept is not None
        assert kept.used == NOW.replace(minute=0)
    await access.used(made.id, NOW + timedelta(hours=1))
    kept = await access.key_by_id(made.id)
    assert kept is not None
    assert kept.used == NOW.replace(hour=13, minute=0)


@pytest.mark.requirement("4.34")
async def test_what_changes_nothing_is_not_audited_and_what_cannot_be_audited_changes_nothing(
    store: PostgresStore,
) -> None:
    access, who = store.access, new_id()
    assert await access.grant(who, "gm", "local", act("first"))
    assert not await access.grant(who, "gm", "local", act("second"))
    assert not await access.withdraw(who, "admin", act("third"))
    found = [each.action for each in await audit.entries(store.connections, limit=3)]
    assert "first" in found
    assert not {"second", "third"} & set(found)
    with pytest.raises(ValueError, match="ids and numbers"):
        await access.grant(who, "designer", "local", Act("operator", "grant", "Ada"))
    assert await access.held(who) == (("gm",), ())


async def test_a_key_is_revoked_once_and_stays_revoked(store: PostgresStore) -> None:
    access, made = store.access, key()
    await access.add_key(made, b"h", act())
    assert await access.revoke_key(made.id, NOW, act())
    assert not await access.revoke_key(made.id, NOW + timedelta(days=1), act())
    found = await access.key(made.prefix)
    assert found is not None
    assert found.key.revoked == NOW


async def test_shares_are_those_that_hold_of_a_principal_and_their_teams_and_go_with_the_namespace(
    store: PostgresStore,
) -> None:
    access, who, name = store.access, new_id(), f"n-{new_id()}"
    assert await access.keep_namespace(NamespaceRecord(name, "/a", "private", "local"), act(), new=True)
    assert not await access.keep_namespace(NamespaceRecord(name, "/b", "private", "local"), act(), new=True)
    assert await access.keep_namespace(NamespaceRecord(name, "/c", "team", "local", "red"), act())
    assert NamespaceRecord(name, "/c", "team", "local", "red") in await access.namespaces()
    await access.share(name, "principal", who, "read", NOW, "local", act())
    await access.share(name, "team", "red", "write", None, "local", act())
    await access.share(name, "team", who, "publish", None, "local", act())
    assert await access.shared(who, ["red"], NOW - timedelta(seconds=1)) == [(name, "read", NOW), (name, "write", None)]
    assert await access.shared(who, ["red"], NOW) == [(name, "write", None)]
    assert await access.shared("red", [], NOW) == []
    await access.share(name, "principal", who, "write", None, "local", act())
    assert await access.shared(who, [], NOW) == [(name, "write", None)]
    assert len(await access.shares(name)) == 3
    assert await access.drop_namespace(name, act())
    assert await access.shared(who, ["red"], NOW) == []
    assert not await access.drop_namespace(name, act())


async def test_a_share_of_a_namespace_that_there_is_not_is_refused(store: PostgresStore) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await store.access.share("no-such", "team", "red", "read", None, "local", act())


@pytest.mark.requirement("0.25", "1.21")
@pytest.mark.parametrize("table", TABLES)
async def test_a_players_own_connection_reads_none_of_it(store: PostgresStore, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_player(store.connections, new_id(), lambda connection: connection.fetch(f"SELECT * FROM {table}"))


@pytest.mark.requirement("1.21", "4.34")
async def test_an_address_is_kept_for_the_audit_and_not_told_to_whom_it_was_done(store: PostgresStore) -> None:
    player = (await store.player(new_id(), "Ada")).id
    await store.audit("operator", "player.show", player, address="203.0.113.9")
    await store.audit(player, "export", player, address="198.51.100.7")
    assert [each.address for each in await audit.entries(store.connections, player)] == ["198.51.100.7", "203.0.113.9"]
    assert [each["address"] for each in (await store.export(player))["audit"]] == ["198.51.100.7", ""]
