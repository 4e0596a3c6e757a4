"""Playing over a WebSocket, with real clients, servers and stores: answers, events, and what a cut connection missed."""

import asyncio
import json
import random
import socket
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from agents.access import Principal
from mcp_server.web import live
from mcp_server.web.wire import Times

pytestmark = pytest.mark.anyio


async def start(client: Any, name: str) -> dict[str, Any]:
    return await client.ask("start", world="inn", player=name)


async def closed(client: Any) -> tuple[int, str]:
    """How the server closes a connection, after everything that it still says."""
    try:
        while True:
            await client.next()
    except ConnectionClosed as error:
        return (error.rcvd.code, error.rcvd.reason) if error.rcvd else (1006, "")


@pytest.mark.requirement("2.06")
async def test_a_command_is_answered_with_its_id_and_what_came_of_it(serve: Any, joined: Any) -> None:
    async with joined(await serve(), "ann") as ann:
        begun = await start(ann, "Ann")
        assert "An inn." in begun["messages"][0]
        answer = await ann.ask("command", command="take coin")
        looked = await ann.ask("observe")
        why = await ann.ask("why")
        asked = await ann.ask("ask", question="What is the attic?")
        assert (await ann.ask("ping"))["type"] == "pong"
    assert answer["type"] == "response"
    assert (answer["status"], answer["messages"]) == ("done", ["Taken."])
    assert {"what": "gold coin", "field": "location", "before": "Hall", "after": "Ann"} in answer["changes"]
    assert (answer["turn"], answer["score"], answer["ended"]) == (begun["turn"] + 1, 0, None)
    assert looked["observed"]["turn"] == answer["turn"]
    assert why["why"]["said"] == "take coin"
    assert (asked["route"], asked["citations"][0]["path"]) == ("knowledge", "attic.md")


@pytest.mark.requirement("2.06")
async def test_commands_of_one_connection_are_answered_in_order(serve: Any, joined: Any) -> None:
    async with joined(await serve(), "ann") as ann:
        begun = await start(ann, "Ann")
        for number in range(100, 130):
            line = ("north", "south")[number % 2]
            await ann.socket.send(json.dumps({"type": "command", "id": number, "command": line}))
        answers = [await ann.next() for _ in range(30)]
    assert [each["id"] for each in answers] == list(range(100, 130))
    assert [each["turn"] for each in answers] == [begun["turn"] + number for number in range(1, 31)]
    assert {each["status"] for each in answers} == {"done"}


@pytest.mark.requirement("2.04", "2.06")
async def test_players_at_different_workers_hear_each_other(serve: Any, joined: Any) -> None:
    async with joined(await serve(), "ann") as ann, joined(await serve(), "ben") as ben:
        await start(ann, "Ann")
        await start(ben, "Ben")
        for line in ("take coin", "north", "south"):
            assert (await ben.ask("command", command=line))["status"] == "done"
        heard = await ann.events(4)
    assert [each["text"] for each in heard] == [
        "Ben comes.",
        "Ben takes the gold coin.",
        "Ben goes north.",
        "Ben comes in.",
    ]
    assert {each["type"] for each in heard} == {"room_message"}
    turns = [tuple(map(int, each["event"].split("."))) for each in heard]
    assert turns == sorted(set(turns))


@pytest.mark.requirement("0.28", "2.01", "2.06")
async def test_whoever_comes_back_at_another_worker_is_told_what_they_missed_once_and_in_order(
    serve: Any, joined: Any
) -> None:
    one, other = await serve(), await serve()
    texts: list[str] = []
    async with joined(one, "ben") as ben:
        await start(ben, "Ben")
        async with joined(one, "ann") as ann:
            begun = await start(ann, "Ann")
        last = begun["event"]
        for cut in range(6):
            for line in ("take coin", "drop coin", "north", "south"):
                await ben.ask("command", command=line)
            async with joined((one, other)[cut % 2], "ann") as ann:
                back = await ann.ask("resume", handle=begun["handle"], since=last)
                assert (back["event"], back["messages"]) == (last, [])
                # Some of it is told before the connection is cut again, some after.
                for _ in range(3):
                    heard = await ann.next()
                    while heard["kind"] == "presence":
                        heard = await ann.next()
                    texts.append(heard["text"])
                    last = heard["event"]
        async with joined(other, "ann") as ann:
            await ann.ask("resume", handle=begun["handle"], since=last)
            texts += [each["text"] for each in await ann.events(6)]
            await ben.ask("command", command="north")
            assert (await ann.events(7))[6]["text"] == "Ben goes north."
    assert texts == 6 * ["Ben takes the gold coin.", "Ben drops the gold coin.", "Ben goes north.", "Ben comes in."]


