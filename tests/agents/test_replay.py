"""Replay: stored turns run again as they were recorded, and what another commit would change in them."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from git import Actor, Repo

from agents.replay import Head, Recorded, Report, Snapshot, StoredGames, Tape, Wanted
from agents.replay.run import replay
from agents.replay.shown import as_json
from agents.replay.stored import tape_of
from agents.worlds import Where, World, WorldError
from kb.referee import Inputs, State
from kb.understand import Dialogue
from rulebound.app import App, build
from rulebound.settings import Settings
from storage import MemoryStore

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
def disk(tmp_path: Path) -> Callable[[], MemoryStore]:
    """Opens the games on disk, as each process of a replay does."""
    return partial(MemoryStore, tmp_path / "games")


@pytest.fixture
def disk_app(tmp_path: Path, disk: Callable[[], MemoryStore]) -> App:
    minutes = iter(range(10_000))
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    return build(
        Settings(tmp_path / "home"),
        store=disk(),
        now=lambda: begin + timedelta(minutes=next(minutes)),
        new_seed=lambda: 5,
    )


def archive(games: Path) -> StoredGames:
    return StoredGames(MemoryStore(games), (ANN,))


async def start(app: App, pages: Path, name: str = "you") -> str:
    handle, _ = await app.games.start(Where.of(str(pages)), ANN, name=name)
    return handle


async def say(app: App, handle: str, *lines: str) -> None:
    for line in lines:
        if line == "undo":
            await app.games.undo(handle, ANN)
        elif line.startswith("save "):
            await app.games.save(handle, ANN, line)
        elif line.startswith("restore "):
            await app.games.restore(handle, ANN, line.replace("restore", "save"))
        else:
            await app.games.act(handle, ANN, line)


def run(tmp_path: Path, against: str | None = None, jobs: int = 1, **wanted: Any) -> Report:
    return replay(partial(archive, tmp_path / "games"), Wanted(**wanted), against=against, jobs=jobs)


def touched(report: Report) -> list[int]:
    """The numbers of the turns that would end differently."""
    return sorted(n for group in report.changed.values() for numbers in group.turns.values() for n in numbers)


def play(app: App, pages: Path, *lines: str, name: str = "you") -> str:
    """A game with these lines; its handle."""

    async def go() -> str:
        handle = await start(app, pages, name)
        await say(app, handle, *lines)
        return handle

    return asyncio.run(go())


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
def test_every_kind_of_turn_is_reproduced(disk_app: App, pages: Path, tmp_path: Path, lines: Sequence[str]) -> None:
    play(disk_app, pages, *lines)
    report = run(tmp_path)
    said = [line for line in lines if not line.startswith("save")]
    assert (report.status, report.turns, report.replayed, report.games) == (0, len(said), len(said), 1)
    assert not report.unreproduced
    assert not report.skipped


def test_a_game_goes_through_many_commits(disk_app: App, pages: Path, tmp_path: Path) -> None:
    """Also back to an earlier one, over an undo and a restore, with a field and a page that come and go."""
    commit(pages)
    coin = (pages / "coin.md").read_text()

    async def go() -> None:
        handle = await start(disk_app, pages)
        await say(disk_app, handle, "take coin", "save a")
        (pages / "lamp.md").write_text("---\nitem: lamp\nin: hall\n---\n# Lamp\nBright.\n")
        commit(pages)
        await say(disk_app, handle, "take lamp", "north")
        edit(pages, "coin.md", "award 2", "award 4")
        (pages / "lamp.md").unlink()
        commit(pages)
        await say(disk_app, handle, "undo", "undo", "undo", "take coin", "restore a")
        (pages / "coin.md").write_text(coin)
        commit(pages)
        await say(disk_app, handle, "drop coin", "undo", "look")

    asyncio.run(go())
    report = run(tmp_path)
    assert (report.status, report.replayed, report.skipped) == (0, 11, {})


def test_a_restore_of_a_save_that_was_replaced_since_is_reproduced(disk_app: App, pages: Path, tmp_path: Path) -> None:
    play(disk_app, pages, "take coin", "save a", "north", "restore a", "north", "south", "drop it", "save a", "take it")
    assert run(tmp_path).status == 0


def test_a_turn_that_was_tampered_with_is_found_and_those_after_it_are_counted(
    disk_app: App, pages: Path, tmp_path: Path
) -> None:
    handle = play(disk_app, pages, "take coin", "north", "south", "drop coin")
    file = tmp_path / "games" / f"{handle}.jsonl"
    lines = file.read_text().splitlines()
    entry = json.loads(lines[2])
    entry["turn"]["hash_after"] = "0" * 32
    lines[2] = json.dumps(entry)
    file.write_text("\n".join(lines) + "\n")
    report = run(tmp_path)
    assert [(group.turns, group.sides[0].rule) for group in report.unreproduced.values()] == [
        ({handle: [2]}, "(state after)")
    ]
    assert (report.status, report.turns, report.replayed) == (1, 4, 2)
    assert report.skipped == {"they follow a turn that is not reproduced": 2}


def test_other_words_than_were_recorded_are_found_and_replay_goes_on(
    disk_app: App, pages: Path, tmp_path: Path
) -> None:
    handle = play(disk_app, pages, "take coin", "north", "south")
    file = tmp_path / "games" / f"{handle}.jsonl"
    file.write_text(file.read_text().replace('"text":"Attic\\nAn attic.', '"text":"Attic\\nA loft.'))
    report = run(tmp_path)
    (group,) = report.unreproduced.values()
    assert group.turns == {handle: [2]}
    assert (group.examples[0].difference.gone, group.examples[0].difference.new) == (("A loft.",), ("An attic.",))
    assert (report.status, report.replayed, report.skipped) == (1, 3, {})


def test_turns_whose_pages_are_gone_are_counted_by_commit(disk_app: App, pages: Path, tmp_path: Path) -> None:
    play(disk_app, pages, "take coin", "north")
    was = World.open(Where.of(str(pages))).commit
    edit(pages, "hall.md", "A hall.", "A great hall.")
    commit(pages)
    report = run(tmp_path)
    assert report.skipped == {f"the pages of commit {was[:14]} of {pages} are gone": 2}
    assert (report.status, report.turns, report.replayed) == (2, 2, 0)


def test_a_folder_that_is_gone_is_told(disk_app: App, pages: Path, tmp_path: Path) -> None:
    play(disk_app, pages, "take coin")
    shutil.rmtree(pages)
    (reason,) = run(tmp_path).skipped
    assert str(pages) in reason


def test_replay_goes_on_at_a_save_after_turns_that_cannot_be_replayed(
    disk_app: App, pages: Path, tmp_path: Path
) -> None:
    async def go() -> None:
        handle = await start(disk_app, pages)
        await say(disk_app, handle, "take coin")
        edit(pages, "hall.md", "A hall.", "A great hall.")
        await say(disk_app, handle, "look", "save a", "drop it", "undo", "undo", "undo")

    asyncio.run(go())
    report = run(tmp_path)
    assert (report.turns, report.replayed, report.status) == (6, 2, 0)
    assert sorted(report.skipped.values()) == [2, 2]


def test_nothing_stored_is_nothing_that_differs(tmp_path: Path) -> None:
    assert run(tmp_path).status == 0


# --- which turns


def test_players_worlds_and_times_are_chosen(disk_app: App, pages: Path, tmp_path: Path) -> None:
    play(disk_app, pages, "look", "look", name="bob")
    play(disk_app, pages, "look", name="eve")
    play(disk_app, Path("cloak"), "look", "west", "east", name="bob")
    assert run(tmp_path).replayed == 6
    assert run(tmp_path, player="bob").replayed == 5
    assert run(tmp_path, player="eve").players == {"ann:eve"}
    assert run(tmp_path, world=Where.of("cloak")).replayed == 3
    assert run(tmp_path, player="nobody").turns == 0


def test_turns_before_a_time_are_replayed_but_not_counted(disk_app: App, pages: Path, tmp_path: Path) -> None:
    handle = play(disk_app, pages, *LINES)
    turns = json.loads((tmp_path / "games" / f"{handle}.jsonl").read_text().splitlines()[4])["turn"]
    report = run(tmp_path, since=datetime.fromisoformat(turns["inputs"]["now"]))
    assert (report.turns, report.replayed) == (4, 4)
    assert run(tmp_path, since=datetime(2027, 1, 1, tzinfo=UTC)).turns == 0


# --- against another commit


@pytest.mark.requirement("3.16")
def test_the_turns_that_one_line_changes_are_listed_with_it(disk_app: App, pages: Path, tmp_path: Path) -> None:
    first = commit(pages)
    play(disk_app, pages, "look", "take coin", "drop coin", "take coin", name="bob")
    handle = play(disk_app, pages, "north", "south", "take coin", name="eve")
    edit(pages, "coin.md", "award 2", "award 3")
    second = commit(pages)
    report = run(tmp_path, against="main")
    (group,) = report.changed.values()
    assert (group.count, group.players, report.status) == (2, {"ann:bob", "ann:eve"}, 1)
    before, after = group.sides
    assert (before.rule, before.place, before.line) == ("take", "coin.md:10", 'award 2 for "the coin"')
    assert (after.rule, after.at, after.line) == ("take", f"coin.md:10@{second[:14]}", 'award 3 for "the coin"')
    assert group.turns[handle] == [3]
    assert group.examples[0].difference.gone == ("player.score: 0 → 2",)
    assert group.examples[0].difference.new == ("player.score: 0 → 3",)
    assert run(tmp_path, against=first).status == 0


def test_each_turn_is_compared_from_the_state_that_was_recorded(disk_app: App, pages: Path, tmp_path: Path) -> None:
    """A change does not spread to the turns after it."""
    commit(pages)
    play(disk_app, pages, "take coin", "drop coin", "north", "inventory")
    (pages / "own.md").write_text(
        '---\nrule: own-take\non: take [[coin]]\n---\n# It sticks\n## Then\n- refuse "It sticks."\n'
    )
    commit(pages)
    report = run(tmp_path, against="HEAD")
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
def test_what_does_not_show_does_not_count(
    disk_app: App, pages: Path, tmp_path: Path, page: str, old: str, new: str
) -> None:
    """Lines that moved, a field more, a condition that always holds; and a page more, which nobody met."""
    commit(pages)
    play(disk_app, pages, *LINES, "undo")
    edit(pages, page, old, new)
    (pages / "cellar.md").write_text("---\nplace: cellar\n---\n# Cellar\nDark.\n")
    commit(pages)
    report = run(tmp_path, against="main")
    assert (report.status, report.replayed) == (0, len(LINES) + 1)


def test_a_room_that_reads_differently_is_shown_by_its_words(disk_app: App, pages: Path, tmp_path: Path) -> None:
    commit(pages)
    play(disk_app, pages, "north", "look", "south")
    edit(pages, "attic.md", "An attic.", "A loft.")
    commit(pages)
    report = run(tmp_path, against="main")
    assert touched(report) == [1, 2]
    assert {group.sides[1].place for group in report.changed.values()} == {"shared/adventure/look.md:14"}
    assert all(group.examples[0].difference.new == ("A loft.",) for group in report.changed.values())


def test_words_that_are_no_more_understood_count(disk_app: App, pages: Path, tmp_path: Path) -> None:
    commit(pages)
    play(disk_app, pages, "take shiny", "take coin", "drop coin")
    edit(pages, "coin.md", "item: coin\n", "item: coin\naliases: [shiny]\n")
    commit(pages)
    report = run(tmp_path, against="main")
    assert touched(report) == [1]
    (group,) = report.changed.values()
    assert [side.rule for side in group.sides] == ["(not-understood)", "take"]


def test_a_folder_of_pages_is_compared_with(disk_app: App, pages: Path, tmp_path: Path) -> None:
    play(disk_app, pages, "take coin", "north")
    shutil.copytree(pages, tmp_path / "draft")
    edit(tmp_path / "draft", "coin.md", "award 2", "award 1")
    report = run(tmp_path, against=str(tmp_path / "draft"))
    assert touched(report) == [1]
    assert report.against.startswith("folder-")


def test_a_second_experience_in_the_repository_does_not_confuse(disk_app: App, pages: Path, tmp_path: Path) -> None:
    shutil.copytree(pages, tmp_path / "repo" / "tiny")
    commit(tmp_path / "repo")
    play(disk_app, tmp_path / "repo", "take coin")
    (tmp_path / "repo/two").mkdir()
    (tmp_path / "repo/two/world.md").write_text(
        "---\nexperience: two\nuses: [adventure]\nstart: shed\n---\n# Two\nOther.\n"
    )
    (tmp_path / "repo/two/shed.md").write_text("---\nplace: shed\n---\n# Shed\nA shed.\n")
    commit(tmp_path / "repo")
    report = run(tmp_path, against="main")
    assert (report.status, report.replayed) == (0, 1)


def test_a_revision_that_is_not_there_and_rules_with_problems_cannot_be_compared_with(
    disk_app: App, pages: Path, tmp_path: Path
) -> None:
    commit(pages)
    play(disk_app, pages, "take coin")
    with pytest.raises(WorldError, match="has no branch, tag or commit 'nowhere'"):
        run(tmp_path, against="nowhere")
    edit(pages, "coin.md", "award 2", "awart 2")
    commit(pages)
    with pytest.raises(WorldError) as caught:
        run(tmp_path, against="main")
    assert caught.value.problems[0].span.path == "coin.md"


def test_games_of_worlds_without_the_revision_are_counted_beside_the_others(
    disk_app: App, pages: Path, tmp_path: Path
) -> None:
    commit(pages)
    Repo(pages).create_head("pull-7").repo.close()
    play(disk_app, pages, "take coin")
    play(disk_app, Path("cloak"), "look", "west")
    report = run(tmp_path, against="pull-7")
    assert (report.turns, report.replayed, list(report.skipped.values())) == (3, 1, [2])


# --- in parallel


def test_processes_find_the_same_as_one(disk_app: App, pages: Path, tmp_path: Path) -> None:
    commit(pages)
    for number in range(7):
        play(disk_app, pages, *LINES[: number + 1], name=f"player-{number}")
    edit(pages, "coin.md", "award 2", "award 3")
    edit(pages, "attic.md", "An attic.", "A loft.")
    commit(pages)
    alone, together = run(tmp_path, against="main"), run(tmp_path, against="main", jobs=2)
    assert as_json(alone) == as_json(together)
    assert alone.changed.count > 6


# --- worlds that are shared, and what no store of today holds


class Listed:
    """One game from a list."""

    def __init__(self, where: Where, turns: Sequence[Recorded], **tape: Any):
        self._where, self._turns, self._tape = where, turns, tape

    async def heads(self, wanted: Wanted) -> AsyncIterator[Head]:
        only = frozenset({wanted.player}) if wanted.player else None
        yield Head("g", self._where, len(self._turns), only)

    async def tape(self, head: Head) -> Tape:
        async def each() -> AsyncIterator[Recorded]:
            for turn in self._turns:
                yield turn

        return Tape(each(), **self._tape)

    async def close(self) -> None:
        return


@pytest.fixture
def shared(pages: Path) -> list[Recorded]:
    """Two players in one world; both say `take it`, each of another thing; time passes; one leaves."""
    (pages / "cup.md").write_text("---\nitem: cup\nin: hall\n---\n# Cup\nBlue.\n")
    world = World.open(Where.of(str(pages)))
    referee = world.session.referee
    state: State = referee.new()
    dialogues: dict[str, Dialogue] = {}
    turns: list[Recorded] = []
    script = [("join", "bob", ""), ("join", "eve", ""), ("say", "bob", "examine cup"), ("say", "eve", "examine coin")]
    script += [("tick", "", ""), ("say", "bob", "take it"), ("say", "eve", "take it"), ("leave", "bob", "")]
    for number, (kind, who, text) in enumerate(script, 1):
        inputs = Inputs(datetime(2026, 3, 1, 0, number, tzinfo=UTC), number)
        before, outcome = state.hash, dict[str, Any]()
        if kind == "join":
            state = referee.join(state, who, who.title())
        elif kind == "tick":
            state = referee.tick(state, inputs).state
        elif kind == "say":
            said = world.session.say(state, who, text, dialogues.get(who, Dialogue()), inputs)
            state, dialogues[who] = said.state, said.dialogue
            outcome = {"status": "done", "text": said.text}
        recorded = {"now": inputs.now.isoformat(), "seed": inputs.seed, "name": who.title()}
        turns.append(
            Recorded("g", number, kind, f"player-{who}", who, text, world.commit, recorded, before, state.hash, outcome)
        )
    return turns


def run_listed(pages: Path, turns: Sequence[Recorded], wanted: Wanted | None = None, **tape: Any) -> Report:
    return replay(lambda: Listed(Where.of(str(pages)), turns, **tape), wanted)


def test_players_of_one_world_keep_their_own_dialogues(pages: Path, shared: list[Recorded]) -> None:
    report = run_listed(pages, shared[:-1])
    assert (report.status, report.replayed, report.skipped) == (0, 5, {})
    assert report.players == {"player-bob", "player-eve", "player-"}
    assert {"bob", "eve"} == {turn.instance for turn in shared if turn.text == "take it"}


def test_of_a_shared_world_only_the_turns_of_a_player_are_counted(pages: Path, shared: list[Recorded]) -> None:
    report = run_listed(pages, shared[:-1], Wanted("player-eve"))
    assert (report.replayed, report.players) == (2, {"player-eve"})


def test_a_kind_of_turn_that_is_not_known_is_counted(pages: Path, shared: list[Recorded]) -> None:
    report = run_listed(pages, shared)
    assert report.skipped == {"turns of kind 'leave' are not replayed": 1}


def test_a_state_before_that_is_not_as_recorded_is_found(pages: Path, shared: list[Recorded]) -> None:
    shared[3] = replace(shared[3], hash_before="f" * 32)
    report = run_listed(pages, shared[:5])
    assert [group.sides[0].rule for group in report.unreproduced.values()] == ["(state before)"]


def test_turns_without_their_beginning_go_on_from_a_snapshot_or_are_counted(
    pages: Path, shared: list[Recorded]
) -> None:
    assert run_listed(pages, shared[2:-1]).skipped == {"the turns before are not stored": 5}
    session = World.open(Where.of(str(pages))).session
    state = session.referee.new()
    for who in ("bob", "eve"):
        state = session.referee.join(state, who, who.title())
    snapshot = Snapshot(state.dump(), {})
    report = run_listed(pages, shared[2:-1], snapshots={2: snapshot})
    assert (report.status, report.replayed) == (0, 5)
    broken = run_listed(pages, shared[2:-1], snapshots={2: replace(snapshot, state={"format": 0})})
    assert [reason.split(":")[0] for reason in broken.skipped] == ["a kept state cannot be read"]


@pytest.mark.anyio
async def test_the_store_s_turns_become_records(app: App, pages: Path) -> None:
    handle = await start(app, pages, "bob")
    await say(app, handle, "take coin", "undo", "save a", "north", "restore a")
    tape = tape_of(await app.store.load(handle, ANN), await app.store.turns(handle), [])
    turns = [turn async for turn in tape.turns]
    assert [(turn.number, turn.kind, turn.player) for turn in turns] == [
        (0, "join", "ann:bob"),
        (1, "say", "ann:bob"),
        (2, "undo", "ann:bob"),
        (3, "say", "ann:bob"),
        (4, "restore", "ann:bob"),
    ]
    assert tape.backs == {2: 0, 4: 2}
