"""Nobody gives what they do not hold; what was lent ends; the audit has every act; nothing tells what may not be seen."""

from datetime import timedelta
from typing import Any

import pytest

from agents.access import LOCAL, Namespace, Principal, Refused
from agents.identity import AccessError, GrantedSpaces
from agents.identity.granting import NotFound
from storage import new_id
from storage.postgres import audit

pytestmark = pytest.mark.anyio


@pytest.fixture
def granting(site: Any) -> Any:
    return site.granting


def somebody(*roles: Any, **more: Any) -> Principal:
    return Principal.of(new_id(), *roles, address="203.0.113.9", **more)


@pytest.mark.requirement("0.25", "0.37")
@pytest.mark.parametrize("role", ["player", "designer", "gm"])
async def test_who_is_no_admin_manages_nothing(granting: Any, role: Any) -> None:
    who = somebody(role)
    for act in (
        granting.create_key(who, "x"), granting.revoke_key(who, new_id()), granting.keys(who),
        granting.grant(who, who.id, "player"), granting.withdraw(who, who.id, "player"), granting.roles(who),
        granting.join(who, who.id, "red"), granting.leave(who, who.id, "red"), granting.members(who),
        granting.keep_namespace(who, Namespace("x", "/x")), granting.drop_namespace(who, "x"),
    ):  # fmt: skip
        with pytest.raises(Refused):
            await act


@pytest.mark.requirement("0.25")
async def test_an_admin_gives_neither_admin_nor_owner_nor_a_scope_that_they_lack(granting: Any) -> None:
    admin = somebody("admin")
    for role in ("admin", "owner"):
        with pytest.raises(Refused):
            await granting.grant(admin, admin.id, role)
        with pytest.raises(Refused):
            await granting.create_key(admin, "x", roles=[role])
        with pytest.raises(Refused):
            await granting.create_key(admin, "x", scopes=[role])
        await granting.grant(LOCAL, admin.id, role)
        with pytest.raises(Refused):
            await granting.withdraw(admin, admin.id, role)
    narrow = Principal.of(new_id(), "admin", narrowed=frozenset({"admin", "kb:read"}))
    with pytest.raises(Refused):
        await granting.grant(narrow, new_id(), "player")
    with pytest.raises(Refused):
        await granting.create_key(narrow, "x", scopes=["game:play"])
    key, _ = await granting.create_key(narrow, "x")
    assert key.scopes == ("kb:read",)


@pytest.mark.requirement("0.25")
async def test_a_key_that_speaks_for_somebody_else_is_not_made_by_any_admin(granting: Any) -> None:
    admin, other = somebody("admin"), somebody("admin")
    with pytest.raises(Refused):
        await granting.create_key(admin, "theirs", principal=new_id())
    await granting.create_key(admin, "mine", principal=admin.id)
    key, _ = await granting.create_key(admin, "a bot")
    await granting.create_key(admin, "a bot's second", principal=key.principal)
    with pytest.raises(Refused):
        await granting.create_key(other, "a bot's third", principal=key.principal)
    await granting.create_key(LOCAL, "anybody's", principal=new_id())
    with pytest.raises(AccessError):
        await granting.create_key(LOCAL, "the machine's", principal="local")


async def test_an_admin_does_not_revoke_an_owners_key(granting: Any) -> None:
    key, _ = await granting.create_key(LOCAL, "an owner's", roles=["owner"], scopes=["owner"])
    with pytest.raises(Refused):
        await granting.revoke_key(somebody("admin"), key.id)
    await granting.revoke_key(LOCAL, key.id)
    with pytest.raises(NotFound):
        await granting.revoke_key(LOCAL, new_id())


@pytest.mark.parametrize("given", [
    {"days": 0}, {"days": 4000}, {"scopes": ["everything"]}, {"roles": ["king"]}, {"principal": "ada@example.org"},
])  # fmt: skip
async def test_what_makes_no_sense_is_refused_and_leaves_nothing(granting: Any, given: Any) -> None:
    before = await granting.keys(LOCAL)
    with pytest.raises(AccessError):
        await granting.create_key(LOCAL, "x", **given)
    assert await granting.keys(LOCAL) == before


