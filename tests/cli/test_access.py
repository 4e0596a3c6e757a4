"""`rulebound keys|roles|teams` and `rulebound kb share|unshare|shares`."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from agents.access import LOCAL, PUBLIC, Namespace, Principal, Refused
from agents.identity import Unrecognised
from rulebound.app import open_app
from rulebound.settings import Settings
from storage.postgres import audit

Run = Callable[..., Any]


def with_app(work: Callable[[Any], Any]) -> Any:
    """What `work` gives for the app that the commands opened too."""

    async def go() -> Any:
        async with open_app(Settings.from_environment()) as app:
            return await work(app)

    return asyncio.run(go())


async def _recognised(app: Any, key: str) -> Principal | None:
    try:
        return await app.access.identities.recognise(key)
    except Unrecognised:
        return None


@pytest.mark.requirement("4.33", "4.34")
def test_a_key_is_created_listed_and_revoked(rulebound: Run, kept: None) -> None:
    assert rulebound("keys", "list").status == 1
    made = rulebound("keys", "create", "laptop", "--role", "player", "--role", "designer", "--scope", "kb:read")
    assert made.status == 0
    key, told = made.out.splitlines()
    found = re.fullmatch(
        r"This is shown once\. It is key (\w{32}) of principal (\w{32}), until \d{4}-\d\d-\d\d\.", told
    )
    assert found is not None
    who = with_app(lambda app: _recognised(app, key))
    assert (who.id, who.roles, who.scopes) == (found[2], {"player", "designer"}, {"kb:read"})
    listed = rulebound("keys", "list", "--principal", found[2])
    assert listed.status == 0
    assert listed.out.startswith(f"{found[1]}  laptop  rb_{key.split('_')[1]}_…  {found[2]}  kb:read  until ")
    assert key.split("_", 2)[2] not in listed.out
    assert "within 30 s" in rulebound("keys", "revoke", found[1]).out
    assert with_app(lambda app: _recognised(app, key)) is None
    assert "revoked, used" in rulebound("keys", "list").out
    entries = with_app(lambda app: audit.entries(app.store.connections, "operator"))
    assert [each.action for each in entries] == ["key.revoke", "key.create", "role.grant", "role.grant"]


@pytest.mark.requirement("4.33")
def test_a_key_of_an_admin_that_cannot_administer_says_so(rulebound: Run, kept: None) -> None:
    made = rulebound("keys", "create", "desk", "--role", "admin")
    assert made.status == 0
    assert "needs the scope admin: a key has that only by `--scope`" in made.err
    who = with_app(lambda app: _recognised(app, made.out.splitlines()[0]))
    with pytest.raises(Refused) as refused:
        who.need("admin")
    assert refused.value.hint == "A role has it, the key or token does not: get one with the scope 'admin'."
    for said in (("--role", "admin", "--scope", "admin"), ("--role", "player")):
        assert "--scope" not in rulebound("keys", "create", "desk", *said).err


@pytest.mark.requirement("4.33")
def test_who_shows_no_credential_is_told_to_send_one() -> None:
    with pytest.raises(Refused) as refused:
        PUBLIC.need("game:play")
    assert refused.value.hint == "Send a key or a token as `Authorization: Bearer …`."


@pytest.mark.requirement("4.33")
def test_roles_and_teams_are_given_listed_and_taken_back(rulebound: Run, kept: None) -> None:
    who = "0" * 31 + "a"
    assert rulebound("roles", "list").status == rulebound("teams", "list").status == 1
    assert rulebound("roles", "grant", who, "admin").status == 0
    assert rulebound("teams", "join", who, "red").status == 0
    assert rulebound("roles", "list").out.startswith(f"{who}  admin  by local, ")
    assert rulebound("teams", "list", "--principal", who).out.startswith(f"{who}  red  by local, ")
    assert rulebound("roles", "revoke", who, "admin").status == 0
    assert rulebound("teams", "leave", who, "red").status == 0
    assert rulebound("roles", "list").status == rulebound("teams", "list").status == 1


@pytest.mark.requirement("0.25")
def test_a_knowledge_base_is_shared_and_taken_back(rulebound: Run, kept: None) -> None:
    who = "0" * 31 + "b"
    with_app(lambda app: app.access.granting.keep_namespace(LOCAL, Namespace("tales", "/srv/tales", "private")))
    assert rulebound("kb", "share", "tales", who, "write", "--days", "1").status == 0
    assert rulebound("kb", "share", "tales", "red", "--team", "--days", "0").status == 0
    shown = rulebound("kb", "shares", "tales").out.splitlines()
    assert re.fullmatch(rf"principal {who}: write until \d{{4}}-\d\d-\d\d \d\d:\d\d UTC", shown[0])
    assert shown[1] == "team red: read until it is taken back"
    assert rulebound("kb", "unshare", "tales", who).status == 0
    assert rulebound("kb", "unshare", "tales", "red", "--team").status == 0
    assert rulebound("kb", "shares", "tales").status == 1


@pytest.mark.parametrize(("said", "told"), [
    (("keys", "create", "x", "--role", "king"), "There is no role 'king'. There are player, "),
    (("keys", "create", "x", "--days", "0"), "A key lasts 1 to 3660 days"),
    (("keys", "create", "x", "--principal", "ada@example.org"), "A principal is named by its id"),
    (("keys", "revoke", "x"), "There is no key 'x'"),
    (("roles", "grant", "ada", "player"), "A principal is named by its id"),
    (("kb", "share", "no-such", "red", "--team"), "There is no namespace 'no-such'"),
])  # fmt: skip
def test_what_cannot_be_done_is_told_in_a_line(rulebound: Run, kept: None, said: tuple[str, ...], told: str) -> None:
    ran = rulebound(*said)
    assert (ran.status, ran.out) == (2, "")
    assert told in ran.err
    assert "Traceback" not in ran.err
