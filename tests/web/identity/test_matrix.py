"""Who may do what over HTTP: every act as every kind of caller, as the table in tests/web/matrix.py says."""

import runpy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast, get_args

import pytest

from agents.access import LOCAL, SCOPES, Namespace, Role, Scope
from mcp_server.web.admin import OPERATIONS
from mcp_server.web.limits import FIGURES, Figure
from storage.postgres import audit

pytestmark = pytest.mark.anyio
FOUND = runpy.run_path(str(Path(__file__).parents[1] / "matrix.py"))
MATRIX, CALLERS, BAD = FOUND["MATRIX"], FOUND["CALLERS"], FOUND["BAD"]


@pytest.fixture
async def ids(site: Any) -> AsyncIterator[dict[str, str]]:
    """What the acts are about, made anew."""
    site.entrance.limiter._figures = dict.fromkeys(FIGURES, Figure(1e6, 1e6))
    granting = site.granting
    key, text = await granting.create_key(LOCAL, "somebody's", roles=["designer"], scopes=["kb:read"])
    site.said.append(text)
    for role in ("designer", "admin"):
        await granting.grant(LOCAL, key.principal, role)
    for name in ("green",):
        await granting.join(LOCAL, key.principal, name)
    await granting.keep_namespace(LOCAL, Namespace("tales", "/srv/tales"))
    await granting.keep_namespace(LOCAL, Namespace("extra", "/srv/extra"))
    await granting.share(LOCAL, "tales", "principal", key.principal, "read")
    player = await site.store.player(key.principal, "Ada")
    yield {"key": key.id, "who": key.principal, "player": player.id, "ns": "tales"}
    for name in ("tales", "extra"):
        if any(each.name == name for each in await granting.namespaces(LOCAL)):
            await granting.drop_namespace(LOCAL, name)


async def credential(site: Any, caller: str) -> str:
    if caller == "nobody":
        return ""
    if caller == "expired":
        return site.token(exp=1)
    if caller == "foreign":
        return site.token(aud="https://elsewhere.example.org", roles=["owner"])
    if caller == "reader":
        return await site.key("owner", scopes=["kb:read"])
    if caller == "revoked":
        text = await site.key("owner")
        found = await site.store.access.key(text.split("_")[1])
        await site.granting.revoke_key(LOCAL, found.key.id)
        return text
    return await site.key(caller)


def expected(act: Any, caller: str) -> tuple[int, ...]:
    if caller in BAD:
        return (401,)
    if caller == "nobody":
        return (200,) if not act.scope else (401,)
    scopes = {"kb:read"} if caller == "reader" else SCOPES[cast("Role", caller)]
    return (200, 204) if not act.scope or act.scope in scopes else (403,)


@pytest.mark.requirement("0.25", "0.37", "4.33", "4.34")
@pytest.mark.parametrize("caller", CALLERS)
async def test_a_caller_may_do_what_the_table_says_and_nothing_else(
    site: Any, ids: dict[str, str], caller: str
) -> None:
    said = await credential(site, caller)
    who = (await site.whoami(said)).get("principal", "")
    for act in MATRIX:
        before = await snapshot(site)
        answer = await site.ask(act.method, act.path.format(**ids), said, **({"json": act.body} if act.body else {}))
        assert answer.status_code in expected(act, caller), (str(act), answer.text)
        if answer.status_code >= 400:
            assert set(answer.json()) <= {"error", "message", "hint"}
            assert await snapshot(site) == before, str(act)
        elif act.path.startswith("/admin"):
            entry = (await audit.entries(site.store.connections, limit=1))[0]
            assert (entry.actor, entry.address) == (who, "127.0.0.1"), str(act)


async def snapshot(site: Any) -> list[Any]:
    """All that acts can change, and the audit's length."""
    names = ("api_keys", "roles", "teams", "namespaces", "shares", "players", "audit")
    asked = ", ".join(
        f"(SELECT coalesce(md5(string_agg(t::text, '' ORDER BY t::text)), '') FROM {name} t)" for name in names
    )
    return list(
        await site.store.connections.row(f"SELECT {asked.replace('t::text', '(to_jsonb(t) - $$used$$)::text')}")
    )


def test_every_operation_is_in_the_table_and_every_scope_is_one() -> None:
    tried = {(act.method, _shape(act.path)) for act in MATRIX}
    assert {(each.method, _shape(each.path)) for each in OPERATIONS} <= tried
    assert {act.scope for act in MATRIX} <= {"", *get_args(Scope)}


def _shape(path: str) -> str:
    """A path with what is filled in left out, so that `/admin/roles/{who}/gm` is `/admin/roles/*/*`."""
    fixed = {"whoami", "openapi.json", "ticket", "admin", "keys", "roles", "teams", "namespaces", "shares", "players",
             "export", "jobs", "retry", "audit", ".well-known", "oauth-protected-resource"}  # fmt: skip
    return "/".join(part if part in fixed or not part else "*" for part in path.partition("?")[0].split("/"))