async def test_members_of_a_team_are_made_by_members_and_owners(granting: Any) -> None:
    ann, bob = somebody("admin", teams=frozenset({"red"})), new_id()
    await granting.join(ann, bob, "red")
    with pytest.raises(Refused):
        await granting.join(ann, bob, "blue")
    await granting.leave(somebody("admin"), bob, "red")
    with pytest.raises(NotFound):
        await granting.leave(ann, bob, "red")
    with pytest.raises(AccessError):
        await granting.join(LOCAL, bob, "Red Team!")


# --- shares


@pytest.fixture
async def tales(granting: Any) -> Any:
    """A private namespace of somebody, and one that is shared with all."""
    ann = somebody("designer")
    await granting.keep_namespace(LOCAL, Namespace("tales", "/srv/tales", "private", ann.id))
    await granting.keep_namespace(LOCAL, Namespace("commons", "/srv/commons"))
    yield ann
    for name in ("tales", "commons"):
        await granting.drop_namespace(LOCAL, name)


@pytest.mark.requirement("0.25")
async def test_a_share_holds_until_it_ends_or_is_taken_back(site: Any, granting: Any, tales: Principal) -> None:
    bob, identities = somebody("designer"), site.entrance.identities
    assert await identities.right(bob, "tales") is None
    await granting.share(tales, "tales", "principal", bob.id, "write", site.clock() + timedelta(seconds=10))
    assert await identities.right(bob, "tales") == "write"
    assert await identities.right(somebody("designer"), "tales") is None
    site.clock.ahead += timedelta(seconds=11)
    assert await identities.right(bob, "tales") is None
    site.clock.ahead += timedelta(seconds=60)
    assert await identities.right(bob, "tales") is None
    await granting.share(tales, "tales", "principal", bob.id, "read")
    assert await identities.right(bob, "tales") == "read"
    await granting.unshare(tales, "tales", "principal", bob.id)
    assert await identities.right(bob, "tales") is None
    with pytest.raises(NotFound):
        await granting.unshare(tales, "tales", "principal", bob.id)
    with pytest.raises(AccessError):
        await granting.share(tales, "tales", "principal", bob.id, "read", site.clock())


@pytest.mark.requirement("0.25")
async def test_a_share_with_a_team_is_its_members_and_the_most_counts(
    site: Any, granting: Any, tales: Principal
) -> None:
    bob, eve = somebody("designer", teams=frozenset({"red", "blue"})), somebody("designer")
    right = site.entrance.identities.right
    await granting.share(tales, "tales", "team", "red", "read")
    await granting.share(tales, "tales", "team", "blue", "publish", site.clock() + timedelta(hours=1))
    assert (await right(bob, "tales"), await right(eve, "tales")) == ("publish", None)
    site.clock.ahead += timedelta(hours=2)
    assert await right(bob, "tales") == "read"
    assert await right(Principal.of("public", kind="public", teams=frozenset({"red"})), "tales") is None


@pytest.mark.requirement("0.25")
async def test_what_was_lent_is_not_lent_on_and_what_is_not_seen_does_not_exist(
    site: Any, granting: Any, tales: Principal
) -> None:
    bob, admin = somebody("designer"), somebody("admin")
    for who in (bob, admin, Principal.of(tales.id, "designer", narrowed=frozenset[Any]())):
        with pytest.raises(NotFound) as unseen:
            await granting.share(who, "tales", "principal", bob.id, "read")
        with pytest.raises(NotFound) as unknown:
            await granting.share(who, "no-such", "principal", bob.id, "read")
        assert str(unseen.value).replace("tales", "no-such") == str(unknown.value)
    for who in (bob, admin):
        await granting.share(LOCAL, "tales", "principal", who.id, "publish")
        with pytest.raises(Refused):
            await granting.share(who, "tales", "principal", new_id(), "read")
    with pytest.raises(Refused):
        await granting.share(bob, "commons", "principal", bob.id, "publish")
    await granting.share(admin, "commons", "principal", bob.id, "publish")
    assert [each.name for each in await granting.namespaces(somebody("admin"))] == ["commons"]
    assert [each.name for each in await granting.namespaces(LOCAL)] == ["commons", "tales"]


