"""Owns the referee service: join a game, resolve what is said, commit it; explain, undo, save and restore.

`GameService(store, open_world, …)`. Everything that a turn needs to be replayed is stored with it. It must not know
transports or databases.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from agents import resets
from agents.filled import NOTHING, Filled
from agents.hearing import POLL, Heard, listening
from agents.held import Held, read, whole
from agents.judging import Judging
from agents.lanes import Step
from agents.progress import came, experience_of, progress_of
from agents.record import outcome_of, ticked
from agents.turns import MAX_SEATS, GameError, Made, Turns, asleep, due, refusal
from agents.waiting import WaitingTurns
from agents.worlds import Where, World
from kb.referee import Action, Asked, Inputs, State, parts
from kb.session import Said
from kb.types import storable
from kb.understand import Dialogue
from kb.view import completions, explored, legal, templates, view
from storage import (
    NEW,
    Commit,
    Conflict,
    GameRecord,
    Loaded,
    NoSuchGame,
    Seat,
    Store,
    StoreAway,
    TurnRecord,
    new_id,
)
from storage.channels import ChannelsAway
from storage.metrics import Histogram
from storage.records import Json, Kind

MAX_SINCE = 50
"""How many turns are told at once."""
CLOCK = "clock"
"""Who asks a model where time alone led to a judgement."""
MAX_LINE = 20_000
"""How much of a line is read and stored."""


@dataclass(frozen=True, slots=True)
class Game:
    """A game as one player sees it, under the rules that are live. `notes` tell what became of the rules meanwhile."""

    world: World
    state: State
    record: GameRecord
    seat: Seat
    dialogue: Dialogue
    notes: tuple[str, ...] = ()
    stale: bool = False
    """The database is away: this is the game as this process knew it last."""

    @property
    def player(self) -> str:
        """The player's instance."""
        return self.seat.instance


@dataclass(frozen=True, slots=True)
class Reply:
    """What one turn led to. `changes` are all of them; those that the player could see have `"seen": true`."""

    text: str
    changes: tuple[dict[str, Any], ...]
    score: int
    ended: str | None
    turn: int
    state_hash: str
    status: Literal["done", "refused", "question", "not-understood", "waiting"]
    """`waiting`: the database is away, and the turn is done when it is back."""
    notes: tuple[str, ...] = ()
    models: tuple[Json, ...] = ()
    """The calls to models that the turn led to: `agents.filled.Filled.by`."""


