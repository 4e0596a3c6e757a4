"""What stands before everything that is served: names, pages, proxies, sizes, depths, how often, and who has no credential."""

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any

import anyio
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from agents.access import LOCAL, PUBLIC, Principal
from mcp_server.web.bodies import COMMAND, DEPTH, PAGE
from mcp_server.web.doors import Doors
from mcp_server.web.lasting import watched
from mcp_server.web.limits import FIGURES, Figure, Limited, Limiter
from mcp_server.web.refusals import Refusal

pytestmark = pytest.mark.anyio


# --- names and pages


@pytest.mark.requirement("4.30")
@pytest.mark.parametrize("host", [
    "evil.example", "evil.example:8000", "play.example.org.evil.example", "127.0.0.1.nip.io", "localhost@evil.example",
    "0.0.0.0", "10.0.0.1", "", "[::2]", "localhost/x", "[", "a" * 3000,
])  # fmt: skip
async def test_a_name_that_leads_here_by_rebinding_is_refused_also_when_bound_to_all_interfaces(
    serve: Any, host: str
) -> None:
    for bound in ("127.0.0.1", "0.0.0.0", "::"):
        with pytest.raises(Refusal) as refused:
            Doors.of(bound, "https://play.example.org").check(host, None)
        assert refused.value.status == 421
    site = await serve(host="0.0.0.0", trust_loopback=True)
    answer = await site.ask("POST", "/mcp", headers={"host": host}, content=b"{}")
    assert answer.status_code == 421 or (host in ("", "[") and answer.status_code == 400)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:80", "play.example.org",
                                  "Play.Example.org:443"])  # fmt: skip
async def test_this_machine_and_the_public_address_are_known_whatever_the_server_is_bound_to(host: str) -> None:
    for bound in ("127.0.0.1", "0.0.0.0", "192.168.1.5"):
        Doors.of(bound, "https://play.example.org").check(host, None)
    Doors.of("192.168.1.5").check("192.168.1.5:8000", None)


@pytest.mark.requirement("4.30")
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://play.example.org", "https://play.example.org:8",
                                    "https://localhost.evil.example", "http://localhost/x", "file://"])  # fmt: skip
async def test_a_page_of_another_origin_may_not_call_not_even_with_a_good_key(serve: Any, origin: str) -> None:
    site = await serve(host="0.0.0.0", trust_loopback=True)
    key = await site.key("player")
    for credential in ("", key):
        answer = await site.ask("POST", "/mcp", credential, headers={"origin": origin}, content=b"{}")
        assert (answer.status_code, answer.json()["error"]) == (403, "origin")
    with pytest.raises(InvalidStatus) as refused:
        async with connect(site.url.replace("http", "ws") + "/ws", origin=origin):  # type: ignore[arg-type]
            pass
    assert refused.value.response.status_code == 403


async def test_pages_of_this_machine_and_of_the_public_address_may_call(site: Any) -> None:
    for origin in ("http://localhost:6274", "https://play.example.org", site.url):
        assert (await site.ask("POST", "/mcp", headers={"origin": origin}, content=b"{}")).status_code == 200


# --- who has no credential


async def test_who_shows_no_credential_reads_what_is_shared_and_no_more(site: Any) -> None:
    found = await site.whoami("")
    assert (found["kind"], found["scopes"]) == ("public", ["kb:read"])


async def test_a_server_that_is_not_public_asks_for_a_credential_and_says_where_to_get_one(serve: Any) -> None:
    site = await serve(public=False)
    answer = await site.ask("POST", "/mcp", content=b"{}")
    assert answer.status_code == 401
    where = f"{site.entrance.gate.public_url}/.well-known/oauth-protected-resource/mcp"
    assert answer.headers["www-authenticate"] == f'Bearer resource_metadata="{where}"'
    told = (await site.ask("GET", "/.well-known/oauth-protected-resource/mcp")).json()
    assert (told["resource"], told["authorization_servers"]) == ("https://play.example.org/mcp", [site.issuer.url])
    assert "game:play" in told["scopes_supported"]
    assert not {"admin", "owner"} & set(told["scopes_supported"])
    whole = (await site.ask("GET", "/.well-known/oauth-protected-resource")).json()
    assert whole["resource"] == "https://play.example.org"
    assert (await site.ask("GET", "/health")).status_code == 200
    assert (await site.whoami(await site.key("player")))["kind"] == "key"


