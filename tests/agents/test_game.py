"""The referee service: a line becomes a turn that is stored with everything a replay needs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from agents.game import GameError
from agents.worlds import Where
from kb.referee import Inputs
from kb.understand import Dialogue
from rulebound.app import App
from storage import Commit, Conflict, NoSuchGame, TurnRecord

pytestmark = pytest.mark.anyio
ANN = "ann"


async def start(app: App, pages: Path, **options: Any) -> str:
    handle, _ = await app.games.start(Where.of(str(pages)), ANN, **options)
    return handle


async def turns(app: App, handle: str) -> Sequence[TurnRecord]:
    return await app.store.turns((await app.store.seat(handle, ANN)).game)


async def test_a_new_game_tells_its_introduction_and_the_first_room(app: App, pages: Path) -> None:
    _, text = await app.games.start(Where.of(str(pages)), ANN)
    assert text.startswith("Tiny\n\nSmall.\n\nHall\nA hall.")


async def test_a_turn_answers_and_counts(app: App, pages: Path) -> None:
    handle = await start(app, pages)
    reply = await app.games.act(handle, ANN, "take the coin")
    assert (reply.status, reply.score, reply.turn, reply.ended) == ("done", 2, 1, None)
    assert "Taken" in reply.text
    assert {"what": "gold coin", "field": "location", "before": "Hall", "after": "you", "seen": True} in reply.changes


@pytest.mark.parametrize(
    ("line", "status"), [("take the moon", "not-understood"), ("go south", "refused"), ("take", "question")]
)
async def test_each_way_not_to_be_done_has_its_status(app: App, pages: Path, line: str, status: str) -> None:
    handle = await start(app, pages)
    reply = await app.games.act(handle, ANN, line)
    assert reply.status == status
    assert reply.changes == ()


async def test_the_answer_to_a_question_completes_the_command(app: App, pages: Path) -> None:
    handle = await start(app, pages)
    await app.games.act(handle, ANN, "take")
    assert "Taken" in (await app.games.act(handle, ANN, "the coin")).text


async def test_an_action_with_arguments_is_done_without_words(app: App, pages: Path) -> None:
    handle = await start(app, pages)
    reply = await app.games.act(handle, ANN, action="take", arguments={"item": "gold coin"})
    rules = [each["rule"] for each in (await app.games.why(handle, ANN))["actions"]]
    assert (reply.status, reply.score) == ("done", 2), (reply, rules)


async def test_the_stored_turn_replays_to_the_same_hash(app: App, pages: Path) -> None:
    handle = await start(app, pages)
    for line in ("take the coin", "go north", "drop it"):
        await app.games.act(handle, ANN, line)
    session = app.worlds(Where.of(str(pages))).session
    state = session.referee.join(session.referee.new(), "player", "you")
    dialogue = Dialogue()
    for turn in await turns(app, handle):
        assert turn.hash_before == state.hash
        inputs = Inputs(datetime.fromisoformat(turn.inputs["now"]), turn.inputs["seed"])
        said = session.say(state, "player", turn.text, dialogue, inputs)
        state, dialogue = said.state, said.dialogue
        assert turn.hash_after == state.hash
        assert turn.commit == session.rulebook.commit


async def test_the_stored_turn_names_the_action_and_its_effects_by_id(app: App, pages: Path) -> None:
    handle = await start(app, pages)
    await app.games.act(handle, ANN, "get shiny gold coin")
    await app.games.act(handle, ANN, "get gold coin")
    for turn in await turns(app, handle):
        for action in turn.outcome["actions"]:
            assert action["values"] == {"item": "coin"}
            assert action["action"] == "take <item>"


async def test_the_same_seed_and_lines_give_the_same_hashes_in_another_service(
    make_app: Callable[[], Awaitable[App]], pages: Path
) -> None:
    hashes: list[list[str]] = []
    for _ in range(2):
        app = await make_app()
        handle = await start(app, pages, seed=3)
        hashes.append([(await app.games.act(handle, ANN, line)).state_hash for line in ("take coin", "north", "wait")])
    assert hashes[0] == hashes[1]


@pytest.mark.requirement("0.36")
async def test_lines_that_arrive_together_are_all_done_one_after_the_other(app: App, pages: Path) -> None:
    handle = await start(app, pages)
    replies = await asyncio.gather(*(app.games.act(handle, ANN, "wait") for _ in range(5)))
    assert sorted(reply.turn for reply in replies) == [1, 2, 3, 4, 5]


async def test_the_same_key_is_the_same_turn(app: App, pages: Path) -> None:
    handle = await start(app, pages)
    first = await app.games.act(handle, ANN, "take coin", key="k")
    assert await app.games.act(handle, ANN, "take coin", key="k") == first
    assert len(await turns(app, handle)) == 1


async def test_a_handle_is_of_no_use_to_another_principal(app: App, pages: Path) -> None:
    handle = await start(app, pages)
    await app.games.act(handle, ANN, "take coin", key="k")
    for call in (
        app.games.act(handle, "eve", "look", key="k"),
        app.games.observe(handle, "eve"),
        app.games.why(handle, "eve"),
        app.games.undo(handle, "eve"),
        app.games.save(handle, "eve", "x"),
        app.games.restore(handle, "eve", "x"),
        app.games.transcript(handle, "eve"),
    ):
        with pytest.raises(NoSuchGame):
            await call


async def test_undo_goes_back_turn_by_turn_to_the_start(app: App, pages: Path) -> None:
    handle = await start(app, pages)
    at_start = (await app.games.game(handle, ANN)).state.hash
    first = await app.games.act(handle, ANN, "take coin")
    await app.games.act(handle, ANN, "north")
    undone = await app.games.undo(handle, ANN)
    assert (undone.state_hash, undone.text) == (first.state_hash, "Undone: north.")
    assert (await app.games.undo(handle, ANN)).state_hash == at_start
    with pytest.raises(GameError, match="nothing to undo"):
        await app.games.undo(handle, ANN)


async def test_what_is_done_with_the_same_key_is_done_once_also_where_it_could_not_be_done_again(
    app: App, pages: Path
) -> None:
    handle = await start(app, pages)
    await app.games.act(handle, ANN, "take coin")
    undone = await app.games.undo(handle, ANN, key="u")
    assert await app.games.undo(handle, ANN, key="u") == undone
    anew = await app.games.reset(handle, ANN, key="r")
    assert await app.games.reset(handle, ANN, key="r") == anew
    assert [turn.kind for turn in await turns(app, handle)] == ["say", "undo", "reset"]
    with pytest.raises(GameError, match="nothing to undo"):
        await app.games.undo(handle, ANN, key="other")


@pytest.mark.requirement("2.01")
@pytest.mark.parametrize("own_database", ["servers"], indirect=True)
async def test_nothing_is_refused_for_what_another_worker_has_changed_meanwhile(
    new_worker: Callable[[], Awaitable[App]], pages: Path
) -> None:
    one, other = await new_worker(), await new_worker()
    handle = await start(one, pages)
    assert (await other.games.game(handle, ANN)).record.last == 0
    await one.games.act(handle, ANN, "take coin")
    assert (await other.games.undo(handle, ANN)).text == "Undone: take coin."


async def test_play_goes_on_after_an_undo_and_can_be_undone_again(app: App, pages: Path) -> None:
    handle = await start(app, pages)
    first = await app.games.act(handle, ANN, "take coin")
    await app.games.act(handle, ANN, "north")
    await app.games.undo(handle, ANN)
    await app.games.act(handle, ANN, "drop coin")
    assert (await app.games.undo(handle, ANN)).state_hash == first.state_hash
    assert [said for said, _ in await app.games.transcript(handle, ANN)][-1] == "Undone: drop coin"


async def test_an_undo_that_waits_behind_its_turn_takes_it_back(app: App, pages: Path) -> None:
    handle = await start(app, pages)
    said = [app.games.act(handle, ANN, "take coin"), app.games.undo(handle, ANN), app.games.act(handle, ANN, "north")]
    replies = await asyncio.gather(*said)
    assert [reply.turn for reply in replies] == [1, 2, 3]
    assert replies[1].text == "Undone: take coin."
    assert replies[2].score == 0


async def test_a_save_is_restored_and_undo_goes_on_from_there(app: App, pages: Path) -> None:
    handle = await start(app, pages)
    saved = await app.games.act(handle, ANN, "take coin")
    await app.games.save(handle, ANN, "rich")
    await app.games.act(handle, ANN, "north")
    await app.games.act(handle, ANN, "drop coin")
    assert (await app.games.restore(handle, ANN, "rich")).state_hash == saved.state_hash
    assert (await app.games.undo(handle, ANN)).score == 0
    with pytest.raises(GameError) as error:
        await app.games.restore(handle, ANN, "poor")
    assert error.value.hint == "Saved are: rich."


async def test_why_names_the_lines_that_decided_with_their_values(app: App, pages: Path) -> None:
    handle = await start(app, pages)
    with pytest.raises(GameError, match="Nothing was said"):
        await app.games.why(handle, ANN)
    await app.games.act(handle, ANN, "go south")
    await app.games.act(handle, ANN, "take coin")
    last, first = await app.games.why(handle, ANN), await app.games.why(handle, ANN, 1)
    commit = app.worlds(Where.of(str(pages))).commit
    assert last["said"] == "take coin"
    assert any(line["at"].startswith("coin.md:10@") and commit.startswith(line["at"][11:])
               for action in last["actions"] for line in action["lines"])  # fmt: skip
    assert first["actions"][0]["status"] == "refused"
    with pytest.raises(GameError, match="took no turn 9"):
        await app.games.why(handle, ANN, 9)


async def test_observe_tells_what_is_perceived_what_is_allowed_and_the_turns_since(app: App, pages: Path) -> None:
    handle = await start(app, pages)
    await app.games.act(handle, ANN, "look")
    await app.games.act(handle, ANN, "north")
    seen = await app.games.observe(handle, ANN, since=1)
    assert seen["perceived"]["room"] == "Attic"
    assert seen["turn"] == 2
    assert "go south" in seen["legal"]
    assert [each["said"] for each in seen["since"]] == ["north"]


async def test_a_game_is_found_again_by_world_and_player(app: App, pages: Path) -> None:
    where = Where.of(str(pages))
    handle = await start(app, pages, name="Ann")
    await start(app, pages, name="Bob")
    assert await app.games.resume(where, ANN, "Ann") == handle
    assert await app.games.resume(where, ANN, "Eve") is None
    assert await app.games.resume(where, "bob", "Ann") is None
    assert await app.games.resume(Where(where.location, "main"), ANN, "Ann") is None


async def test_a_kept_game_that_cannot_be_read_is_told(app: App, pages: Path) -> None:
    handle = await start(app, pages)
    seat = await app.store.seat(handle, ANN)
    loaded = await app.store.load(seat.game)
    assert loaded is not None
    broken = loaded.game.with_(version=1, head={"format": "none"})
    await app.store.commit(Commit(broken, 0, {}, ()))
    with pytest.raises(GameError, match="cannot be read"):
        await app.games.game(handle, ANN)


async def test_of_an_endless_line_only_a_part_is_read_and_stored(app: App, pages: Path) -> None:
    handle = await start(app, pages)
    await app.games.act(handle, ANN, "look " * 100_000)
    await app.games.act(handle, ANN, action="take", arguments={"item": "x" * 100_000})
    assert max(len(turn.text) for turn in await turns(app, handle)) <= 20_000


@pytest.mark.parametrize("new_store", ["servers"], indirect=True)
async def test_two_workers_play_one_game_turn_about(make_app: Callable[[], Awaitable[App]], pages: Path) -> None:
    apps = [await make_app() for _ in range(2)]
    handle = await start(apps[0], pages)
    for number, line in enumerate(("take coin", "north", "undo", "drop coin", "take coin", "north")):
        games = apps[number % 2].games
        reply = await (games.undo(handle, ANN) if line == "undo" else games.act(handle, ANN, line))
        assert (reply.status, reply.turn) == ("done", number + 1)
    seen = [await app.games.observe(handle, ANN) for app in apps]
    assert seen[0] == seen[1]
    assert seen[0]["perceived"]["inventory"] == ["gold coin"]


@pytest.mark.parametrize("new_store", ["servers"], indirect=True)
async def test_a_turn_that_another_worker_overtook_is_done_on_the_newer_state(
    make_app: Callable[[], Awaitable[App]], pages: Path
) -> None:
    one, two = [await make_app() for _ in range(2)]
    handle = await start(one, pages)
    await two.games.act(handle, ANN, "look")
    await one.games.act(handle, ANN, "take coin")
    reply = await two.games.act(handle, ANN, "drop coin")
    assert (reply.status, reply.turn, reply.text) == ("done", 3, "Dropped.")


async def test_a_turn_that_is_overtaken_again_and_again_is_given_up(
    app: App, pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = await start(app, pages)

    async def never(*_: Any) -> None:
        raise Conflict("the game is at version 9, not 0")

    monkeypatch.setattr(app.store, "commit", never)
    with pytest.raises(Conflict, match="played elsewhere"):
        await app.games.act(handle, ANN, "look")


@pytest.mark.parametrize("bad", ["\0", "\ud800", '{"item": "\\u0000\\udfff"}', '{"item": 99999999999999999999999}'])
async def test_text_that_no_database_holds_loses_no_turn(app: App, pages: Path, bad: str) -> None:
    handle = await start(app, pages, name=f"Ann{bad}")
    for line in (f"take {bad}", bad, f"take the coin{bad}"):
        await app.games.act(handle, ANN, line)
    await app.games.save(handle, ANN, bad)
    assert (await app.games.act(handle, ANN, "look")).turn == 4
    assert (await app.games.restore(handle, ANN, bad)).turn == 5
    with pytest.raises(NoSuchGame):
        await app.games.act(f"{handle}\0", ANN, "look")
    assert (await app.games.act(handle, ANN, "look", key=bad)).turn == 6