async def test_knowledge_keeps_its_namespaces_and_asks_for_shares(site: Any, granting: Any, tales: Principal) -> None:
    spaces, admin = GrantedSpaces(site.entrance.identities, granting), somebody("admin")
    await spaces.add(admin, Namespace("songs", "/srv/songs.git", "team", admin.id, "red"))
    with pytest.raises(AccessError):
        await spaces.add(admin, Namespace("songs", "/elsewhere"))
    assert {each.name: each.location for each in await spaces.namespaces()}["songs"] == "/srv/songs.git"
    await granting.share(LOCAL, "songs", "principal", tales.id, "write")
    assert await spaces.right(tales, "songs") == "write"
    await spaces.remove(admin, "songs")
    assert await spaces.right(tales, "songs") is None
    assert "songs" not in [each.name for each in await spaces.namespaces()]


# --- the audit


@pytest.mark.requirement("4.34")
async def test_every_act_is_audited_with_who_what_whom_and_from_where(site: Any, granting: Any) -> None:
    admin = somebody("owner")
    key, text = await granting.create_key(admin, "Ada's laptop", roles=["designer"], scopes=["kb:read"], days=7)
    await granting.join(admin, key.principal, "red")
    await granting.keep_namespace(admin, Namespace("plays", "/srv/plays", "team", admin.id, "red"))
    await granting.share(admin, "plays", "principal", key.principal, "write")
    await granting.share(admin, "plays", "team", "red", "read")
    await granting.unshare(admin, "plays", "team", "red")
    await granting.drop_namespace(admin, "plays")
    await granting.leave(admin, key.principal, "red")
    await granting.withdraw(admin, key.principal, "designer")
    await granting.revoke_key(admin, key.id)
    found = await audit.entries(site.store.connections, admin.id)
    assert [(each.action, each.target, dict(each.data)) for each in reversed(found)] == [
        ("role.grant", key.principal, {"role": "designer"}),
        ("key.create", key.id, {"principal": key.principal, "scopes": "kb:read", "days": 7}),
        ("team.join", key.principal, {"team": "red"}),
        ("namespace.keep", "", {"namespace": "plays", "visibility": "team", "team": "red"}),
        ("share.give", key.principal, {"namespace": "plays", "right": "write"}),
        ("share.give", "", {"namespace": "plays", "team": "red", "right": "read"}),
        ("share.take", "", {"namespace": "plays", "team": "red"}),
        ("namespace.drop", "", {"namespace": "plays"}),
        ("team.leave", key.principal, {"team": "red"}),
        ("role.withdraw", key.principal, {"role": "designer"}),
        ("key.revoke", key.id, {}),
    ]
    assert {each.address for each in found} == {"203.0.113.9"}
    assert all(each not in repr(found) for each in (text.split("_", 2)[2], "laptop", "/srv"))


@pytest.mark.requirement("1.21", "0.25")
async def test_with_their_last_player_go_a_principals_keys_roles_teams_and_shares(site: Any, granting: Any) -> None:
    key, text = await granting.create_key(LOCAL, "Ada's", roles=["player"])
    await granting.join(LOCAL, key.principal, "red")
    await granting.keep_namespace(LOCAL, Namespace("odes", "/srv/odes"))
    await granting.share(LOCAL, "odes", "principal", key.principal, "read")
    one, two = [await site.store.player(key.principal, name) for name in ("Ada", "Bea")]
    await site.store.erase(one.id, "Ada", "operator")
    assert (await site.whoami(text))["teams"] == ["red"]
    await site.store.erase(two.id, "Bea", "operator")
    for table, column in (
        ("api_keys", "principal"),
        ("roles", "principal"),
        ("teams", "principal"),
        ("shares", "holder"),
    ):
        query = f"SELECT count(*) FROM {table} WHERE {column} = $1"
        assert await site.store.connections.value(query, key.principal) == 0, table
    site.clock.ahead += timedelta(seconds=30)
    assert await site.whoami(text) == {"status": 401}
    await granting.drop_namespace(LOCAL, "odes")