@pytest.mark.parametrize("headers", [
    {"x-forwarded-for": "203.0.113.9"}, {"forwarded": "for=203.0.113.9"}, {"via": "1.1 proxy"},
    {"origin": "http://localhost:3000"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
])  # fmt: skip
async def test_the_owner_is_trusted_on_this_machine_but_not_through_a_proxy_or_another_page(
    serve: Any, headers: dict[str, str]
) -> None:
    site = await serve(trust_loopback=True)
    assert (await site.whoami(""))["kind"] == "local"
    assert (await site.ask("GET", "/whoami", headers=headers)).json()["kind"] == "public"
    # A credential says less than who one is: it counts all the same.
    assert (await site.whoami(await site.key("player")))["kind"] == "key"
    assert await site.whoami("rb_wrong") == {"status": 401}


@pytest.mark.parametrize("said", ["Basic YTpi", "Bearer", "bearer rb_x_y", "token"])
async def test_what_is_no_good_bearer_token_is_never_taken_for_nobody(serve: Any, said: str) -> None:
    site = await serve(trust_loopback=True)
    answer = await site.ask("GET", "/whoami", headers={"authorization": said})
    assert answer.status_code == 401


async def test_a_header_that_decides_may_stand_once(site: Any) -> None:
    key = await site.key("player")
    headers = [("authorization", f"Bearer {key}"), ("authorization", "Bearer x")]
    answer = await site.http.get(f"{site.url}/whoami", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "headers")


async def test_the_address_is_told_by_proxies_of_ours_alone(serve: Any) -> None:
    told = {"x-forwarded-for": "198.51.100.1, 203.0.113.9, 10.1.2.3"}
    plain, behind = await serve(), await serve(proxies=("127.0.0.0/8", "10.0.0.0/8"))
    assert (await plain.ask("GET", "/health", headers=told)).json()["address"] == "127.0.0.1"
    assert (await behind.ask("GET", "/health", headers=told)).json()["address"] == "203.0.113.9"
    for said in ("<script>", "", "203.0.113.9, x", "10.0.0.1"):
        answer = await behind.ask("GET", "/health", headers={"x-forwarded-for": said})
        assert answer.json()["address"] in ("127.0.0.1", "10.0.0.1")
    doors = Doors.of("", "", ["::1"])
    assert doors.address("::1", "::ffff:203.0.113.9") == "203.0.113.9"


# --- sizes and depths


@pytest.mark.requirement("4.30")
@pytest.mark.parametrize(("path", "role", "most"), [
    ("/act", "player", COMMAND), ("/mcp", "player", COMMAND), ("/mcp", "", COMMAND), ("/mcp", "designer", PAGE),
])  # fmt: skip
async def test_a_request_is_as_large_as_its_purpose_needs(site: Any, path: str, role: str, most: int) -> None:
    key = await site.key(role) if role else ""

    async def parts(size: int) -> Any:
        for _ in range(0, size, 1000):
            yield b"x" * min(1000, size)

    whole = await site.ask("POST", path, key, content=b"x" * most)
    assert (whole.status_code, len(whole.json()["body"])) == (200, most)
    assert (await site.ask("POST", path, key, content=b"x" * (most + 1))).status_code == 413
    assert (await site.ask("POST", path, key, content=parts(most + 2000))).status_code == 413


@pytest.mark.requirement("4.30")
@pytest.mark.parametrize("body", [
    b"[" * 5000, b"[" * (DEPTH + 1) + b"]" * (DEPTH + 1), b'{"a":' * (DEPTH + 1) + b"1" + b"}" * (DEPTH + 1),
    b'[NaN,' + b"[" * 2000 + b"]" * 2001,
])  # fmt: skip
async def test_json_that_is_too_deep_is_refused_before_anything_reads_it(site: Any, body: bytes) -> None:
    answer = await site.ask("POST", "/act", content=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "json")


async def test_json_may_be_wide_and_text_may_hold_brackets(site: Any) -> None:
    for body in (json.dumps([[1]] * 1000), json.dumps({"text": "[[link]] {{" * 500}), "[" * 64 + "]" * 64):
        assert (await site.ask("POST", "/act", content=body)).json()["body"] == body


# --- how often


@pytest.mark.requirement("2.11", "4.31")
async def test_who_shows_no_credential_asks_a_hundred_times_a_minute_from_one_address(serve: Any) -> None:
    site = await serve(proxies=("127.0.0.1",))
    one, other = {"x-forwarded-for": "203.0.113.9"}, {"x-forwarded-for": "203.0.113.10"}
    answers = [await site.ask("GET", "/health", headers=one) for _ in range(110)]
    refused = [each for each in answers if each.status_code == 429]
    assert 0 < len(refused) <= 10
    assert 1 <= int(refused[-1].headers["retry-after"]) <= 60
    assert (await site.ask("GET", "/health", headers=other)).status_code == 200


@pytest.mark.requirement("2.11", "4.31")
async def test_all_workers_count_together(serve: Any) -> None:
    one, two = await serve(), await serve()
    key = await one.key("admin", scopes=["admin"])
    answers = [await each.ask("GET", "/admin/jobs", key) for _ in range(28) for each in (one, two)]
    assert [each.status_code for each in answers[:40]] == [200] * 40
    assert answers[-1].status_code == 429


@pytest.mark.requirement("2.11", "4.31")
async def test_who_shows_no_credential_asks_models_no_more_often_than_who_does() -> None:
    time = 0.0
    limiter = Limiter(None, clock=lambda: time)
    one, other = (replace(PUBLIC, address=address) for address in ("203.0.113.9", "203.0.113.10"))
    for _ in range(1000):
        await limiter.take(one, "model")
    assert await limiter.wait(one, "model") > 0
    assert await limiter.wait(one) == 0, "pages are counted for themselves"
    assert await limiter.wait(other, "model") == 0


@pytest.mark.requirement("2.11", "4.31")
async def test_without_redis_each_process_counts_by_the_same_figures() -> None:
    time = 0.0
    limiter = Limiter(None, clock=lambda: time)
    ada, bob = Principal.of("ada", "player"), Principal.of("bob", "player")
    for _ in range(20):
        await limiter.take(ada)
    with pytest.raises(Limited) as limited:
        await limiter.take(ada)
    assert limited.value.wait == 1
    await limiter.take(bob)
    time += 1
    for _ in range(10):
        await limiter.take(ada)
    assert await limiter.wait(ada) > 0
    for _ in range(1000):
        await limiter.take(ada, "model")
    assert await limiter.wait(ada, "model") > 0
    assert await limiter.wait(LOCAL) == 0
    assert FIGURES["model"].rate == 1000 / 3600


async def test_while_redis_is_away_nobody_is_unlimited(serve: Any) -> None:
    site = await serve(redis="redis://127.0.0.1:1/0")
    site.entrance.limiter._figures = {"player": Figure(0.01, 3)}
    key = await site.key("player")
    answers = [(await site.ask("POST", "/act", key, content=b"{}")).status_code for _ in range(5)]
    assert answers == [200, 200, 200, 429, 429]


@pytest.mark.requirement("4.31")
async def test_a_tool_that_is_called_too_often_answers_an_error_that_a_model_can_read(site: Any) -> None:
    site.entrance.limiter._figures = {"player": Figure(0.5, 3)}
    key = await site.key("player")
    call = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "act"}}
    while True:
        answer = await site.ask("POST", "/mcp", key, json=call, headers={"mcp-protocol-version": "2026-07-28"})
        assert answer.status_code == 200
        if "result" in answer.json():
            break
    told = answer.json()
    assert (told["id"], told["result"]["isError"], told["result"]["resultType"]) == (7, True, "complete")
    assert "Try again in 2 s" in told["result"]["content"][0]["text"]
    assert answer.headers["retry-after"] == "2"
    for other in ({**call, "method": "ping"}, {**call, "id": None}, {**call, "id": [1]}, [call], "x", None):
        assert (await site.ask("POST", "/mcp", key, json=other)).status_code == 429


