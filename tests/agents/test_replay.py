"""Replay: stored turns run again as they were recorded, and what another commit would change in them."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from git import Actor, Repo

from agents.replay import Archive, Head, Recorded, Report, StoredGames, Tape, Wanted, replay
from agents.replay.shown import as_json
from agents.worlds import Where, World, WorldError
from rulebound.app import App, build
from rulebound.settings import Settings
from storage import Store
from storage.postgres import PostgresStore

pytestmark = pytest.mark.anyio
ANN = "ann"
LINES = ("take the coin", "north", "drop it", "take", "coin", "dance and south", "take the moon")


def commit(pages: Path, message: str = "x") -> str:
    """Everything in the folder, committed to its repository."""
    repo = Repo(pages) if (pages / ".git").exists() else Repo.init(pages, initial_branch="main")
    author = Actor("ann", "ann@example.org")
    with repo:
        repo.git.add(".")
        return repo.index.commit(message, author=author, committer=author).hexsha


def edit(pages: Path, page: str, old: str, new: str) -> None:
    text = (pages / page).read_text(encoding="utf-8")
    assert old in text
    (pages / page).write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def app(tmp_path: Path) -> App:
    """An app in memory."""
    minutes, begin = count(), datetime(2026, 3, 1, tzinfo=UTC)
    return build(Settings(tmp_path / "home"), now=lambda: begin + timedelta(minutes=next(minutes)), new_seed=lambda: 5)


@pytest.fixture
def early(request: pytest.FixtureRequest) -> None:
    """The database is there before the store, and goes after it."""
    if request.node.callspec.params["new_store"] == "servers":
        request.getfixturevalue("database")


@pytest.fixture
async def kept(early: None, make_app: Callable[[], Awaitable[App]]) -> App:
    """An app over each kind of store."""
    return await make_app()


@pytest.fixture
def database(fresh_database: str) -> str:
    """A replay sees every game of a database, so each test has its own."""
    return fresh_database


@asynccontextmanager
async def opened(store: Store) -> AsyncGenerator[Archive]:
    yield StoredGames(store)


@asynccontextmanager
async def stored_in(url: str) -> AsyncGenerator[Archive]:
    """As each process of a replay opens them."""
    store = await PostgresStore.open(url)
    yield StoredGames(store)
    await store.close()


@asynccontextmanager
async def altered(store: Store, altered_turn: int, **changes: Any) -> AsyncGenerator[Archive]:
    """The games of a store, with one turn of each not as it was recorded."""

    class Altered(StoredGames):
        async def tape(self, head: Head) -> Tape:
            tape = await super().tape(head)

            async def turns() -> AsyncIterator[Recorded]:
                async for turn in tape.turns:
                    yield replace(turn, **changes) if turn.number == altered_turn else turn

            return replace(tape, turns=turns())

    yield Altered(store)


async def start(app: App, pages: Path, name: str = "you") -> str:
    handle, _ = await app.games.start(Where.of(str(pages)), ANN, name=name)
    return handle


async def say(app: App, handle: str, *lines: str) -> None:
    for line in lines:
        if line == "undo":
            await app.games.undo(handle, ANN)
        elif line == "tick":
            await app.games.tick(await game_of(app, handle))
        elif line.startswith("save "):
            await app.games.save(handle, ANN, line)
        elif line.startswith("restore "):
            await app.games.restore(handle, ANN, line.replace("restore", "save"))
        else:
            await app.games.act(handle, ANN, line)


async def play(app: App, pages: Path, *lines: str, name: str = "you") -> str:
    """The id of a game with these lines."""
    handle = await start(app, pages, name)
    await say(app, handle, *lines)
    return await game_of(app, handle)


async def game_of(app: App, handle: str) -> str:
    return (await app.store.seat(handle, ANN)).game


async def run(app: App, against: str | None = None, jobs: int = 1, **wanted: Any) -> Report:
    return await replay(partial(opened, app.store), Wanted(**wanted), against=against, jobs=jobs)


def touched(report: Report) -> list[int]:
    """The numbers of the turns that would end differently."""
    return sorted(n for group in report.changed.values() for numbers in group.turns.values() for n in numbers)


# --- under their own commits


@pytest.mark.requirement("3.08", "3.16")
@pytest.mark.parametrize(
    "lines",
    [
        LINES,
        ("take coin", "undo", "take coin", "north", "undo", "undo", "take the coin", "north"),
        (
            "take",
            "save a",
            "coin",
            "restore a",
            "coin",
            "north",
            "drop coin",
            "save a",
            "south",
            "restore a",
            "undo",
            "take it",
        ),
        ("save a", "take coin", "save b", "north", "restore a", "take it", "restore b", "drop it", "undo", "undo"),
        ('take {"item": "gold coin"}', "look and look, north", "x" * 21_000, "", "again"),
    ],
)
async def test_every_kind_of_turn_is_reproduced(kept: App, pages: Path, lines: Sequence[str]) -> None:
    await play(kept, pages, *lines)
    report = await run(kept)
    said = [line for line in lines if not line.startswith("save")]
    assert (report.status, report.turns, report.replayed, report.games) == (0, len(said), len(said), 1)
    assert not report.unreproduced
    assert not report.skipped


async def test_a_game_goes_through_many_commits(kept: App, pages: Path) -> None:
    """Also back to an earlier one, over an undo and a restore, with a field and a page that come and go."""
    commit(pages)
    coin = (pages / "coin.md").read_text()

    handle = await start(kept, pages)
    await say(kept, handle, "take coin", "save a")
    (pages / "lamp.md").write_text("---\nitem: lamp\nin: hall\n---\n# Lamp\nBright.\n")
    commit(pages)
    await say(kept, handle, "take lamp", "north")
    edit(pages, "coin.md", "award 2", "award 4")
    (pages / "lamp.md").unlink()
    commit(pages)
    await say(kept, handle, "undo", "undo", "undo", "take coin", "restore a")
    (pages / "coin.md").write_text(coin)
    commit(pages)
    await say(kept, handle, "drop coin", "undo", "look")
    report = await run(kept)
    assert (report.status, report.replayed, report.skipped) == (0, 11, {})


async def test_a_restore_of_a_save_that_was_replaced_since_is_reproduced(app: App, pages: Path) -> None:
    await play(
        app, pages, "take coin", "save a", "north", "restore a", "north", "south", "drop it", "save a", "take it"
    )
    assert (await run(app)).status == 0


async def test_a_turn_that_was_tampered_with_is_found_and_those_after_it_are_counted(app: App, pages: Path) -> None:
    game = await play(app, pages, "take coin", "north", "south", "drop coin")
    report = await replay(partial(altered, app.store, 2, hash_after="0" * 32))
    assert [(group.turns, group.sides[0].rule) for group in report.unreproduced.values()] == [
        ({game: [2]}, "(state after)")
    ]
    assert (report.status, report.turns, report.replayed) == (1, 4, 2)
    assert report.skipped == {"they follow a turn that is not reproduced": 2}


async def test_a_state_before_that_is_not_as_recorded_is_found(app: App, pages: Path) -> None:
    game = await play(app, pages, "take coin", "north", "south")
    report = await replay(partial(altered, app.store, 2, hash_before="f" * 32))
    assert [(group.turns, group.sides[0].rule) for group in report.unreproduced.values()] == [
        ({game: [2]}, "(state before)")
    ]


async def test_other_words_than_were_recorded_are_found_and_replay_goes_on(app: App, pages: Path) -> None:
    game = await play(app, pages, "take coin", "north", "south")
    outcome = (await app.store.turns(game))[1].outcome
    told = {**outcome, "text": outcome["text"].replace("An attic.", "A loft.")}
    report = await replay(partial(altered, app.store, 2, outcome=told))
    (group,) = report.unreproduced.values()
    assert group.turns == {game: [2]}
    assert (group.examples[0].difference.gone, group.examples[0].difference.new) == (("A loft.",), ("An attic.",))
    assert (report.status, report.replayed, report.skipped) == (1, 3, {})


async def test_a_kind_of_turn_that_is_not_known_and_those_after_a_gap_are_counted(app: App, pages: Path) -> None:
    await play(app, pages, "take coin", "north", "south")
    report = await replay(partial(altered, app.store, 2, kind="dream"))
    assert report.skipped == {"turns of kind 'dream' are not replayed": 2}
    report = await replay(partial(altered, app.store, 2, kind="erased", player=""))
    assert report.skipped == {"they were, or follow, a turn of a player who was erased": 2}
    report = await replay(partial(altered, app.store, 2, number=7))
    assert report.skipped == {"the turns before are not stored": 2}
    report = await replay(partial(altered, app.store, 0, number=7))
    assert (report.status, report.skipped) == (2, {"the turns before are not stored": 3})


async def test_turns_whose_pages_are_gone_are_counted_by_commit(app: App, pages: Path) -> None:
    await play(app, pages, "take coin", "north")
    was = World.open(Where.of(str(pages))).commit
    edit(pages, "hall.md", "A hall.", "A great hall.")
    commit(pages)
    report = await run(app)
    assert report.skipped == {f"the pages of commit {was[:14]} of {pages} are gone": 2}
    assert (report.status, report.turns, report.replayed) == (2, 2, 0)


async def test_a_folder_that_is_gone_is_told(app: App, pages: Path) -> None:
    await play(app, pages, "take coin")
    shutil.rmtree(pages)
    (reason,) = (await run(app)).skipped
    assert str(pages) in reason


async def test_replay_goes_on_at_a_save_after_turns_that_cannot_be_replayed(app: App, pages: Path) -> None:
    handle = await start(app, pages)
    await say(app, handle, "take coin")
    edit(pages, "hall.md", "A hall.", "A great hall.")
    await say(app, handle, "look", "save a", "drop it", "undo", "undo", "undo")
    report = await run(app)
    assert (report.turns, report.replayed, report.status) == (6, 2, 0)
    assert sorted(report.skipped.values()) == [2, 2]


async def test_nothing_stored_is_nothing_that_differs(app: App) -> None:
    assert (await run(app)).status == 0


# --- which turns


async def test_players_worlds_and_times_are_chosen(kept: App, pages: Path) -> None:
    await play(kept, pages, "look", "look", name="bob")
    await play(kept, pages, "look", name="eve")
    await play(kept, Path("cloak"), "look", "west", "east", name="bob")
    assert (await run(kept)).replayed == 6
    assert (await run(kept, player="bob")).replayed == 5
    eve = await kept.store.player(ANN, "eve")
    assert (await run(kept, player="eve")).players == {eve.id}
    assert (await run(kept, player=eve.id)).replayed == 1
    assert (await run(kept, player=ANN)).replayed == 6
    assert (await run(kept, world=Where.of("cloak"))).replayed == 3
    assert (await run(kept, player="nobody")).turns == 0


async def test_turns_before_a_time_are_replayed_but_not_counted(app: App, pages: Path) -> None:
    game = await play(app, pages, *LINES)
    third = (await app.store.turns(game))[3]
    report = await run(app, since=third.at)
    assert (report.turns, report.replayed) == (4, 4)
    assert (await run(app, since=datetime(2027, 1, 1, tzinfo=UTC))).turns == 0


# --- against another commit


@pytest.mark.requirement("3.16")
async def test_the_turns_that_one_line_changes_are_listed_with_it(app: App, pages: Path) -> None:
    first = commit(pages)
    await play(app, pages, "look", "take coin", "drop coin", "take coin", name="bob")
    handle = await play(app, pages, "north", "south", "take coin", name="eve")
    edit(pages, "coin.md", "award 2", "award 3")
    second = commit(pages)
    report = await run(app, against="main")
    (group,) = report.changed.values()
    players = {(await app.store.player(ANN, name)).id for name in ("bob", "eve")}
    assert (group.count, group.players, report.status) == (2, players, 1)
    before, after = group.sides
    assert (before.rule, before.place, before.line) == ("take", "coin.md:10", 'award 2 for "the coin"')
    assert (after.rule, after.at, after.line) == ("take", f"coin.md:10@{second[:14]}", 'award 3 for "the coin"')
    assert group.turns[handle] == [3]
    assert group.examples[0].difference.gone == ("player.score: 0 → 2",)
    assert group.examples[0].difference.new == ("player.score: 0 → 3",)
    assert (await run(app, against=first)).status == 0


async def test_each_turn_is_compared_from_the_state_that_was_recorded(app: App, pages: Path) -> None:
    """A change does not spread to the turns after it."""
    commit(pages)
    await play(app, pages, "take coin", "drop coin", "north", "inventory")
    (pages / "own.md").write_text(
        '---\nrule: own-take\non: take [[coin]]\n---\n# It sticks\n## Then\n- refuse "It sticks."\n'
    )
    commit(pages)
    report = await run(app, against="HEAD")
    assert touched(report) == [1]
    (group,) = report.changed.values()
    assert [side.rule for side in group.sides] == ["take", "own-take"]
    assert group.examples[0].difference.new[:2] == ("(refused)", "It sticks.")


@pytest.mark.parametrize(
    ("page", "old", "new"),
    [
        ("coin.md", "# Gold coin\nShiny.", "# Gold coin\n\n\nShiny."),
        (
            "attic.md",
            "# Attic\nAn attic.",
            "# Attic\nAn attic.\n## State\n| Field | Type | Start | Meaning |\n|---|---|---|---|\n| dust | int | 3 | how deep |",
        ),
        ("coin.md", "| after take [[coin]] | |", "| after take [[coin]] | `1 < 2` |"),
    ],
)
async def test_what_does_not_show_does_not_count(app: App, pages: Path, page: str, old: str, new: str) -> None:
    """Lines that moved, a field more, a condition that always holds; and a page more, which nobody met."""
    commit(pages)
    await play(app, pages, *LINES, "undo")
    edit(pages, page, old, new)
    (pages / "cellar.md").write_text("---\nplace: cellar\n---\n# Cellar\nDark.\n")
    commit(pages)
    report = await run(app, against="main")
    assert (report.status, report.replayed) == (0, len(LINES) + 1)


async def test_a_room_that_reads_differently_is_shown_by_its_words(app: App, pages: Path) -> None:
    commit(pages)
    await play(app, pages, "north", "look", "south")
    edit(pages, "attic.md", "An attic.", "A loft.")
    commit(pages)
    report = await run(app, against="main")
    assert touched(report) == [1, 2]
    assert {group.sides[1].place for group in report.changed.values()} == {"shared/adventure/look.md:14"}
    assert all(group.examples[0].difference.new == ("A loft.",) for group in report.changed.values())


async def test_words_that_are_no_more_understood_count(app: App, pages: Path) -> None:
    commit(pages)
    await play(app, pages, "take shiny", "take coin", "drop coin")
    edit(pages, "coin.md", "item: coin\n", "item: coin\naliases: [shiny]\n")
    commit(pages)
    report = await run(app, against="main")
    assert touched(report) == [1]
    (group,) = report.changed.values()
    assert [side.rule for side in group.sides] == ["(not-understood)", "take"]


async def test_a_folder_of_pages_is_compared_with(app: App, pages: Path, tmp_path: Path) -> None:
    await play(app, pages, "take coin", "north")
    shutil.copytree(pages, tmp_path / "draft")
    edit(tmp_path / "draft", "coin.md", "award 2", "award 1")
    report = await run(app, against=str(tmp_path / "draft"))
    assert touched(report) == [1]
    assert report.against.startswith("folder-")


async def test_a_second_experience_in_the_repository_does_not_confuse(app: App, pages: Path, tmp_path: Path) -> None:
    shutil.copytree(pages, tmp_path / "repo" / "tiny")
    commit(tmp_path / "repo")
    await play(app, tmp_path / "repo", "take coin")
    (tmp_path / "repo/two").mkdir()
    (tmp_path / "repo/two/world.md").write_text(
        "---\nexperience: two\nuses: [adventure]\nstart: shed\n---\n# Two\nOther.\n"
    )
    (tmp_path / "repo/two/shed.md").write_text("---\nplace: shed\n---\n# Shed\nA shed.\n")
    commit(tmp_path / "repo")
    report = await run(app, against="main")
    assert (report.status, report.replayed) == (0, 1)


async def test_a_revision_that_is_not_there_and_rules_with_problems_cannot_be_compared_with(
    app: App, pages: Path
) -> None:
    commit(pages)
    await play(app, pages, "take coin")
    with pytest.raises(WorldError, match="has no branch, tag or commit 'nowhere'"):
        await run(app, against="nowhere")
    edit(pages, "coin.md", "award 2", "awart 2")
    commit(pages)
    with pytest.raises(WorldError) as caught:
        await run(app, against="main")
    assert caught.value.problems[0].span.path == "coin.md"


async def test_games_of_worlds_without_the_revision_are_counted_beside_the_others(app: App, pages: Path) -> None:
    commit(pages)
    Repo(pages).create_head("pull-7").repo.close()
    await play(app, pages, "take coin")
    await play(app, Path("cloak"), "look", "west")
    report = await run(app, against="pull-7")
    assert (report.turns, report.replayed, list(report.skipped.values())) == (3, 1, [2])


# --- in parallel


@pytest.mark.parametrize("new_store", ["servers"], indirect=True)
async def test_processes_find_the_same_as_one(kept: App, pages: Path, database: str) -> None:
    commit(pages)
    for number in range(7):
        await play(kept, pages, *LINES[: number + 1], name=f"player-{number}")
    edit(pages, "coin.md", "award 2", "award 3")
    edit(pages, "attic.md", "An attic.", "A loft.")
    commit(pages)
    alone = await run(kept, against="main")
    together = await replay(partial(stored_in, database), against="main", jobs=2)
    assert as_json(alone) == as_json(together)
    assert alone.changed.count > 6


# --- worlds that are shared


@pytest.fixture
def shared(pages: Path) -> Path:
    """A world of its own for each test, with a bell that rings by the clock."""
    edit(pages, "world.md", "experience: tiny", f"experience: tiny-{secrets.token_hex(4)}\nworld: shared\nclock: real")
    (pages / "cup.md").write_text("---\nitem: cup\nin: hall\n---\n# Cup\nBlue.\n")
    bell = "---\nitem: bell\nin: hall\n---\n# Bell\n## State\n| Field | Type | Start | Meaning |\n|---|---|---|---|\n"
    (pages / "bell.md").write_text(f"{bell}| rings | int | 0 | how often it rang |\n")
    (pages / "ring.md").write_text("---\nrule: ring\nevery: 2 minutes\n---\n# Ring\n## Then\n- add 1 to `bell.rings`\n")
    return pages


async def test_a_shared_world_is_reproduced_with_all_who_come_and_go(kept: App, shared: Path) -> None:
    """Both say `it` and mean another thing; the bell rings between; one leaves with it and comes back without."""
    commit(shared)
    bob = await start(kept, shared, "bob")
    eve = await start(kept, shared, "eve")
    await say(kept, bob, "examine cup")
    await say(kept, eve, "examine coin", "tick", "take it")
    await say(kept, bob, "take it", "tick")
    game = await game_of(kept, bob)
    await kept.games.leave(bob, ANN)
    await say(kept, await start(kept, shared, "bob"), "take it", "take cup", "look")
    await say(kept, eve, "tick", "look")
    turns = await kept.store.turns(game)
    assert {"join", "leave", "say", "tick"} == {turn.kind for turn in turns}
    report = await run(kept)
    assert (report.status, report.replayed, report.skipped) == (0, len(turns), {})
    assert report.players == {(await kept.store.player(ANN, name)).id for name in ("bob", "eve")}
    only = await run(kept, player="eve")
    assert (only.status, only.replayed) == (0, sum(turn.instance == turns[1].instance for turn in turns))
    edit(shared, "ring.md", "add 1 to", "add 2 to")
    commit(shared)
    changed = await run(kept, against="main")
    rang = [
        turn
        for turn in turns
        for action in turn.outcome["actions"]
        if "rings" in {e["field"] for e in action["effects"]}
    ]
    assert touched(changed) == [turn.number for turn in rang]
    assert {"tick", "say"} == {turn.kind for turn in rang}


async def test_an_undo_leaves_what_the_clock_did_since(app: App, shared: Path) -> None:
    edit(shared, "world.md", "world: shared", "world: isolated")
    game = await play(app, shared, "take coin", "north", "tick", "undo", "undo", "tick", "take coin", "undo")
    kinds = [turn.kind for turn in await app.store.turns(game)]
    assert kinds == ["say", "say", "tick", "undo", "undo", "tick", "say", "undo"]
    report = await run(app)
    assert (report.status, report.replayed, report.skipped) == (0, 8, {})


async def test_a_game_that_began_under_other_rules_than_its_first_turn_is_reproduced(app: App, pages: Path) -> None:
    commit(pages)
    handle = await start(app, pages)
    edit(pages, "world.md", "start: hall", "start: attic")
    commit(pages)
    await say(app, handle, "look", "take coin")
    report = await run(app)
    assert (report.status, report.replayed, report.skipped) == (0, 2, {})
