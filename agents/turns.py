"""Owns turns in the making: games in memory under the rules that are live, what is stored with a turn, and its commit.

`Turns(store, open_world, now)`; `await turns.do(game, resolve, key)` does something in a game, in order with everything else that is
done there. It must not know what players ask for.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from agents import telling
from agents.held import Held, read, whole, written
from agents.lanes import Lanes, Step
from agents.news import News
from agents.progress import PAUSE, SESSION, came, events_of, experience_of, progress_of, summed
from agents.worlds import Where, World
from kb import report
from kb.referee import Action, Inputs, NotAState, Outcome, State, parts
from storage import Commit, GameRecord, Loaded, Seat, Store, TurnRecord
from storage.records import Json, Kind

MAX_GAMES = 1024
"""How many games are held in memory."""
MAX_SEATS = 16_384
ASLEEP = timedelta(hours=1)
"""How long the clock of one player's own world goes on without them."""
POLL = timedelta(seconds=60)
"""How long a remote repository is not asked again whether it moved."""


class GameError(Exception):
    """The game cannot do what was asked: `args[0]` says what, `hint` what to do."""

    def __init__(self, message: str, hint: str):
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Made:
    """What a request made of a game, before it is put down as a turn."""

    kind: Kind
    text: str
    state: State
    dialogues: Mapping[str, Json]
    """Those that are other than before, by the players' instances."""
    outcome: Json
    inputs: Inputs
    outcomes: Sequence[Outcome] = ()
    actions: Sequence[Action] = ()
    extra: Json = field(default_factory=Json)
    """Further recorded inputs."""
    last: int | None = None
    """The turn that undo takes back from here; None: this one, or as before."""