@pytest.mark.requirement("0.28", "2.06")
async def test_connections_that_break_at_any_moment_lose_nothing_and_tell_nothing_twice(
    serve: Any, joined: Any
) -> None:
    workers, chance = [await serve(), await serve()], random.Random(7)
    heard: list[str] = []
    async with joined(workers[0], "ben") as ben:
        await start(ben, "Ben")
        async with joined(workers[0], "ann") as ann:
            begun = await start(ann, "Ann")
        last = begun["event"]

        async def plays() -> None:
            for number in range(40):
                line = ("take coin", "drop coin")[number % 2]
                assert (await ben.ask("command", command=line))["status"] == "done"

        playing = asyncio.create_task(plays())
        while len(heard) < 40:
            async with joined(chance.choice(workers), "ann") as ann:
                await ann.ask("resume", handle=begun["handle"], since=last)
                ann.told.clear()
                for each in await ann.events(min(chance.randint(0, 7), 40 - len(heard))):
                    heard.append(each["text"])
                    last = each["event"]
                ann.socket.transport.abort()
        await playing
    assert heard == 20 * ["Ben takes the gold coin.", "Ben drops the gold coin."]


@pytest.mark.requirement("2.06")
async def test_the_last_game_is_found_by_its_world_and_player(serve: Any, joined: Any) -> None:
    worker = await serve()
    async with joined(worker, "ann") as ann:
        begun = await start(ann, "Ann")
        await ann.ask("command", command="north")
    async with joined(worker, "ann") as ann:
        back = await ann.ask("resume", world="inn", player="Ann")
        assert back["handle"] == begun["handle"]
        assert "An attic." in back["messages"][0]
        missing = await ann.ask("resume", world="inn", player="Nobody")
        assert (missing["type"], missing["code"]) == ("error", "no_such_game")


async def test_a_command_that_is_sent_again_after_a_cut_is_done_once(serve: Any, joined: Any) -> None:
    one, other = await serve(), await serve()
    async with joined(one, "ann") as ann:
        begun = await start(ann, "Ann")
        first = await ann.ask("command", command="north", key="k-1")
    async with joined(other, "ann") as ann:
        await ann.ask("resume", handle=begun["handle"])
        again = await ann.ask("command", command="north", key="k-1")
        assert (again["turn"], again["messages"]) == (first["turn"], first["messages"])
        assert (await ann.ask("observe"))["observed"]["turn"] == first["turn"]


BAD: list[tuple[str | bytes, str, Any]] = [
    ("{", "bad_json", None),
    ("[1]", "bad_message", None),
    ('"x"', "bad_message", None),
    ('{"type": "destroy", "id": 7}', "unknown_type", 7),
    ('{"id": "a"}', "unknown_type", "a"),
    ('{"type": "command", "id": 7}', "bad_message", 7),
    ('{"type": "command", "id": 7, "command": ""}', "bad_message", 7),
    ('{"type": "command", "id": 7, "command": "look", "as": "admin"}', "bad_message", 7),
    ('{"type": "command", "id": {"a": 1}, "command": "look"}', "bad_message", None),
    ('{"type": "resume", "id": 7, "handle": "x", "since": "1; DROP TABLE turns"}', "bad_message", 7),
    ('{"type": "resume", "id": 7, "handle": "\\u0000\\ud800"}', "bad_json", None),
    ('{"type": "resume", "id": 7, "handle": "a\\u0000b"}', "no_such_game", 7),
    ('{"type": "start", "id": 7, "world": "../../etc"}', "no_such_world", 7),
    ('{"type": "why", "id": 7, "turn": 1000000000000000000000}', "bad_message", 7),
    ('{"type": "command", "id": 7, "command": "look"}', "no_game", 7),
    (json.dumps({"type": "command", "id": 7, "command": "x" * 10_000}), "too_large", None),
    ("ä" * 6_000, "too_large", None),
    (b"\x00\xff", "bad_message", None),
]
"""What is sent, the code of the error, and the id that comes back."""


@pytest.mark.requirement("4.30")
async def test_what_cannot_be_taken_is_answered_and_the_connection_stays(serve: Any, joined: Any) -> None:
    worker = await serve()
    async with joined(worker, "ann") as ann:
        for sent, code, id in BAD:
            await ann.socket.send(sent)
            told = await ann.next()
            assert (sent, told["type"], told["code"], told.get("id")) == (sent, "error", code, id)
            assert told["message"]
            assert told["hint"]
        assert (await ann.ask("ping"))["type"] == "pong"
    assert not worker.errors.last


