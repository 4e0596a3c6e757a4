"""What every store must do; runs against each implementation."""

from collections.abc import Callable

import pytest

from storage import Conflict, GameRecord, NoSuchGame, Store, TurnRecord

pytestmark = pytest.mark.anyio
Make = Callable[..., GameRecord]
Next = Callable[..., tuple[GameRecord, TurnRecord]]


async def test_a_game_that_was_created_is_loaded_as_it_was(store: Store, game: Make) -> None:
    await store.create(game())
    assert await store.load("g1", "ann") == game()


async def test_a_game_is_given_to_nobody_but_its_principal(store: Store, game: Make) -> None:
    await store.create(game())
    with pytest.raises(NoSuchGame, match="'g1'"):
        await store.load("g1", "bob")


@pytest.mark.parametrize("id", ["nothing", "", "../g1", "g1.jsonl", "a" * 65, "\x00"])
async def test_a_handle_that_names_no_game_is_refused(store: Store, game: Make, id: str) -> None:
    await store.create(game())
    with pytest.raises(NoSuchGame):
        await store.load(id, "ann")


async def test_an_id_is_taken_only_once(store: Store, game: Make) -> None:
    await store.create(game())
    with pytest.raises(Conflict):
        await store.create(game(principal="bob"))
    assert await store.load("g1", "ann") == game()


async def test_a_turn_is_kept_with_the_game_after_it(store: Store, game: Make, turn: Next) -> None:
    await store.create(game())
    after, record = turn(game())
    assert await store.commit(after, record) == record
    assert await store.load("g1", "ann") == after
    assert list(await store.turns("g1")) == [record]


@pytest.mark.requirement("0.36")
async def test_of_two_turns_on_one_version_the_second_conflicts_and_changes_nothing(
    store: Store, game: Make, turn: Next
) -> None:
    await store.create(game())
    first, second = turn(game(), "north"), turn(game(), "south")
    await store.commit(*first)
    with pytest.raises(Conflict, match="version 1, not 0"):
        await store.commit(*second)
    assert [each.text for each in await store.turns("g1")] == ["north"]
    assert await store.load("g1", "ann") == first[0]


async def test_a_turn_with_a_known_key_is_answered_by_the_first(store: Store, game: Make, turn: Next) -> None:
    await store.create(game())
    after, record = turn(game(), "north", key="k")
    await store.commit(after, record)
    again = turn(after, "north", key="k")
    assert await store.commit(*again) == record
    assert (await store.load("g1", "ann")).version == 1
    assert await store.by_key("g1", "k") == record
    assert await store.by_key("g1", "other") is None


async def test_turns_are_told_from_a_number_on(store: Store, game: Make, turn: Next) -> None:
    now = game()
    await store.create(now)
    for text in ("one", "two", "three"):
        now, record = turn(now, text)
        await store.commit(now, record)
    assert [each.text for each in await store.turns("g1", 1)] == ["two", "three"]


async def test_games_are_listed_for_their_principal_the_last_played_first(store: Store, game: Make, turn: Next) -> None:
    for id, principal, world in (("g1", "ann", "cloak"), ("g2", "ann", "tavern"), ("g3", "bob", "cloak")):
        await store.create(game(id, principal=principal, world=world))
    await store.commit(*turn(game("g1")))
    assert [each.id for each in await store.games("ann")] == ["g1", "g2"]
    assert [each.id for each in await store.games("ann", world="tavern")] == ["g2"]
    assert [each.id for each in await store.games("ann", limit=1)] == ["g1"]
    assert [each.id for each in await store.games("nobody")] == []


async def test_a_save_is_kept_under_its_name_while_the_game_goes_on(store: Store, game: Make, turn: Next) -> None:
    await store.create(game())
    await store.save("g1", "early", game())
    after, record = turn(game())
    await store.commit(after, record)
    assert await store.saved("g1", "early") == game()
    assert await store.saved("g1", "late") is None
    await store.save("g1", "early", after)
    assert await store.saved("g1", "early") == after
    assert list(await store.saves("g1")) == ["early"]
    assert await store.load("g1", "ann") == after