class Turns:
    """Games that are held, and their turns. `wake` is called after each commit that others are told of, `committed` after each
    with the game and the turns."""

    def __init__(self, store: Store, open_world: Callable[[Where], World], now: Callable[[], datetime]):
        self._store, self._open, self._now = store, open_world, now
        self._games: OrderedDict[str, Held] = OrderedDict()
        self._members: dict[str, dict[str, Seat]] = {}
        self._asked: dict[Where, datetime] = {}
        self._told: dict[str, str] = {}
        self._last_turn: OrderedDict[str, datetime] = OrderedDict()
        self._lanes = Lanes(self.held, self._commit)
        self.do = self._lanes.do
        self.close = self._lanes.close
        self.wake: list[Callable[[], None]] = []
        self.committed: list[Callable[[GameRecord, Sequence[TurnRecord]], None]] = []
        self.news = News(store.channels)

    def __contains__(self, game: str) -> bool:
        """Whether a game is in memory."""
        return game in self._games

    @property
    def size(self) -> tuple[int, int]:
        """Games in memory, and the instances in them."""
        return len(self._games), sum(len(held.state.rows) for held in self._games.values())

    def forget_members(self, game: str) -> None:
        """Somebody came or went."""
        self._members.pop(game, None)

    def inputs(self, held: Held, now: datetime | None) -> Inputs:
        return Inputs(now or self._now(), (held.record.seed * 1_000_003 + held.record.version + 1) % 2**63)

    async def step(self, world: World, held: Held, seat: Seat | None, made: Made, key: str) -> Step:
        """A turn of a player, or of the clock, with everything that is stored with it."""
        record, state, now = held.record, made.state, self._now()
        number = record.version + 1
        undoable = made.kind in ("say", "tick") and record.scope is None
        last = made.last if made.last is not None else number if undoable else record.last
        after = held.after(
            record.with_(
                version=number,
                commit=world.commit,
                hash=state.hash,
                head=parts.head(state),
                last=last,
                updated=record.updated if made.kind in ("tick", "heard") else now,
            ),
            state,
            # Who left and comes back begins a new dialogue, as one who is read from the store does.
            {id: each for id, each in {**held.dialogues, **made.dialogues}.items() if id in state.rows},
        )
        touched = frozenset(id for each in made.outcomes for id in each.touched)
        known = touched if made.outcomes or state is held.state else None
        undo: Json = {}
        if undoable:
            undo = {
                "head": parts.head(held.state),
                "parts": parts.changed(state, held.state, known),
                "dialogue": held.dialogues.get(seat.instance, {}) if seat else {},
                "last": record.last,
            }
        others = self._others(world, held, state, seat, made)
        members = await self._members_of(held, [each["to"] for each in others])
        places = [] if record.scope is None else telling.in_rooms(world, held.state, state, made.outcomes)
        told = telling.told(record.id, number, now.timestamp(), others, members, places)
        # The commit that a game began under is not stored with it, and the first turn may be under a later one.
        began = {"began": record.commit} if record.version == 0 else {}
        turn = TurnRecord(
            number=number,
            text=made.text,
            commit=world.commit,
            inputs={"now": made.inputs.now.isoformat(), "seed": made.inputs.seed, **began, **made.extra},
            outcome={**made.outcome, "heard": others} if others else made.outcome,
            hash_before=held.state.hash,
            hash_after=state.hash,
            at=now,
            kind=made.kind,
            player=seat.player if seat else None,
            instance=seat.instance if seat else "",
            key=key,
            undo=undo,
        )
        if seat is None or seat.instance not in state.rows:
            return Step(after, turn, known, told=told)
        name = experience_of(world.where)
        before = held.state if seat.instance in held.state.rows else None
        pause = self._pause(seat, record, now)
        playtime = pause if pause is not None and 0 <= pause <= PAUSE else 0.0
        progress = progress_of(name, seat, before, after, now, turns=1, playtime=playtime)
        events = events_of(name, seat, held.state, state, made.outcomes, now) if before else []
        if before and (pause is None or pause > SESSION):
            events.insert(0, came("session_started", name, seat, before, now))
        return Step(after, turn, known, (progress,), tuple(events), told)

    def _others(self, world: World, held: Held, state: State, seat: Seat | None, made: Made) -> list[Json]:
        """What is heard by players other than who acted."""
        actor = seat.instance if seat else ""
        if held.record.scope is None and seat is not None:
            return []
        match made.kind:
            case "join" | "leave":
                return telling.came(held.state, state, actor)
            case "heard":
                return [each for each in made.outcome["heard"] if each["to"] in state.rows]
            case "reset" | "restore":
                return telling.everyone(state, actor, f"{made.text}.") if seat is None else []
            case _:
                return telling.heard(world, held.state, state, actor, made.outcomes, made.actions)

    def _pause(self, seat: Seat, game: GameRecord, now: datetime) -> float | None:
        """Seconds since the last turn at a seat; None where this process does not know. In a game of one's own the last
        turn is the game's."""
        before = self._last_turn.get(seat.handle) or (game.updated if game.scope is None else None)
        self._last_turn[seat.handle] = now
        self._last_turn.move_to_end(seat.handle)
        if len(self._last_turn) > MAX_SEATS:
            self._last_turn.popitem(last=False)
        return (now - before).total_seconds() if before else None

    async def _members_of(self, held: Held, wanted: Iterable[str]) -> Mapping[str, Seat]:
        """Seats by instance; asked for again where somebody wanted is not known."""
        id = held.record.id
        members = self._members.get(id, {})
        if any(each not in members for each in wanted):
            members = self._members[id] = {each.instance: each for each in await self._store.members(id)}
        return members

    async def _commit(self, world: World, held: Held, steps: list[Step]) -> None:
        """Stores what steps led to, all of them or none."""
        if not steps:
            return
        last = steps[-1].held
        touched = [step.touched for step in steps]
        ids = None if None in touched else frozenset[str]().union(*(each for each in touched if each is not None))
        now = self._now()
        was, next_due = due(world, held, now), due(world, last, now)
        commit = Commit(
            game=last.record,
            base=held.record.version,
            parts=written(held, last, ids),
            turns=tuple(step.turn for step in steps if step.turn is not None),
            seats=tuple(seat for step in steps for seat in step.seats),
            left=tuple(handle for step in steps for handle in step.left),
            progress=summed(each for step in steps for each in step.progress),
            events=tuple(event for step in steps for event in step.events),
            told=tuple(told for step in steps for told in step.told),
            due=None if next_due == was and held.carried is None else next_due,
        )
        await self._store.commit(commit)
        self.keep(replace(last, carried=None))
        self.news.changed(last.record.id)
        for hear in self.committed:
            hear(commit.game, commit.turns)
        if commit.told:
            for wake in self.wake:
                wake()

    # --- games in memory

    async def held(self, game: str, fresh: bool) -> tuple[World, Held]:
        """A game under the rules that are live. What is in memory may be old unless `fresh`; storing a turn would tell."""
        held = self._games.get(game)
        loaded = None
        if held is None or fresh:
            loaded = await self._store.load(game, held.record.version if held else None)
        record = loaded.game if loaded else held.record if held else None
        assert record is not None, "a game that is not in memory is loaded"
        world = self._open(Where(record.world, record.revision, record.experience))
        await self.refresh(world)
        if loaded is None:
            assert held is not None, "only a known version is not loaded again"
            if held.state.rulebook is world.rulebook:
                self._games.move_to_end(game)
                return world, held
            loaded = Loaded(held.record, whole(held))
        try:
            held = read(loaded, world.session)
        except NotAState as error:
            raise GameError(f"The kept game {game!r} cannot be read: {error}", "Start a new one.") from None
        self.keep(held)
        return world, held

    def keep(self, held: Held) -> None:
        self._games[held.record.id] = held
        self._games.move_to_end(held.record.id)
        while len(self._games) > MAX_GAMES:
            game, _ = self._games.popitem(last=False)
            for each in (self._told, self._members):
                each.pop(game, None)

    # --- rules that change

    async def refresh(self, world: World) -> None:
        if not world.remote:
            world.refresh()
            return
        now = self._now()
        asked = self._asked.setdefault(world.where, now)
        if now - asked >= POLL:
            self._asked[world.where] = now
            await asyncio.to_thread(world.refresh)

    def refusal(self, world: World, game: str) -> tuple[str, ...]:
        """What is wrong with newer rules, told once to each game."""
        notes = refusal(world)
        told = "\n".join(notes)
        if self._told.get(game, "") == told:
            return ()
        self._told[game] = told
        return notes


def refusal(world: World) -> tuple[str, ...]:
    """What keeps newer rules out, and that the last good ones go on."""
    if world.refused is None:
        return ()
    shown = report.text(world.refused.problems[:5])
    more = len(world.refused.problems) - 5
    head = f"{world.refused}: the new pages stay out, and commit {world.commit[:14]} goes on."
    return (head, *shown.splitlines(), *([f"… and {more} more."] if more > 0 else []))


def due(world: World, held: Held, now: datetime) -> datetime | None:
    """When time is to pass next without a turn."""
    return None if asleep(held, now) else world.session.referee.next_due(held.state)


def asleep(held: Held, now: datetime) -> bool:
    """One player's world sleeps when they have left it; their next turn catches up."""
    return held.record.scope is None and now - held.record.updated > ASLEEP