class GameService:
    """Plays games. `open_world` gives the live world of a location; `now`, `new_handle` and `new_seed` are its only
    chance; `judging` asks a model what a turn leaves to judge."""

    def __init__(
        self,
        store: Store,
        open_world: Callable[[Where], World],
        *,
        now: Callable[[], datetime],
        new_handle: Callable[[], str],
        new_seed: Callable[[], int],
        waiting: WaitingTurns | None = None,
        judging: Judging | None = None,
    ):
        self._store, self._open, self._waiting, self._judging = store, open_world, waiting, judging
        self._now, self._new_handle, self._new_seed = now, new_handle, new_seed
        self._seats: OrderedDict[tuple[str, str], Seat] = OrderedDict()
        self._asking: dict[str, asyncio.Future[Filled]] = {}
        """What a model is being asked for, by the turn's key."""
        self._turns = Turns(store, open_world, now)
        self.news = self._turns.news
        self.took = Histogram(
            "agent_execution_time_seconds", "A turn of a player, from the line to the durable answer."
        )

    @property
    def held(self) -> tuple[int, int]:
        """How many games this process holds in memory, and how many instances they have together."""
        return self._turns.size

    async def close(self) -> None:
        """Finishes the turns that were begun."""
        await self._turns.close()
        await self.news.close()

    def on_told(self, wake: Callable[[], None]) -> None:
        """`wake` is called after each commit that others are told of."""
        self._turns.wake.append(wake)

    # --- beginning

    async def start(
        self, where: Where, principal: str, *, name: str = "you", seed: int | None = None
    ) -> tuple[str, str]:
        """A new game, or a place in the shared one: the handle, and what the player reads first. Raises `WorldError`."""
        world, name = self._open(where), storable(name)
        await self._turns.refresh(world)
        player = await self._store.player(principal, name)
        if world.rulebook.settings.shared:
            seat = await self._join(world, principal, name, player.id, seed)
        else:
            seat = Seat(self._new_handle(), new_id(), player.id, "player", principal, name)
            state = world.session.referee.join(world.session.referee.new(), seat.instance, name)
            await self._create(world, seat.game, state, seed, (seat,))
        self._remember(seat)
        return seat.handle, opening(await self.game(seat.handle, principal))

    async def resume(self, where: Where, principal: str, name: str) -> str | None:
        """The handle of a principal's last game in a world."""
        for seat, game in await self._store.seats(principal, name=storable(name), world=where.location):
            if (game.revision, game.experience) == (where.revision, where.experience):
                return seat.handle
        return None

    async def game(self, handle: str, principal: str) -> Game:
        """The game as it stands; while the database is away, as this process knew it last, which is `stale`.

        Raises `NoSuchGame`, or `StoreAway` where this process does not know it.
        """
        seat = await self._seat(handle, principal)
        try:
            world, held = await self._turns.held(seat.game, True)
        except StoreAway:
            if seat.game not in self._turns:
                raise
            world, held = await self._turns.held(seat.game, False)
            note = f"The database does not answer: this is how it was after turn {held.record.version}."
            return replace(self._seen(world, held, seat), notes=(note,), stale=True)
        return self._seen(world, held, seat)

    async def _create(self, world: World, id: str, state: State, seed: int | None, seats: tuple[Seat, ...]) -> None:
        """Keeps a new game. Raises `Conflict` where the shared world's game is there already."""
        now = self._now()
        where = world.where
        record = GameRecord(
            id=id,
            world=where.location,
            seed=(self._new_seed() if seed is None else seed) % 2**63,
            commit=world.commit,
            version=0,
            hash=state.hash,
            head=parts.head(state),
            updated=now,
            revision=where.revision,
            experience=where.experience,
            scope=None if seats else experience_of(where),
        )
        held = Held(record, state)
        name = experience_of(where)
        started = [came("experience_started", name, seat, state, now) for seat in seats]
        progress = [progress_of(name, seat, None, held, now, turns=0, playtime=0.0) for seat in seats]
        new = Commit(record, NEW, whole(held), (), seats, progress=tuple(progress), events=tuple(started))
        await self._store.commit(replace(new, due=due(world, held, now)))
        self._turns.keep(held)

    async def _join(self, world: World, principal: str, name: str, player: str, seed: int | None) -> Seat:
        """A place in a shared world; the player's own where they have one already."""
        scope = experience_of(world.where)
        game = await self._store.shared(scope)
        if game is None:
            with suppress(Conflict):  # another worker was faster
                await self._create(world, new_id(), world.session.referee.new(), seed, ())
            game = await self._store.shared(scope)
            assert game is not None, "it was made just now, and games of shared worlds are not removed"
        known = next((seat for seat in await self._store.members(game) if seat.player == player), None)
        if known is not None:
            return known
        seat = Seat(self._new_handle(), game, player, f"player-{player[-12:]}", principal, name)

        async def join(world: World, held: Held) -> Step:
            settings, inputs = world.rulebook.settings, self._turns.inputs(held, None)
            if seat.instance in held.state.rows:
                return Step(held, None)
            if len(held.state.players) >= getattr(settings, "players", 100):
                raise GameError(f"{settings.name} is full: it takes {settings.players} players", "Come back later.")
            state = world.session.referee.join(held.state, seat.instance, name)
            made = Made("join", "", state, {}, _outcome("", 0, None), inputs, extra={"name": name})
            step = await self._turns.step(world, held, seat, made, f"join-{seat.handle}")
            started = came("experience_started", scope, seat, state, self._now())
            return replace(step, seats=(seat,), events=(started,))

        await self._turns.do(game, join, f"join-{seat.instance}")
        self._turns.forget_members(game)
        return next(each for each in await self._store.members(game) if each.player == player)

    # --- turns

    async def act(
        self,
        handle: str,
        principal: str,
        text: str = "",
        *,
        action: str = "",
        arguments: Mapping[str, Any] | None = None,
        key: str = "",
        now: datetime | None = None,
        wait: bool = False,
        filled: Filled = NOTHING,
    ) -> Reply:
        """A line of a player, or an action (a rule's id) with arguments, with what a model filled in it. With a key that is
        known, the stored answer.

        Raises `StoreAway` while the database is away; with `wait` the turn is kept on disk then, and done once it is back.
        """
        line = f"{action} {json.dumps(dict(arguments or {}))}" if action else text
        line, key = storable(line[:MAX_LINE]), storable(key) or new_id()
        begin = time.perf_counter()
        try:
            reply = await self._say(handle, principal, line, key, now, filled)
            self.took.observe(time.perf_counter() - begin)
            return reply
        except StoreAway:
            if not wait or self._waiting is None:
                raise
            filled = filled.checked()
            turn = {"handle": handle, "principal": principal, "line": line, "key": key}
            await self._waiting.put(turn | ({"filled": filled.dump()} if filled.dump() else {}))
            return Reply("This is done as soon as the database is back.", (), 0, None, 0, "", "waiting")

    async def catch_up(self) -> int:
        """Does the turns that waited for the database; how many."""
        if self._waiting is None:
            return 0
        return await self._waiting.drain(
            lambda turn: self._say(
                turn["handle"], turn["principal"], turn["line"], turn["key"], None, Filled.load(turn.get("filled", {}))
            )
        )

    async def consider(self, handle: str, principal: str, text: str, filled: Filled = NOTHING) -> tuple[Game, Said]:
        """What a line would lead to now, without doing it: who must ask a model asks it before the turn, so that nobody else
        waits for it. Judgements that it comes to are its outcomes' `asked`."""
        game = await self.game(handle, principal)
        inputs = self._turns.inputs(Held(game.record, game.state), None)
        return game, _said(game, storable(text[:MAX_LINE]), inputs, filled.checked())

    async def answered(self, handle: str, principal: str, key: str) -> Reply | None:
        """The stored answer of a turn with this key; None where there is none yet."""
        seat = await self._seat(handle, principal)
        turn = await self._store.by_key(seat.game, f"{seat.handle}:{storable(key)}")
        return _reply(turn) if turn else None

    async def _say(
        self, handle: str, principal: str, line: str, key: str, now: datetime | None, filled: Filled
    ) -> Reply:
        seat = await self._seat(handle, principal)
        filled = await self._judged(seat, line, key, now, filled.checked())

        async def say(world: World, held: Held, key: str) -> Step:
            game = self._seen(world, held, seat)
            inputs = self._turns.inputs(held, now)
            said = _said(game, line, inputs, filled)
            notes = (*held.notes, *self._turns.refusal(world, held.record.id))
            made = Made(
                "say",
                line,
                said.state,
                {seat.instance: said.dialogue.dump()},
                outcome_of(game, said, notes),
                inputs,
                said.outcomes,
                said.actions,
                extra=filled.dump(),
            )
            return await self._turns.step(world, held, seat, made, key)

        return _reply(await self._do(seat, say, key))

    async def _judged(self, seat: Seat, line: str, key: str, now: datetime | None, filled: Filled) -> Filled:
        """With a model's answers to what the line leaves to judge; before the turn, so that nobody else waits for them."""
        if self._judging is None or not judges((await self._turns.held(seat.game, False))[0]):
            return filled

        async def asked(filled: Filled) -> Sequence[Asked]:
            world, held = await self._turns.held(seat.game, True)
            came = _said(self._seen(world, held, seat), line, self._turns.inputs(held, now), filled)
            return [each for outcome in came.outcomes for each in outcome.asked]

        judging, full = self._judging, f"{seat.handle}:{key}"

        async def ask() -> Filled:
            if not await asked(filled) or await self._store.by_key(seat.game, full) is not None:
                return filled
            return await judging.judged(asked, filled, line, seat.principal)

        # A client that tries again before it has its answer shares it; one that goes away does not end it for the others.
        if full not in self._asking:
            self._asking[full] = asyncio.ensure_future(ask())
            self._asking[full].add_done_callback(lambda _: self._asking.pop(full, None))
        return await asyncio.shield(self._asking[full])

    async def _judged_tick(self, game: str) -> Filled:
        """As `_judged`, for what time alone leads to."""
        if self._judging is None or not judges((await self._turns.held(game, False))[0]):
            return NOTHING

        async def asked(filled: Filled) -> Sequence[Asked]:
            world, held = await self._turns.held(game, True)
            inputs = replace(self._turns.inputs(held, None), judged=filled.judged)
            if asleep(held, inputs.now):
                return ()
            outcome = world.session.referee.tick(held.state, inputs)
            return outcome.asked if outcome.status == "done" else ()

        return await self._judging.judged(asked, NOTHING, "", CLOCK, "background")

    async def undo(self, handle: str, principal: str, *, key: str = "") -> Reply:
        """Takes the last turn back; again, the one before it. Raises `GameError` at the start, and in a shared world. Keys as
        in `act`."""
        seat = await self._seat(handle, principal)

        async def back(world: World, held: Held, key: str) -> Step:
            record = held.record
            if record.scope is not None:
                raise GameError("What others may have seen cannot be undone", "Play on.")
            turns = await self._undoable(record)
            said, undo = turns[-1], turns[-1].undo
            former: dict[str, parts.Part | None] = dict(parts.parts(held.state))
            for turn in turns:
                former |= turn.undo["parts"]
            there = {id: part for id, part in former.items() if part is not None}
            state, _ = world.session.referee.load_parts(undo["head"], there)
            text = f"Undone: {said.text}"
            made = _replaced("undo", text, seat, state, undo["dialogue"], undo["last"], said.number)
            return await self._turns.step(world, held, seat, made, key)

        return _reply(await self._do(seat, back, key, alone=True))

    async def _undoable(self, record: GameRecord) -> list[TurnRecord]:
        """What an undo takes back: the last turn that was said, and before it in the list what time did since, which time
        will do again."""
        found: list[TurnRecord] = []
        last = record.last
        while last and (not found or found[-1].kind == "tick"):
            found += await self._store.turns(record.id, last - 1, until=last)
            last = found[-1].undo["last"] if found else 0
        if not found or found[-1].kind == "tick":
            raise GameError("There is nothing to undo", "Play on.")
        return found

    async def restore(self, handle: str, principal: str, name: str, *, key: str = "") -> Reply:
        """Puts the game back to a save. Raises `GameError` where there is none of this name, and in a shared world. Keys as
        in `act`."""
        seat, name = await self._seat(handle, principal), storable(name)

        async def back(world: World, held: Held, key: str) -> Step:
            if held.record.scope is not None:
                raise GameError("A world that is shared is not put back by one of its players", "Play on.")
            saved = await self._saved(seat.game, name)
            then = read(saved, world.session)
            dialogue = then.dialogues.get(seat.instance, {})
            last, version = saved.game.last, saved.game.version
            made = _replaced("restore", f"Restored: {name}", seat, then.state, dialogue, last, version)
            return await self._turns.step(world, held, seat, made, key)

        return _reply(await self._do(seat, back, key))

    async def reset(self, handle: str, principal: str, *, key: str = "") -> Reply:
        """Begins anew at this seat: one's own world, of which a backup is kept, or one's place in a shared one. Keys as in
        `act`."""
        seat, at = await self._seat(handle, principal), self._now()

        async def begin(world: World, held: Held, key: str) -> Step:
            record, players = held.record, resets.inputs((seat,))
            name = await resets.back_up(self._store, held, at) if record.scope is None else ""
            state = resets.begun(world.session, held.state, seat.instance, players, shared=record.scope is not None)
            text = f"Begun anew. As it was before, it is kept as {name}" if name else "Begun anew"
            made = _replaced("reset", text, seat, state, {}, 0, record.version)
            step = await self._turns.step(world, held, seat, replace(made, extra=players), key)
            return replace(step, events=(came("experience_reset", experience_of(world.where), seat, state, at),))

        turn = await self._do(seat, begin, key)
        await self._store.audit(seat.player, "reset", seat.game, {"turn": turn.number})
        return _reply(turn)

    async def reset_world(self, where: Where, actor: str, role: str) -> str:
        """Begins a shared world anew for everyone in it; the name of the backup. `actor` is a player's id or `operator`.
        Raises `GameError` for other roles than `gm` and `admin`, and where nobody has played there."""

        async def fresh(world: World, held: Held, players: Json) -> tuple[State, int]:
            return resets.begun(world.session, held.state, "", players, shared=True), held.record.version

        return await self._for_everyone(where, actor, role, "reset", "The world begins anew", fresh)

    async def restore_world(self, where: Where, actor: str, role: str, name: str) -> str:
        """Puts a shared world back to a save or backup, for those who are there now; as `reset_world`."""

        async def former(world: World, held: Held, players: Json) -> tuple[State, int]:
            saved = await self._saved(held.record.id, name)
            state = read(saved, world.session).state
            return resets.with_members(world.session, state, players), saved.game.version

        return await self._for_everyone(where, actor, role, "restore", "The world is as it was before", former)

    async def _for_everyone(
        self,
        where: Where,
        actor: str,
        role: str,
        kind: Kind,
        text: str,
        find: Callable[[World, Held, Json], Awaitable[tuple[State, int]]],
    ) -> str:
        if role not in resets.ROLES:
            raise GameError("A shared world belongs to everyone in it", "A gm or an admin may do this.")
        experience = experience_of(where)
        game, at = await self._store.shared(experience), self._now()
        if game is None:
            raise GameError("Nobody has played in this world yet", "Play there first.")
        name = ""

        async def begin(world: World, held: Held) -> Step:
            nonlocal name
            members = await self._store.members(game)
            players = resets.inputs(members)
            name = await resets.back_up(self._store, held, at)
            state, back = await find(world, held, players)
            dialogues: dict[str, Json] = {seat.instance: {} for seat in members}
            inputs, outcome = Inputs(state.rows["world"]["time"]), _outcome("", 0, None)
            made = Made(kind, text, state, dialogues, outcome, inputs, extra={**players, "back": back})
            step = await self._turns.step(world, held, None, made, new_id())
            progress = [progress_of(experience, seat, None, step.held, at, turns=0, playtime=0.0) for seat in members]
            events = [came(f"experience_{kind}", experience, seat, state, at) for seat in members]
            return replace(step, progress=tuple(progress), events=tuple(events))

        turn = await self._turns.do(game, begin, new_id())
        await self._store.audit(actor, kind, game, {"turn": turn.number if turn else 0})
        return name

    async def save(self, handle: str, principal: str, name: str) -> None:
        """Keeps the game as it is under a name."""
        seat = await self._seat(handle, principal)
        loaded = await self._store.load(seat.game)
        assert loaded is not None, "no version was named as known"
        await self._store.save(storable(name), loaded)

    async def leave(self, handle: str, principal: str) -> None:
        """Gives up the place in a shared world; what is the world's stays there. Raises `GameError` elsewhere."""
        seat = await self._seat(handle, principal)

        async def go(world: World, held: Held, key: str) -> Step:
            if held.record.scope is None:
                raise GameError("Nobody else is in this world", "Start another game.")
            state = world.session.referee.leave(held.state, seat.instance)
            made = Made("leave", "", state, {}, _outcome("", 0, None), self._turns.inputs(held, None))
            return replace(await self._turns.step(world, held, seat, made, key), left=(seat.handle,), progress=())

        await self._do(seat, go)
        self._seats.pop((handle, principal), None)
        self._turns.forget_members(seat.game)

    async def tick(self, game: str) -> datetime | None:
        """Runs what is due in a world on a real clock; when it is due next."""
        filled = await self._judged_tick(game)

        async def wait(world: World, held: Held) -> Step:
            inputs = replace(self._turns.inputs(held, None), judged=filled.judged)
            if asleep(held, inputs.now):
                return Step(held, None)
            outcome = world.session.referee.tick(held.state, inputs)
            if outcome.status == "refused":
                raise GameError(
                    f"Time cannot pass in {world.rulebook.settings.name}: {outcome.reason}", "Mend the rule."
                )
            if outcome.state.hash == held.state.hash and not outcome.messages:
                return Step(held, None)
            told = ticked(world.commit, outcome)
            made = Made("tick", "", outcome.state, {}, told, inputs, (outcome,), extra=filled.dump())
            return await self._turns.step(world, held, None, made, f"tick-{held.record.version}")

        await self._turns.do(game, wait, "tick")
        world, held = await self._turns.held(game, False)
        return due(world, held, self._now())

    # --- looking

    async def observe(self, handle: str, principal: str, since: int | None = None) -> dict[str, Any]:
        """What the player perceives and what could be done (`legal`; `<…>` stands for a value to give). With `since`, the
        turns after that one that the player took or that told them something, of the `MAX_SINCE` turns that followed it;
        where there are later ones, `next` is what to ask for them with."""
        game = await self.game(handle, principal)
        turn = game.record.version
        since = turn if since is None or game.stale else since
        until = min(turn, since + MAX_SINCE)
        turns = await self._store.turns(game.record.id, since, until=until) if since < turn else ()
        heard = [(each, _heard(each, game.player)) for each in turns]
        return {
            "turn": turn,
            "perceived": view(game.world.session, game.state, game.player),
            "legal": [
                *legal(game.world.session, game.state, game.player, 40),
                *templates(game.world.session, game.state, game.player, 20),
            ],
            "since": [{"turn": each.number, **told} for each, told in heard if told is not None],
            "next": until if until < turn else None,
            "notes": [*game.notes, *refusal(game.world)],
        }

    async def explored(self, handle: str, principal: str) -> list[dict[str, Any]]:
        """The places that the player has been to: see `kb.view.explored`."""
        game = await self.game(handle, principal)
        return explored(game.world.session, game.state, game.player)

    async def completions(self, handle: str, principal: str, begin: str) -> list[str]:
        """What goes on from what a player has typed: see `kb.view.completions`."""
        game = await self.game(handle, principal)
        return completions(game.world.session, game.state, game.player, begin)

    async def mine(self, principal: str, limit: int) -> Sequence[tuple[Seat, GameRecord]]:
        """A principal's places in games, the one that was played last first."""
        return await self._store.seats(storable(principal), limit=limit)

    async def listen(
        self, handle: str, principal: str, since: int | None = None, at: int | None = None, *, poll: float = POLL
    ) -> AbstractAsyncContextManager[AsyncIterator[Heard]]:
        """What the player hears from others and from time after turn `since` (now), or place `at` in it: see
        `agents.hearing`."""
        seat = await self._seat(handle, principal)
        if since is None:
            since = (await self.game(handle, principal)).record.version
        return listening(self._store, seat, since, at, poll=poll)

    async def lately(self, handle: str, principal: str) -> list[str]:
        """Who came and went where the player is, oldest first; in a shared world. Nothing where nobody can tell."""
        game = await self.game(handle, principal)
        place = game.state.rows[game.player]["location"]
        try:
            events = await self._store.channels.recent(f"room:{game.record.id}:{place}")
        except ChannelsAway:
            return []
        return [each["text"] for each in events]

    async def why(self, handle: str, principal: str, turn: int | None = None) -> dict[str, Any]:
        """Which lines decided a turn of the player (the last one that was said): `turn`, `said`, `commit`, and per action
        its `status`, `rule`, `reason` and `lines`, each with `at` (`path:line@commit`) and `value`; the calls to `models` that
        filled its typed holes (see `Filled.by`), what those read (`cited`) and, where a model read the line, what it was
        `understood_as`. Raises `GameError`."""
        seat = await self._seat(handle, principal)
        said = [
            each
            for each in await self._store.turns(seat.game, 0 if turn is None else turn - 1)
            if each.kind == "say" and each.instance == seat.instance and turn in (None, each.number)
        ]
        if not said:
            what = "Nothing was said yet" if turn is None else f"You took no turn {turn}"
            raise GameError(what, "Say something first.")
        chosen = said[-1]
        actions = [
            {name: action[name] for name in ("status", "rule", "reason", "lines")}
            for action in chosen.outcome["actions"]
        ]
        told = {"turn": chosen.number, "said": chosen.text, "commit": chosen.commit, "actions": actions}
        filled = Filled.load(chosen.inputs)
        understood = {"understood_as": filled.said_as} if filled.said_as else {}
        return {**told, **understood, "models": list(filled.by), "cited": list(filled.cited)}

    async def transcript(self, handle: str, principal: str, limit: int | None = None) -> list[tuple[str, str]]:
        """Everything that the player said, with its answer; with a limit, among so many of the game's last turns."""
        seat = await self._seat(handle, principal)
        turns = await self._store.turns(seat.game, limit=limit)
        return [(turn.text, turn.outcome["text"]) for turn in turns if turn.instance == seat.instance]

    # --- what a turn is made of

    async def _do(
        self,
        seat: Seat,
        resolve: Callable[[World, Held, str], Awaitable[Step]],
        key: str = "",
        *,
        alone: bool = False,
    ) -> TurnRecord:
        """Does something at a seat. The key of a client counts for its seat."""
        full = f"{seat.handle}:{key}" if key else new_id()

        async def run(world: World, held: Held) -> Step:
            if seat.instance not in held.state.rows:
                raise NoSuchGame(f"{seat.name} is not in this game any more")
            return await resolve(world, held, full)

        try:
            turn = await self._turns.do(seat.game, run, full, alone=alone)
        except (GameError, NoSuchGame):
            # What was done before can perhaps not be done again.
            turn = await self._store.by_key(seat.game, full) if key else None
            if turn is None:
                raise
        assert turn is not None, "what is done at a seat is always stored"
        return turn

    async def _saved(self, game: str, name: str) -> Loaded:
        saved = await self._store.saved(game, name)
        if saved is None:
            known = ", ".join(await self._store.saves(game)) or "none"
            raise GameError(f"There is no save {name!r}", f"Saved are: {known}.")
        return saved

    async def _seat(self, handle: str, principal: str) -> Seat:
        """The seat of a handle, which never changes while it is there."""
        seat = self._seats.get((handle, principal))
        if seat is None:
            seat = await self._store.seat(storable(handle), storable(principal))
            self._remember(seat)
        return seat

    def _remember(self, seat: Seat) -> None:
        self._seats[seat.handle, seat.principal] = seat
        while len(self._seats) > MAX_SEATS:
            self._seats.popitem(last=False)

    def _seen(self, world: World, held: Held, seat: Seat) -> Game:
        if seat.instance not in held.state.rows:
            raise NoSuchGame(f"{seat.name} is not in this game any more")
        dialogue = Dialogue.load(held.dialogues.get(seat.instance, {}))
        return Game(world, held.state, held.record, seat, dialogue, held.notes)


