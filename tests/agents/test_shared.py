"""Worlds that several players are in, at one worker or at two; and worlds of their own that know nothing of each other."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agents.background import Background
from agents.game import GameError
from agents.worlds import Where
from kb.referee import Inputs, State
from kb.understand import Dialogue
from rulebound.app import App
from storage import NoSuchGame, TurnRecord

pytestmark = pytest.mark.anyio
Workers = Callable[[], Awaitable[App]]
TWO_WORKERS = pytest.mark.parametrize("own_database", ["servers"], indirect=True)


async def join(app: App, where: Where, *names: str) -> list[str]:
    return [(await app.games.start(where, name, name=name.title()))[0] for name in names]


async def turns(app: App, handle: str, principal: str) -> Sequence[TurnRecord]:
    return await app.store.turns((await app.store.seat(handle, principal)).game)


async def said(app: App, handle: str, principal: str, line: str) -> str:
    return (await app.games.act(handle, principal, line)).text


async def test_two_players_see_each_other_and_what_the_other_left(new_worker: Workers, inn: Where) -> None:
    app = await new_worker()
    ann, ben = await join(app, inn, "ann", "ben")
    assert "With you here: Ben." in await said(app, ann, "ann", "look")
    await app.games.act(ann, "ann", "take coin")
    assert "gold coin" not in await said(app, ben, "ben", "look")
    await app.games.act(ann, "ann", "north")
    await app.games.act(ann, "ann", "drop coin")
    assert "With you here" not in await said(app, ben, "ben", "look")
    assert "a gold coin" in await said(app, ben, "ben", "north")


@pytest.mark.requirement("2.17", "4.27")
async def test_one_thing_has_one_owner_and_the_other_is_told_why(new_worker: Workers, inn: Where) -> None:
    app = await new_worker()
    ann, ben = await join(app, inn, "ann", "ben")
    replies = await asyncio.gather(app.games.act(ann, "ann", "take coin"), app.games.act(ben, "ben", "take coin"))
    assert sorted(each.status for each in replies) == ["done", "not-understood"]
    (loser,) = [each for each in replies if each.status != "done"]
    assert loser.text == "Ann has the gold coin."


@TWO_WORKERS
@pytest.mark.requirement("0.36", "2.01", "2.15")
async def test_when_a_worker_is_gone_its_players_play_on_at_another(new_worker: Workers, inn: Where) -> None:
    one, other = await new_worker(), await new_worker()
    ann, ben = await join(one, inn, "ann", "ben")
    await one.games.act(ann, "ann", "take coin")
    await other.games.act(ben, "ben", "north")
    await one.games.close()
    assert await other.games.resume(inn, "ann", "Ann") == ann
    assert (await other.games.observe(ann, "ann"))["perceived"]["inventory"] == ["gold coin"]
    assert (await other.games.act(ann, "ann", "north")).status == "done"


@pytest.mark.requirement("1.17", "0.35")
async def test_who_comes_back_stands_where_they_were_and_who_left_begins_anew(new_worker: Workers, inn: Where) -> None:
    app = await new_worker()
    ann, ben = await join(app, inn, "ann", "ben")
    await app.games.act(ann, "ann", "north")
    assert await app.games.resume(inn, "ann", "Ann") == ann
    assert await join(app, inn, "ann") == [ann]
    assert (await app.games.observe(ann, "ann"))["perceived"]["room"] == "Attic"
    await app.games.leave(ann, "ann")
    with pytest.raises(NoSuchGame):
        await app.games.act(ann, "ann", "look")
    assert "With you here" not in await said(app, ben, "ben", "north")
    (again,) = await join(app, inn, "ann")
    assert again != ann
    assert (await app.games.observe(again, "ann"))["perceived"]["room"] == "Hall"


@pytest.mark.requirement("0.35")
async def test_a_player_goes_from_one_experience_to_another_and_finds_each_as_it_was_left(
    new_worker: Workers, inn: Where, pages: Path, clock: Any
) -> None:
    app = await new_worker()
    shared, own = inn, Where.of(str(pages))
    (there,) = await join(app, shared, "ann")
    (here,) = await join(app, own, "ann")
    await app.games.act(there, "ann", "north")
    clock.pass_(minutes=1)
    await app.games.act(here, "ann", "take coin")
    for where, handle, room in ((shared, there, "Attic"), (own, here, "Hall")):
        assert await app.games.resume(where, "ann", "Ann") == handle
        assert (await app.games.observe(handle, "ann"))["perceived"]["room"] == room
    assert (await app.store.seat(there, "ann")).player == (await app.store.seat(here, "ann")).player
    first, *_ = await app.store.seats("ann")
    assert first[0].handle == here


async def test_a_full_world_says_so_and_takes_the_next_when_somebody_leaves(new_worker: Workers, inn: Where) -> None:
    page = Path(inn.location) / "world.md"
    page.write_text(
        page.read_text(encoding="utf-8").replace("world: shared", "world: shared\nplayers: 2"), encoding="utf-8"
    )
    app = await new_worker()
    ann, _ = await join(app, inn, "ann", "ben")
    with pytest.raises(GameError, match="full: it takes 2 players"):
        await join(app, inn, "eve")
    await app.games.leave(ann, "ann")
    assert len(await join(app, inn, "eve")) == 1


async def test_a_turn_in_a_shared_world_is_not_undone(new_worker: Workers, inn: Where) -> None:
    app = await new_worker()
    (ann,) = await join(app, inn, "ann")
    await app.games.act(ann, "ann", "take coin")
    with pytest.raises(GameError, match="cannot be undone"):
        await app.games.undo(ann, "ann")


@TWO_WORKERS
@pytest.mark.requirement("0.45", "3.11")
async def test_a_hundred_players_act_at_once_in_one_world_as_if_they_had_acted_one_after_another(
    new_worker: Workers, inn: Where
) -> None:
    apps = [await new_worker(), await new_worker()]
    names = [f"p{number:02}" for number in range(100)]
    handles = [
        each[0] for each in await asyncio.gather(*(join(apps[at % 2], inn, name) for at, name in enumerate(names)))
    ]

    async def play(at: int) -> None:
        app, handle, name = apps[at % 2], handles[at], names[at]
        for line in ("take coin", "north", "wait"):
            await app.games.act(handle, name, line)

    await asyncio.gather(*(play(at) for at in range(100)))
    kept = await turns(apps[0], handles[0], names[0])
    assert len(kept) == 100 * 4
    assert sum(each.outcome["status"] == "done" for each in kept if each.text == "take coin") == 1
    assert [state.hash for state in one_after_another(apps[0], inn, kept)] == [each.hash_after for each in kept]


def one_after_another(app: App, where: Where, kept: Sequence[TurnRecord]) -> list[State]:
    """The states that stored turns lead to, by the referee alone."""
    session = app.worlds(where).session
    state, states, dialogues = session.referee.new(), list[State](), dict[str, Dialogue]()
    for turn in kept:
        if turn.kind == "join":
            state = session.referee.join(state, turn.instance, turn.inputs["name"])
        else:
            inputs = Inputs(datetime.fromisoformat(turn.inputs["now"]), turn.inputs["seed"])
            dialogue = dialogues.get(turn.instance, Dialogue())
            result = session.say(state, turn.instance, turn.text, dialogue, inputs)
            state, dialogues[turn.instance] = result.state, result.dialogue
        states.append(state)
    return states


@pytest.mark.requirement("3.13")
async def test_a_hundred_worlds_of_their_own_know_nothing_of_each_other(new_worker: Workers, pages: Path) -> None:
    app, where = await new_worker(), Where.of(str(pages))
    names = [f"p{number:02}" for number in range(100)]
    handles = [(await app.games.start(where, name))[0] for name in names]
    lines = ("take coin", "north", "look")

    async def play(at: int) -> str:
        for line in lines[: at % 4]:
            await app.games.act(handles[at], names[at], line)
        return (await app.games.game(handles[at], names[at])).state.hash

    hashes = await asyncio.gather(*(play(at) for at in range(100)))
    assert len(set(hashes)) == 4
    for at in range(100):
        assert [each.text for each in await turns(app, handles[at], names[at])] == list(lines[: at % 4])
        assert hashes[at] == hashes[at % 4]


@pytest.mark.requirement("2.21")
async def test_who_comes_to_a_place_can_be_told_who_came_and_went_there_before(
    new_worker: Workers, inn: Where, clock: Callable[[], datetime]
) -> None:
    app = await new_worker()
    ann, ben = await join(app, inn, "ann", "ben")
    for handle, name, line in ((ben, "ben", "north"), (ben, "ben", "south"), (ann, "ann", "north")):
        await app.games.act(handle, name, line)
    await Background(app.games, app.store.work, app.store.channels, now=clock).tell()
    assert await app.games.lately(ann, "ann") == ["Ben arrives.", "Ben leaves for the Hall.", "Ann arrives."]


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize("kind", ["shared", "isolated"])
async def test_a_branch_is_played_beside_main_with_a_state_of_its_own(
    new_worker: Workers, inn: Where, kind: str
) -> None:
    folder = Path(inn.location)
    page = folder / "world.md"
    page.write_text(page.read_text(encoding="utf-8").replace("world: shared", f"world: {kind}"), encoding="utf-8")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "an inn")
    git(folder, "checkout", "-qb", "feast")
    hall = folder / "hall.md"
    hall.write_text(hall.read_text(encoding="utf-8").replace("A hall.", "A hall with garlands."), encoding="utf-8")
    git(folder, "commit", "-qam", "garlands")
    app = await new_worker()
    main, branch = Where(inn.location, "main"), Where(inn.location, "feast")
    (there,) = await join(app, main, "ann")
    await app.games.act(there, "ann", "take coin")
    (here,) = await join(app, branch, "ann")
    seen = (await app.games.observe(here, "ann"))["perceived"]
    assert (seen["description"], seen["inventory"]) == ("A hall with garlands.", [])
    await app.games.act(here, "ann", "north")
    assert await app.games.resume(main, "ann", "Ann") == there
    assert await app.games.resume(branch, "ann", "Ann") == here
    seen = (await app.games.observe(there, "ann"))["perceived"]
    assert (seen["room"], seen["description"], seen["inventory"]) == ("Hall", "A hall.", ["gold coin"])
    experiences = {each.game for each in [await app.store.seat(handle, "ann") for handle in (there, here)]}
    assert len(experiences) == 2


@pytest.mark.requirement("0.29")
async def test_things_are_made_and_removed_for_everybody_and_made_again(new_worker: Workers, inn: Where) -> None:
    folder = Path(inn.location)
    (folder / "mug.md").write_text("---\nitem: mug\n---\n# Mug\nEarthen.\n", encoding="utf-8")
    (folder / "order.md").write_text(
        '---\nrule: order\non: order\n---\n# Order\nA mug comes.\n## Then\n- create [[mug]] in `room`\n- say "Here."\n',
        encoding="utf-8",
    )
    (folder / "break.md").write_text(
        '---\nrule: break\non: break <item>\n---\n# Break\nIt breaks.\n## Then\n- remove `item`\n- say "Gone."\n',
        encoding="utf-8",
    )
    app = await new_worker()
    ann, ben = await join(app, inn, "ann", "ben")
    for _ in range(3):
        await app.games.act(ann, "ann", "order")
        assert "mug" in await said(app, ben, "ben", "look")
        await app.games.act(ben, "ben", "break mug")
        assert "mug" not in await said(app, ann, "ann", "look")
    numbers = [each.hash_after for each in await turns(app, ann, "ann")]
    assert all(before.hash_after == after.hash_before for before, after in pairwise(await turns(app, ann, "ann")))
    assert len(numbers) == 2 + 12
