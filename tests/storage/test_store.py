"""What every store must do; runs against each implementation."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from storage import Commit, Conflict, KnownTurn, Loaded, NoSuchGame, Seat, Store, new_id

pytestmark = pytest.mark.anyio
Begin = Callable[..., Awaitable[Commit]]
Next = Callable[..., Commit]


def _next(commit: Commit) -> Commit:
    """A commit as it is sent: its seat is there already."""
    return replace(commit, seats=())


def _whole(commit: Commit, before: Commit | None = None) -> Loaded:
    """The game after a commit, upon those parts that were there before."""
    parts = {**(before.parts if before else {}), **commit.parts}
    return Loaded(commit.game, {id: part for id, part in parts.items() if part is not None})


async def test_a_game_that_was_created_is_loaded_as_it_was(store: Store, begin: Begin) -> None:
    made = await begin()
    assert await store.load(made.game.id) == _whole(made)


async def test_a_seat_is_given_to_nobody_but_its_principal(store: Store, begin: Begin, principal: str) -> None:
    seat = (await begin()).seats[0]
    assert await store.seat(seat.handle, principal) == seat
    with pytest.raises(NoSuchGame, match=seat.handle):
        await store.seat(seat.handle, "bob")


@pytest.mark.parametrize("handle", ["nothing", "", "../g1", "g1.jsonl", "a" * 65, "\x00", "0" * 32])
async def test_a_handle_that_names_no_seat_is_refused(store: Store, principal: str, handle: str) -> None:
    with pytest.raises(NoSuchGame):
        await store.seat(handle, principal)


async def test_a_principal_has_one_profile_for_each_name(store: Store, principal: str) -> None:
    ada = await store.player(principal, "ada")
    assert await store.player(principal, "ada") == ada
    assert (await store.player(principal, "ben")).id != ada.id


async def test_an_id_is_taken_only_once(store: Store, begin: Begin) -> None:
    made = await begin()
    with pytest.raises(Conflict):
        await begin(id=made.game.id, world="tavern", scope="another")
    loaded = await store.load(made.game.id)
    assert loaded is not None
    assert loaded.game == made.game


async def test_a_scope_has_one_game(store: Store, begin: Begin) -> None:
    scope = f"tavern-{new_id()}"
    assert await store.shared(scope) is None
    made = await begin(scope=scope)
    with pytest.raises(Conflict):
        await begin(scope=scope)
    assert await store.shared(scope) == made.game.id


async def test_a_turn_is_kept_with_the_game_after_it(store: Store, begin: Begin, turn: Next) -> None:
    made = await begin()
    after = turn(made)
    await store.commit(_next(after))
    assert await store.load(made.game.id) == _whole(after, made)
    assert list(await store.turns(made.game.id)) == list(after.turns)


async def test_a_part_that_is_gone_is_removed_and_a_new_one_appears(store: Store, begin: Begin, turn: Next) -> None:
    made = await begin()
    after = turn(made, parts={"lamp": None, "coin": made.parts["lamp"]})
    await store.commit(_next(after))
    loaded = await store.load(made.game.id)
    assert loaded is not None
    assert set(loaded.parts) == {"player", "coin"}


async def test_a_game_whose_version_is_known_is_not_loaded_again(store: Store, begin: Begin, turn: Next) -> None:
    made = await begin()
    assert await store.load(made.game.id, 0) is None
    await store.commit(_next(turn(made)))
    assert await store.load(made.game.id, 0) is not None
    assert await store.load(made.game.id, 1) is None
    with pytest.raises(NoSuchGame):
        await store.load(new_id(), 0)


@pytest.mark.requirement("0.36")
async def test_of_two_turns_on_one_version_the_second_conflicts_and_changes_nothing(
    store: Store, begin: Begin, turn: Next
) -> None:
    made = await begin()
    first, second = turn(made, "north"), turn(made, "south", parts={"lamp": None})
    await store.commit(_next(first))
    with pytest.raises(Conflict):
        await store.commit(_next(second))
    assert [each.text for each in await store.turns(made.game.id)] == ["north"]
    assert await store.load(made.game.id) == _whole(first, made)


async def test_a_turn_with_a_known_key_is_not_kept_again_and_the_first_one_is_given(
    store: Store, begin: Begin, turn: Next
) -> None:
    made = await begin()
    first = turn(made, "north", key="k")
    await store.commit(_next(first))
    again = turn(first, "north", key="k")
    with pytest.raises(KnownTurn) as known:
        await store.commit(_next(again))
    assert known.value.turns == first.turns
    assert await store.by_key(made.game.id, "k") == first.turns[0]
    assert await store.by_key(made.game.id, "other") is None
    assert await store.by_key(new_id(), "k") is None
    assert len(await store.turns(made.game.id)) == 1


async def test_turns_are_told_from_a_number_on_and_the_newest_up_to_a_limit(
    store: Store, begin: Begin, turn: Next
) -> None:
    now = made = await begin()
    for text in ("one", "two", "three"):
        now = turn(now, text)
        await store.commit(_next(now))
    assert [each.text for each in await store.turns(made.game.id, 1)] == ["two", "three"]
    assert [each.text for each in await store.turns(made.game.id, 0, 2)] == ["two", "three"]
    assert [each.text for each in await store.turns(made.game.id, 1, until=2)] == ["two"]
    assert len(await store.turns(made.game.id, kinds=("undo", "say"))) == 3
    assert await store.turns(made.game.id, kinds=("undo",)) == []


async def test_several_turns_are_kept_at_once(store: Store, begin: Begin, turn: Next) -> None:
    made = await begin()
    one = turn(made, "one")
    two = turn(one, "two")
    await store.commit(replace(_next(two), base=0, turns=(*one.turns, *two.turns)))
    assert [each.number for each in await store.turns(made.game.id)] == [1, 2]


async def test_seats_are_listed_for_their_principal_the_last_played_first(
    store: Store, begin: Begin, turn: Next, principal: str
) -> None:
    one, two = await begin("ada"), await begin("ben", world="tavern")
    await store.commit(_next(turn(one)))
    assert [seat.name for seat, _ in await store.seats(principal)] == ["ada", "ben"]
    assert [game.id for _, game in await store.seats(principal, world="tavern")] == [two.game.id]
    assert [seat.name for seat, _ in await store.seats(principal, name="ben")] == ["ben"]
    assert len(await store.seats(principal, limit=1)) == 1
    assert list(await store.seats("nobody")) == []


async def test_a_player_joins_and_leaves_with_a_turn(store: Store, begin: Begin, turn: Next, principal: str) -> None:
    made = await begin()
    ben = await store.player(principal, "ben")
    seat = Seat(new_id(), made.game.id, ben.id, "player-2", principal, "ben")
    joined = turn(made, "")
    await store.commit(replace(joined, seats=(seat,)))
    assert [each.name for each in await store.members(made.game.id)] == ["you", "ben"]
    await store.commit(replace(_next(turn(joined, "")), left=(seat.handle,)))
    assert [each.name for each in await store.members(made.game.id)] == ["you"]
    with pytest.raises(NoSuchGame):
        await store.seat(seat.handle, principal)


async def test_a_save_is_kept_under_its_name_while_the_game_goes_on(store: Store, begin: Begin, turn: Next) -> None:
    made = await begin()
    id = made.game.id
    early = _whole(made)
    await store.save("early", early)
    after = turn(made)
    await store.commit(_next(after))
    assert await store.saved(id, "early") == early
    assert await store.saved(id, "late") is None
    late = _whole(after)
    await store.save("early", late)
    assert await store.saved(id, "early") == late
    assert list(await store.saves(id)) == ["early"]


@pytest.mark.requirement("3.08")
async def test_a_clock_that_is_due_is_given_to_one_worker_at_a_time(store: Store, begin: Begin, turn: Next) -> None:
    made = await begin()
    now = made.game.updated
    await store.commit(replace(_next(turn(made)), due=now))
    due = {each.game: each for each in await store.work.due(now, 1000, 60.0)}
    later = now + timedelta(seconds=1)
    assert made.game.id in due
    assert made.game.id not in {each.game for each in await store.work.due(later, 1000, 60.0)}
    await store.work.done(due[made.game.id], None)
    much_later = now + timedelta(days=1)
    assert made.game.id not in {each.game for each in await store.work.due(much_later, 1000, 60.0)}


async def test_games_that_were_played_are_given_by_player_world_and_time(
    store: Store, begin: Begin, turn: Next, principal: str
) -> None:
    world = f"w-{new_id()}"
    made = [await begin(name, world=world) for name in ("ada", "ben", "ada")]
    after = [turn(each) for each in made]
    for each in after:
        await store.commit(_next(each))
    await begin(world=world)  # nobody played it

    async def played(**given: Any) -> list[str]:
        return [game.id async for game in store.played(world=world, **given)]

    assert await played() == sorted(each.game.id for each in made)
    assert await played(players=[made[1].seats[0].player]) == [made[1].game.id]
    assert await played(players=[]) == []
    assert len(await played(since=after[0].turns[0].at)) == 3
    assert await played(since=after[0].turns[0].at + timedelta(days=1)) == []
    assert [game.id async for game in store.played(world=f"{world}x")] == []
    ada = made[0].seats[0].player
    assert await store.named(ada) == [ada]
    assert ada in await store.named("ada")
    assert len(await store.named(principal)) == 3
    assert await store.named(f"{principal}x") == []