@pytest.mark.requirement("4.31")
async def test_who_guesses_credentials_is_held_back_and_who_is_known_at_that_address_is_not(site: Any) -> None:
    key = await site.key("player")
    assert (await site.whoami(key))["kind"] == "key"
    answers = [(await site.whoami(f"rb_{number:012x}_{'A' * 43}"))["status"] for number in range(14)]
    assert answers[:10] == [401] * 10
    assert answers[-1] == 429
    assert (await site.whoami(key))["kind"] == "key"


# --- WebSockets and what lasts


async def test_a_websocket_is_opened_with_a_key_and_with_a_ticket_that_is_good_once(site: Any) -> None:
    key = await site.key("player")
    who, url = (await site.whoami(key))["principal"], site.url.replace("http", "ws") + "/ws"
    async with connect(url, additional_headers={"authorization": f"Bearer {key}"}) as socket:
        assert json.loads(await socket.recv()) == {"principal": who}
    told = (await site.ask("POST", "/ticket", key)).json()
    assert told["seconds"] == 30
    assert told["ticket"] not in key
    async with connect(f"{url}?ticket={told['ticket']}") as socket:
        assert json.loads(await socket.recv()) == {"principal": who}
    for ticket in (told["ticket"], "x", "", f"{told['ticket']}&ticket=x"):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"{url}?ticket={ticket}"):
                pass
        assert refused.value.response.status_code == 401