@pytest.mark.requirement("4.30")
async def test_a_game_of_somebody_else_is_answered_like_one_that_is_not_there(serve: Any, joined: Any) -> None:
    worker = await serve()
    async with joined(worker, "ann") as ann, joined(worker, "eve") as eve:
        handle = (await start(ann, "Ann"))["handle"]
        foreign = await eve.ask("resume", handle=handle)
        unknown = await eve.ask("resume", handle="0" * 32)
        assert {**foreign, "id": 0} == {**unknown, "id": 0}
        assert (await eve.ask("command", command="take coin"))["code"] == "no_game"


async def test_only_who_may_play_is_let_in(serve: Any, joined: Any) -> None:
    worker = await serve()
    for who, status, error in (("", 401, "unauthorized"), ("reader", 403, "insufficient_scope")):
        with pytest.raises(InvalidStatus) as caught:
            async with joined(worker, who):
                pass
        assert caught.value.response.status_code == status
        assert json.loads(caught.value.response.body)["error"] == error


@pytest.mark.requirement("4.30")
async def test_nobody_has_more_connections_than_their_share_and_who_closes_one_may_open_one(
    serve: Any, joined: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_CONNECTIONS", 1)
    worker = await serve()
    async with joined(worker, "ann") as ann, joined(worker, "ben"):
        with pytest.raises(InvalidStatus) as caught:
            async with joined(worker, "ann"):
                pass
        assert caught.value.response.status_code == 429
        assert (await ann.ask("ping"))["type"] == "pong"
    while "ws_connections 0.0" not in worker.measures.render():
        await asyncio.sleep(0.01)
    async with joined(worker, "ann") as ann:
        assert (await ann.ask("ping"))["type"] == "pong"


async def test_a_credential_that_ends_ends_the_connection(serve: Any, joined: Any) -> None:
    holds = True

    async def recognise() -> Principal | None:
        return Principal.of("ann", "player") if holds else None

    worker = await serve(recognise=recognise, times=Times(check=0.05))
    async with joined(worker, "ann") as ann:
        await start(ann, "Ann")
        holds = False
        assert await closed(ann) == (1008, "The credential has ended")


@pytest.mark.requirement("2.11")
async def test_who_asks_too_much_is_told_to_wait_and_stays_connected(serve: Any, joined: Any) -> None:
    left = 2

    async def take(who: Principal, kind: str | None) -> float:
        nonlocal left
        assert who.id == "ann"
        left -= 1
        return 0.0 if left >= 0 else 2.5

    async with joined(await serve(take=take), "ann") as ann:
        await start(ann, "Ann")
        assert (await ann.ask("command", command="north"))["status"] == "done"
        told = await ann.ask("command", command="south")
        assert (told["type"], told["code"], told["hint"]) == ("error", "rate_limited", "Wait 2.5 s.")
        left = 1
        assert (await ann.ask("command", command="south"))["status"] == "done"


async def test_a_client_that_reads_nothing_is_closed_and_told_why(serve: Any, joined: Any) -> None:
    worker = await serve(times=Times(slow=0.2, close=30))
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
    host, _, port = worker.url.partition(":")
    small.connect((host, int(port)))
    small.setblocking(False)
    async with joined(worker, "ann", sock=small, max_queue=1, compression=None) as ann:
        sending = asyncio.create_task(_pings(ann, "p" * 100))
        while 'ws_closed_total{reason="slow"} 1.0' not in worker.measures.render():
            await asyncio.sleep(0.01)
        sending.cancel()
        code, reason = await closed(ann)
        assert (code, "read faster" in reason) == (1013, True)


async def _pings(client: Any, id: str) -> None:
    while True:
        await client.socket.send(json.dumps({"type": "ping", "id": id}))


async def test_who_is_connected_is_there_for_the_others(serve: Any, joined: Any) -> None:
    worker = await serve()
    async with joined(worker, "ann") as ann:
        await start(ann, "Ann")
        async with joined(worker, "ben") as ben:
            await start(ben, "Ben")
            while (told := await ben.next())["kind"] != "presence":
                pass
            assert told["text"] == "Ann is here."
            (seat, _) = (await worker.app.store.seats("ben"))[0]
            assert len(await worker.app.store.channels.who(f"game:{seat.game}")) == 2
        while len(await worker.app.store.channels.who(f"game:{seat.game}")) == 2:
            await asyncio.sleep(0.01)


async def test_what_nobody_expected_is_told_with_an_id_and_kept(
    serve: Any, joined: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await serve()
    async with joined(worker, "ann") as ann:
        await start(ann, "Ann")
        monkeypatch.setattr(worker.app.games, "observe", None)
        told = await ann.ask("observe")
        assert (told["code"], told["id"]) == ("internal", 2)
        (kept,) = worker.errors.last
        assert kept["id"] in told["hint"]
        assert kept["error"] == "TypeError"
        assert (await ann.ask("command", command="north"))["status"] == "done"