def opening(game: Game) -> str:
    """The introduction and a first look around."""
    settings, referee = game.world.rulebook.settings, game.world.session.referee
    frame = referee.frame(game.state, game.player)
    looked = referee.resolve(game.state, game.player, Action("look"), Inputs(settings.begins))
    seen = looked.text if looked.status == "done" else ""
    return "\n\n".join(part for part in (settings.name, settings.intro(frame), seen) if part)


def _said(game: Game, line: str, inputs: Inputs, filled: Filled) -> Said:
    """A line, as a model may have read it, by the rules that are live."""
    return filled.said(game.world.session, game.state, game.player, line, game.dialogue, inputs)


def judges(world: World) -> bool:
    """Whether anything is left to judgement in it."""
    return any(agent.judgements for agent in world.rulebook.agents.values())


def _replaced(kind: Kind, text: str, seat: Seat, state: State, dialogue: Json, last: int, back: int) -> Made:
    """`back` is recorded for replay: the turn that was undone, the version that was restored."""
    row = state.rows[seat.instance]
    outcome = _outcome(f"{text}.", row["score"], row["ended"] or None)
    inputs = Inputs(state.rows["world"]["time"])
    return Made(kind, text, state, {seat.instance: dialogue}, outcome, inputs, extra={"back": back}, last=last)


def _outcome(text: str, score: int, ended: str | None) -> Json:
    """The outcome of a turn in which no rule was asked."""
    return {"text": text, "changes": [], "score": score, "ended": ended, "status": "done", "notes": [], "actions": []}


def _heard(turn: TurnRecord, player: str) -> Json | None:
    """A turn as a player knows it: their own, or what others' turns told them."""
    if turn.instance == player and turn.kind != "join":
        return {"said": turn.text, "text": turn.outcome["text"]}
    told = [each["text"] for each in turn.outcome.get("heard", ()) if each["to"] == player]
    return {"said": "", "text": "\n".join(told)} if told else None


def _reply(turn: TurnRecord) -> Reply:
    outcome = turn.outcome
    return Reply(
        text=outcome["text"],
        changes=tuple(outcome["changes"]),
        score=outcome["score"],
        ended=outcome["ended"],
        turn=turn.number,
        state_hash=turn.hash_after,
        status=outcome["status"],
        notes=tuple(outcome["notes"]),
        models=Filled.load(turn.inputs).by,
    )