async def test_a_ticket_of_a_key_that_was_revoked_meanwhile_opens_nothing(site: Any) -> None:
    key = await site.key("player")
    (kept,) = await site.store.access.keys((await site.whoami(key))["principal"])
    ticket = (await site.ask("POST", "/ticket", key)).json()["ticket"]
    assert not any(key.encode() in value for value in [
        await site.store.redis.call("GET", name) for name in await site.store.redis.call("KEYS", "ticket:*")
    ])  # fmt: skip
    await site.granting.revoke_key(LOCAL, kept.id)
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"{site.url.replace('http', 'ws')}/ws?ticket={ticket}"):
            pass
    assert refused.value.response.status_code == 401


async def test_a_key_in_a_url_is_nothing(site: Any) -> None:
    key = await site.key("player")
    for name in ("access_token", "token", "key", "ticket"):
        answer = await site.ask("GET", f"/whoami?{name}={key}")
        assert answer.status_code == 400 or answer.json()["kind"] == "public"


async def test_a_connection_that_is_open_hears_that_its_key_was_revoked(site: Any) -> None:
    key = await site.key("player")
    who = (await site.whoami(key))["principal"]
    (kept,) = await site.store.access.keys(who)
    headers = {"authorization": f"Bearer {key}"}
    async with connect(site.url.replace("http", "ws") + "/ws", additional_headers=headers) as socket:
        await socket.recv()
        await socket.send("?")
        assert json.loads(await socket.recv()) == {"principal": who}
        await site.granting.revoke_key(LOCAL, kept.id)
        await socket.send("?")
        assert json.loads(await socket.recv()) == {"principal": None}


async def test_a_stream_ends_when_its_credential_does() -> None:
    good = True

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def still() -> bool:
        return good

    last = asyncio.create_task(watched(receive, still, every=0.01)())  # type: ignore[arg-type]
    await anyio.wait_all_tasks_blocked()
    assert not last.done()
    good = False
    assert await asyncio.wait_for(last, 10) == {"type": "http.disconnect"}


async def test_a_refusal_is_logged_without_what_was_said(site: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await site.ask("GET", "/whoami?word=hush", "rb_hush", headers={"x-word": "hush"})
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("mcp_server")]
    assert lines == ["refused: 401 invalid_token from 127.0.0.1"]
    assert "hush" not in "".join(lines)
