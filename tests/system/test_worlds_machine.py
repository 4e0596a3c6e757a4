"""A state machine of players in shared and own worlds at two workers that may die in the middle of a commit: no turn is lost or
done twice, each stands on the one before, and all can be replayed."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from agents.background import Background
from agents.game import GameError, Reply
from agents.replay import Archive, StoredGames, Wanted, replay
from agents.worlds import Where
from kb.referee.invariants import Invariants
from rulebound.app import App, build
from rulebound.settings import Settings
from storage import Commit, MemoryStore, NoSuchGame

T = TypeVar("T")
LINES = (
    "take coin",
    "drop coin",
    "north",
    "south",
    "take",
    "coin",
    "spend",
    "wait",
    "look",
    "take coin and north",
    "dance",
)
PAGES = {
    "world.md": (
        "---\nexperience: inn\nuses: [adventure]\nstart: hall\nworld: {kind}\nclock: real\n"
        "begins: 2026-03-01 00:00\nscore: 9\n---\n# Inn\nAn inn.\n"
        "## Invariants\n- the till is never empty: `world.till >= 0`\n"
    ),
    "hall.md": "---\nplace: hall\nexits: {north: attic}\n---\n# Hall\nA hall.\n",
    "attic.md": "---\nplace: attic\nexits: {south: hall}\n---\n# Attic\nAn attic.\n",
    "coin.md": "---\nitem: coin\nin: hall\n---\n# Gold coin\nShiny.\n",
    "kind.md": "---\nkind: world\n---\n# Inn\n## State\n| Field | Type | Start |\n|---|---|---|\n| till | int | 3 |\n",
    "spend.md": (
        '---\nrule: spend\non: spend\n---\n# Spend\nOne less.\n## Then\n- set `world.till` to `world.till - 1`\n- say "Spent."\n'
    ),
    "rent.md": "---\nrule: rent\nevery: 3 hours\n---\n# Rent\nOne more.\n## Then\n- set `world.till` to `world.till + 1`\n",
}


class Crashing(MemoryStore):
    """The store of two workers. With `crash`, the next commit is not kept, or kept and never acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.crash = ""
        self.stuck = asyncio.Event()

    async def commit(self, commit: Commit) -> None:
        crash, self.crash = self.crash, ""
        if crash != "before":
            await super().commit(commit)
        if crash:
            self.stuck.set()
            await asyncio.Event().wait()


