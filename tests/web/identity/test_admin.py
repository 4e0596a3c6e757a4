"""The administration over HTTP: what it takes, what it gives, what it asks to be repeated, and its description."""

from typing import Any

import pytest

from agents.access import LOCAL
from mcp_server.web.admin import OPERATIONS
from storage import new_id
from storage.postgres import audit

pytestmark = pytest.mark.anyio


@pytest.fixture
async def owner(site: Any) -> str:
    return await site.key("owner")


@pytest.mark.requirement("0.37", "4.33")
async def test_a_key_is_made_used_listed_and_revoked(site: Any, owner: str) -> None:
    made = (await site.ask("POST", "/admin/keys", owner, json={"name": "bot", "roles": ["player"], "days": 7})).json()
    site.said.append(made["key"])
    assert (await site.whoami(made["key"]))["principal"] == made["principal"]
    listed = await site.ask("GET", f"/admin/keys?principal={made['principal']}", owner)
    assert made["key"].split("_", 2)[2] not in listed.text
    (shown,) = listed.json()["keys"]
    assert (shown["id"], shown["name"], shown["revoked"]) == (made["id"], "bot", None)
    assert listed.headers["cache-control"] == "no-store"
    asked = await site.ask("DELETE", f"/admin/keys/{made['id']}", owner)
    assert (asked.status_code, asked.json()["error"]) == (400, "confirm")
    assert f"?confirm={made['id']}" in asked.json()["hint"]
    assert (await site.whoami(made["key"]))["kind"] == "key"
    assert (await site.ask("DELETE", f"/admin/keys/{made['id']}?confirm={made['id']}", owner)).status_code == 204
    assert await site.whoami(made["key"]) == {"status": 401}


@pytest.mark.requirement("0.37")
@pytest.mark.parametrize("path", ["/admin/players/{id}", "/admin/roles/{id}/gm", "/admin/teams/red/{id}",
                                  "/admin/namespaces/x", "/admin/namespaces/x/shares/team/red"])  # fmt: skip
@pytest.mark.parametrize("confirm", ["", "?confirm=", "?confirm=yes"])
async def test_what_cannot_be_taken_back_is_done_when_its_name_is_repeated(
    site: Any, owner: str, path: str, confirm: str
) -> None:
    answer = await site.ask("DELETE", path.format(id=new_id()) + confirm, owner)
    assert (answer.status_code, answer.json()["error"]) == (400, "confirm")


@pytest.mark.requirement("4.34")
async def test_a_player_is_found_shown_exported_and_erased_and_each_is_audited(site: Any, owner: str) -> None:
    who = (await site.whoami(owner))["principal"]
    player = (await site.store.player(new_id(), f"Ada {new_id()}")).id
    name = (await site.store.progress.profile(player)).player.name
    assert (await site.ask("GET", "/admin/players", owner, params={"name": name})).json() == {"players": [player]}
    assert (await site.ask("GET", f"/admin/players/{player}", owner)).json()["name"] == name
    exported = (await site.ask("GET", f"/admin/players/{player}/export", owner)).json()["player"]
    assert exported["profile"][0]["name"] == name
    assert all(each["address"] == "" for each in exported["audit"])
    erased = await site.ask("DELETE", f"/admin/players/{player}?confirm={player}", owner)
    assert erased.json() == {"player": player, "games": 0, "shared": 0, "turns": 0, "events": 0}
    assert (await site.ask("GET", f"/admin/players/{player}", owner)).status_code == 404
    found = await audit.entries(site.store.connections, player)
    assert [(each.actor, each.action, each.address) for each in found] == [
        (who, "erase", "127.0.0.1"), (who, "export", "127.0.0.1"), (who, "player.show", "127.0.0.1"),
    ]  # fmt: skip
    told = (await site.ask("GET", "/admin/audit", owner, params={"who": player, "limit": 2})).json()["entries"]
    assert [each["action"] for each in told] == ["erase", "export"]
    assert told[0]["data"] == {"games": 0, "shared": 0, "turns": 0, "events": 0}


@pytest.mark.requirement("4.30")
@pytest.mark.parametrize(("body", "status"), [
    ({"name": "x", "days": "soon"}, 400), ({"name": ""}, 400), ({"name": "x" * 81}, 400), ({}, 400), ([], 400),
    ({"name": "a\0b"}, 400), ({"name": "x", "owner": True}, 400), ({"name": "x", "roles": ["king"]}, 400), ({"name": "x", "days": 9999}, 400),
])  # fmt: skip
async def test_what_is_not_described_is_refused_and_not_repeated(site: Any, owner: str, body: Any, status: int) -> None:
    before = len(await site.granting.keys(LOCAL))
    answer = await site.ask("POST", "/admin/keys", owner, json=body)
    assert answer.status_code == status
    assert set(answer.json()) <= {"error", "message", "hint"}
    assert "soon" not in answer.text
    assert len(await site.granting.keys(LOCAL)) == before


async def test_a_form_of_another_page_is_no_request_of_an_admin(serve: Any) -> None:
    site = await serve(trust_loopback=True)
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = await site.ask("POST", "/admin/keys", content=b'{"name": "x"}', headers={"content-type": kind})
        assert answer.status_code == 415
    page = {"origin": "http://localhost:3000", "content-type": "application/json"}
    assert (await site.ask("POST", "/admin/keys", content=b'{"name": "x"}', headers=page)).status_code == 401
    made = await site.ask("POST", "/admin/keys", json={"name": "x"})
    assert made.status_code == 200
    (entry, *_) = await audit.entries(site.store.connections, limit=1)
    assert (entry.actor, entry.action, entry.address) == ("operator", "key.create", "127.0.0.1")


@pytest.mark.requirement("4.30")
@pytest.mark.parametrize("said", ["../../etc/passwd", "%2e%2e%2f", "' OR 1=1 --", "<script>", "a\u0000b", "x" * 900])
async def test_no_parameter_leads_anywhere_else(site: Any, owner: str, said: str) -> None:
    for path in ("/admin/players", "/admin/audit", "/admin/keys"):
        name = {"/admin/players": "name", "/admin/audit": "who", "/admin/keys": "principal"}[path]
        answer = await site.ask("GET", path, owner, params={name: said})
        assert answer.status_code in (200, 400)
        assert said not in answer.text
    for path in ("/admin/namespaces/{}/shares", "/admin/players/{}", "/admin/players/{}/export"):
        answer = await site.ask("GET", path.format(said.replace("\0", "%00")), owner)
        assert answer.status_code in (307, 400, 404)
        assert "Traceback" not in answer.text


async def test_the_description_names_every_operation_with_what_it_takes_and_gives(site: Any) -> None:
    told = (await site.ask("GET", "/openapi.json")).json()
    assert told["openapi"] == "3.1.0"
    assert {(path, method.upper()) for path, each in told["paths"].items() for method in each} == {
        (each.path, each.method) for each in OPERATIONS
    }
    made = told["paths"]["/admin/keys"]["post"]
    assert made["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/NewKey"}
    assert told["components"]["schemas"]["NewKey"]["required"] == ["name"]
    erased = told["paths"]["/admin/players/{id}"]["delete"]
    assert [(each["name"], each["in"]) for each in erased["parameters"]] == [("id", "path"), ("confirm", "query")]
    assert erased["description"] == "Needs the scope `admin`."
    named = set(_references(told))
    assert named <= {f"#/components/schemas/{name}" for name in told["components"]["schemas"]}
    assert told["servers"] == [{"url": "https://play.example.org"}]


def _references(value: Any) -> Any:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from [each] if key == "$ref" else _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)