class Worlds(RuleBasedStateMachine):
    """`seats` are handle, principal and whether the world is shared; `acknowledged` is game and turn → hash."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.wheres: dict[bool, Where] = {}
        for shared, kind in ((True, "shared"), (False, "isolated")):
            folder = self.folder / kind
            folder.mkdir()
            for name, text in PAGES.items():
                (folder / name).write_text(
                    text.replace("{kind}", "shared\nplayers: 4" if shared else kind), encoding="utf-8"
                )
            self.wheres[shared] = Where.of(str(folder))
        self.store = Crashing()
        self.at = datetime(2026, 3, 1, tzinfo=UTC)
        self.keys = (f"k{number}" for number in count())
        self.seats: list[tuple[str, str, bool]] = []
        self.acknowledged: dict[tuple[str, int], str] = {}
        self.backups: list[str] = []

    @initialize()
    def begin(self) -> None:
        self.apps = [self.worker(), self.worker()]

    def worker(self) -> App:
        return build(Settings(self.folder / "home"), store=self.store, now=lambda: self.at, new_seed=lambda: 5)

    def run(self, work: Coroutine[Any, Any, T]) -> T | None:
        """What it gives; None where it cannot be done."""
        with suppress(GameError, NoSuchGame):
            return self.loop.run_until_complete(asyncio.wait_for(work, 30))
        return None

    def note(self, handle: str, principal: str, reply: Reply | None) -> None:
        """This was acknowledged."""
        if reply is not None:
            seat = self.run(self.store.seat(handle, principal))
            assert seat is not None
            self.acknowledged[seat.game, reply.turn] = reply.state_hash

    def seat(self, number: int) -> tuple[str, str, bool]:
        return self.seats[number % len(self.seats)]

    @rule(who=st.integers(0, 5), shared=st.booleans(), at=st.integers(0, 1))
    def join(self, who: int, shared: bool, at: int) -> None:
        started = self.run(self.apps[at].games.start(self.wheres[shared], f"p{who}", name=f"P{who}"))
        if started is not None and (started[0], f"p{who}", shared) not in self.seats:
            self.seats.append((started[0], f"p{who}", shared))

    @precondition(lambda self: self.seats)
    @rule(number=st.integers(0, 99), line=st.sampled_from(LINES), at=st.integers(0, 1))
    def say(self, number: int, line: str, at: int) -> None:
        handle, principal, _ = self.seat(number)
        self.note(handle, principal, self.run(self.apps[at].games.act(handle, principal, line)))

    @precondition(lambda self: self.seats)
    @rule(
        said=st.lists(st.tuples(st.integers(0, 99), st.sampled_from(LINES), st.integers(0, 1)), min_size=2, max_size=6)
    )
    def say_at_once(self, said: list[tuple[int, str, int]]) -> None:
        async def all_() -> list[Reply | BaseException]:
            acts = (self.apps[at].games.act(*self.seat(number)[:2], line) for number, line, at in said)
            return await asyncio.gather(*acts, return_exceptions=True)

        replies = self.run(all_())
        assert replies is not None
        for (number, _, _), reply in zip(said, replies, strict=True):
            assert isinstance(reply, Reply | GameError | NoSuchGame)
            if isinstance(reply, Reply):
                self.note(*self.seat(number)[:2], reply)

    @precondition(lambda self: self.seats)
    @rule(number=st.integers(0, 99), line=st.sampled_from(LINES), crash=st.sampled_from(("before", "after")))
    def a_worker_dies_in_a_commit_and_the_other_is_asked_again(self, number: int, line: str, crash: str) -> None:
        handle, principal, _ = self.seat(number)
        key, dying = next(self.keys), self.apps[0]

        async def die() -> None:
            ours = asyncio.all_tasks()
            self.store.crash, self.store.stuck = crash, asyncio.Event()
            acting = asyncio.ensure_future(dying.games.act(handle, principal, line, key=key))
            await asyncio.wait((acting, asyncio.ensure_future(self.store.stuck.wait())), return_when="FIRST_COMPLETED")
            tasks = asyncio.all_tasks() - ours
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.store.crash = ""

        self.run(die())
        self.apps[0] = self.worker()
        reply = self.run(self.apps[1].games.act(handle, principal, line, key=key))
        self.note(handle, principal, reply)
        if reply is not None:
            seat = self.run(self.store.seat(handle, principal))
            assert seat is not None
            turns = self.run(self.store.turns(seat.game)) or ()
            assert sum(turn.key == f"{handle}:{key}" for turn in turns) == 1

    @precondition(lambda self: self.seats)
    @rule(number=st.integers(0, 99), at=st.integers(0, 1), what=st.sampled_from(("undo", "save", "restore", "reset")))
    def go_back(self, number: int, at: int, what: str) -> None:
        handle, principal, _ = self.seat(number)
        games = self.apps[at].games
        match what:
            case "save":
                self.run(games.save(handle, principal, "x"))
            case "restore":
                self.note(handle, principal, self.run(games.restore(handle, principal, "x")))
            case "undo":
                self.note(handle, principal, self.run(games.undo(handle, principal)))
            case _:
                self.note(handle, principal, self.run(games.reset(handle, principal)))

    @rule(at=st.integers(0, 1), back=st.booleans())
    def go_back_for_everyone(self, at: int, back: bool) -> None:
        games, where = self.apps[at].games, self.wheres[True]
        if back and self.backups:
            self.run(games.restore_world(where, "operator", "gm", self.backups[-1]))
        elif (name := self.run(games.reset_world(where, "operator", "gm"))) is not None:
            self.backups.append(name)

    @precondition(lambda self: self.seats)
    @rule(number=st.integers(0, 99), at=st.integers(0, 1))
    def leave(self, number: int, at: int) -> None:
        handle, principal, shared = self.seat(number)
        self.run(self.apps[at].games.leave(handle, principal))
        if shared:
            self.seats.remove((handle, principal, shared))

    @rule(minutes=st.integers(1, 500))
    def time_passes(self, minutes: int) -> None:
        self.at += timedelta(minutes=minutes)

        async def clocks() -> None:
            works = [
                Background(app.games, self.store.work, self.store.channels, now=lambda: self.at) for app in self.apps
            ]
            await asyncio.gather(*(work.clocks() for work in works))

        self.run(clocks())
        assert self.run(self.store.work.troubles()) == []

    @invariant()
    def each_turn_stands_on_the_one_before_and_what_was_acknowledged_is_there(self) -> None:
        known: dict[tuple[str, int], str] = {}
        for game in self.games():
            turns = self.run(self.store.turns(game)) or ()
            loaded = self.run(self.store.load(game))
            assert loaded is not None
            assert [turn.number for turn in turns] == list(range(1, loaded.game.version + 1))
            assert all(before.hash_after == after.hash_before for before, after in pairwise(turns))
            assert not turns or turns[-1].hash_after == loaded.game.hash
            known |= {(game, turn.number): turn.hash_after for turn in turns}
        assert self.acknowledged.items() <= known.items()

    @invariant()
    def every_worker_sees_what_is_stored_and_every_invariant_holds(self) -> None:
        for handle, principal, _ in self.seats:
            seen = [self.run(app.games.game(handle, principal)) for app in self.apps]
            for game in seen:
                assert game is not None
                assert game.state.hash == game.record.hash
                frame = game.world.session.referee.frame(game.state, game.player)
                assert Invariants(game.world.rulebook).broken(frame) == []

    def games(self) -> set[str]:
        found = {game for game, _ in self.acknowledged}
        for handle, principal, _ in self.seats:
            seat = self.run(self.store.seat(handle, principal))
            assert seat is not None
            found.add(seat.game)
        return found

    def teardown(self) -> None:
        @asynccontextmanager
        async def opened() -> AsyncGenerator[Archive]:
            yield StoredGames(self.store)

        try:
            report = self.run(replay(opened, Wanted(), jobs=1))
            assert report is not None
            assert report.unreproduced.count == 0
            assert report.skipped == {}
        finally:
            self.loop.close()
            shutil.rmtree(self.folder)


@pytest.fixture
def few() -> settings:
    """So many that the test takes seconds; a nightly run takes more."""
    return settings(
        max_examples=15,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        database=None,
        phases=(Phase.generate,),
        report_multiple_bugs=False,
    )


@pytest.mark.requirement("0.36", "0.41", "1.17", "2.01", "2.15", "3.08")
def test_any_interleaving_of_turns_crashes_resets_and_restores_keeps_every_turn(few: settings) -> None:
    run_state_machine_as_test(Worlds, settings=few)
