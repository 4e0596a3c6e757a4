"""Owns the referee service: load a game, resolve what is said, commit it; explain, undo, save and restore.

`GameService(store, open_world, …)`. Everything that a turn needs to be replayed is stored with it. It must not know
transports.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from agents.record import outcome_of
from agents.worlds import Where, World
from kb import report
from kb.referee import Action, Inputs, NotAState, State
from kb.understand import Dialogue
from kb.view import legal, view
from storage import Conflict, GameRecord, Store, TurnRecord, apply, diff

MAX_TRIES = 5
MAX_LINE = 20_000
"""How much of a line is read and stored."""
MAX_STATES = 256
POLL = timedelta(seconds=60)
"""How long a remote repository is not asked again whether it moved."""


class GameError(Exception):
    """The game cannot do what was asked: `args[0]` says what, `hint` what to do."""

    def __init__(self, message: str, hint: str):
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Game:
    """A game as it stands under the rules that are live. `notes` tell what became of the rules meanwhile."""

    world: World
    state: State
    record: GameRecord
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What one turn led to. `changes` are all of them; those that the player could see have `"seen": true`."""

    text: str
    changes: tuple[dict[str, Any], ...]
    score: int
    ended: str | None
    turn: int
    state_hash: str
    status: Literal["done", "refused", "question", "not-understood"]
    notes: tuple[str, ...] = ()


class GameService:
    """Plays games. `open_world` gives the live world of a location; `now`, `new_id` and `new_seed` are its only chance."""

    def __init__(
        self,
        store: Store,
        open_world: Callable[[Where], World],
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        new_seed: Callable[[], int],
    ):
        self._store, self._open = store, open_world
        self._now, self._new_id, self._new_seed = now, new_id, new_seed
        self._states: OrderedDict[str, tuple[int, State]] = OrderedDict()
        self._asked: dict[Where, datetime] = {}
        self._told: dict[str, str] = {}

    # --- beginning

    async def start(
        self, where: Where, principal: str, *, name: str = "you", seed: int | None = None
    ) -> tuple[str, str]:
        """A new game: its handle, and what the player reads first. Raises `WorldError`."""
        world = self._open(where)
        await self._refresh(world)
        referee = world.session.referee
        state = referee.join(referee.new(), "player", name)
        record = GameRecord(
            id=self._new_id(),
            principal=principal,
            world=where.location,
            player="player",
            name=name,
            commit=world.commit,
            seed=self._new_seed() if seed is None else seed,
            version=0,
            state=state.dump(),
            revision=where.revision,
            experience=where.experience,
            updated=self._now().isoformat(),
        )
        await self._store.create(record)
        self._keep(record, state)
        return record.id, opening(Game(world, state, record))

    async def resume(self, where: Where, principal: str, name: str) -> str | None:
        """The handle of a principal's last game in a world."""
        for game in await self._store.games(principal, world=where.location):
            if (game.revision, game.experience, game.name) == (where.revision, where.experience, name):
                return game.id
        return None

    async def game(self, handle: str, principal: str) -> Game:
        """The game as it stands. Raises `NoSuchGame`."""
        return await self._live(await self._store.load(handle, principal))

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
    ) -> Reply:
        """A line of a player, or an action (a rule's id) with arguments. With a key that is known, the stored answer."""
        line = f"{action} {json.dumps(dict(arguments or {}))}" if action else text
        line = line[:MAX_LINE]
        for _ in range(MAX_TRIES):
            record = await self._store.load(handle, principal)
            if key and (known := await self._store.by_key(handle, key)) is not None:
                return _reply(known)
            game = await self._live(record)
            number = record.version + 1
            inputs = Inputs(now or self._now(), record.seed * 1_000_003 + number)
            said = game.world.session.say(game.state, record.player, line, Dialogue.load(record.dialogue), inputs)
            notes = (*game.notes, *self._refusal(game))
            after = record.with_(
                version=number,
                commit=game.world.commit,
                state=said.state.dump(),
                dialogue=said.dialogue.dump(),
                last=number,
                updated=self._now().isoformat(),
            )
            turn = TurnRecord(
                number=number,
                text=line,
                commit=game.world.commit,
                inputs={"now": inputs.now.isoformat(), "seed": inputs.seed},
                outcome=outcome_of(game, said, notes),
                hash_before=game.state.hash,
                hash_after=said.state.hash,
                key=key,
                undo=diff(_undoable(after), _undoable(record)),
            )
            try:
                stored = await self._store.commit(after, turn)
            except Conflict:
                continue
            if stored is turn:
                self._keep(after, said.state)
            return _reply(stored)
        raise Conflict("the game is being played elsewhere at the same time")

    async def undo(self, handle: str, principal: str) -> Reply:
        """Takes the last turn back; again, the one before it. Raises `GameError` at the start."""
        record = await self._store.load(handle, principal)
        turns = await self._store.turns(handle, record.last - 1)
        if not record.last or not turns:
            raise GameError("There is nothing to undo", "Play on.")
        back = apply(_undoable(record), turns[0].undo)
        said = turns[0].text
        return await self._replace(record, record.with_(**back), "undo", f"Undone: {said}")

    async def restore(self, handle: str, principal: str, name: str) -> Reply:
        """Puts the game back to a save. Raises `GameError` where there is none of this name."""
        record = await self._store.load(handle, principal)
        saved = await self._store.saved(handle, name)
        if saved is None:
            known = ", ".join(await self._store.saves(handle)) or "none"
            raise GameError(f"There is no save {name!r}", f"Saved are: {known}.")
        back = record.with_(**_undoable(saved), commit=saved.commit)
        return await self._replace(record, back, "restore", f"Restored: {name}")

    async def _replace(
        self, record: GameRecord, back: GameRecord, kind: Literal["undo", "restore"], text: str
    ) -> Reply:
        number = record.version + 1
        back = back.with_(version=number, updated=self._now().isoformat())
        before, after = await self._live(record), await self._live(back)
        row = after.state.rows[record.player]
        outcome = {
            "text": f"{text}.",
            "changes": [],
            "score": row["score"],
            "ended": row["ended"] or None,
            "status": "done",
            "notes": list(after.notes),
            "actions": [],
        }
        turn = TurnRecord(
            number=number,
            text=text,
            commit=after.world.commit,
            inputs={},
            outcome=outcome,
            hash_before=before.state.hash,
            hash_after=after.state.hash,
            kind=kind,
        )
        return _reply(await self._store.commit(back, turn))

    async def save(self, handle: str, principal: str, name: str) -> None:
        """Keeps the game as it is under a name."""
        await self._store.save(handle, name, await self._store.load(handle, principal))

    # --- looking

    async def observe(self, handle: str, principal: str, since: int = 0) -> dict[str, Any]:
        """What the player perceives, what could be done (`legal`), and the turns after `since` (at most the last 50)."""
        game = await self.game(handle, principal)
        turns = await self._store.turns(handle, since)
        return {
            "turn": game.record.version,
            "perceived": view(game.world.session, game.state, game.record.player),
            "legal": legal(game.world.session, game.state, game.record.player, 40),
            "since": [{"turn": t.number, "said": t.text, "text": t.outcome["text"]} for t in turns[-50:]],
            "notes": [*game.notes, *refusal(game.world)],
        }

    async def why(self, handle: str, principal: str, turn: int | None = None) -> dict[str, Any]:
        """Which lines decided a turn (the last one that was said): `turn`, `said`, `commit`, and per action its `status`,
        `rule`, `reason` and `lines`, each with `at` (`path:line@commit`) and `value`. Raises `GameError`."""
        await self._store.load(handle, principal)
        turns = [t for t in await self._store.turns(handle) if t.kind == "say" and turn in (None, t.number)]
        if not turns:
            what = "Nothing was said yet" if turn is None else f"There is no turn {turn}"
            raise GameError(what, "Say something first.")
        chosen = turns[-1]
        actions = [
            {name: action[name] for name in ("status", "rule", "reason", "lines")}
            for action in chosen.outcome["actions"]
        ]
        return {"turn": chosen.number, "said": chosen.text, "commit": chosen.commit, "actions": actions}

    async def transcript(self, handle: str, principal: str) -> list[tuple[str, str]]:
        """Everything that was said, with its answer."""
        await self._store.load(handle, principal)
        return [(turn.text, turn.outcome["text"]) for turn in await self._store.turns(handle)]

    # --- rules that change

    async def _refresh(self, world: World) -> None:
        if not world.remote:
            world.refresh()
            return
        now = self._now()
        asked = self._asked.setdefault(world.where, now)
        if now - asked >= POLL:
            self._asked[world.where] = now
            await asyncio.to_thread(world.refresh)

    async def _live(self, record: GameRecord) -> Game:
        """A stored game under the rules that are live; its state is carried over where they changed."""
        world = self._open(Where(record.world, record.revision, record.experience))
        await self._refresh(world)
        notes: tuple[str, ...] = ()
        if record.commit != world.commit:
            notes = (f"The rules changed (commit {world.commit[:14]}).",)
        version, state = self._states.get(record.id, (-1, None))
        if state is not None and version == record.version and state.rulebook is world.rulebook:
            return Game(world, state, record, notes)
        try:
            state, lost = world.session.referee.load(record.state)
        except NotAState as error:
            raise GameError(f"The kept game {record.id!r} cannot be read: {error}", "Start a new one.") from None
        return Game(world, state, record, (*notes, *(f"{each}." for each in lost[:5])))

    def _refusal(self, game: Game) -> tuple[str, ...]:
        """What is wrong with newer rules, told once to each game."""
        notes = refusal(game.world)
        told = "\n".join(notes)
        if self._told.get(game.record.id, "") == told:
            return ()
        self._told[game.record.id] = told
        return notes

    def _keep(self, record: GameRecord, state: State) -> None:
        self._states[record.id] = (record.version, state)
        self._states.move_to_end(record.id)
        while len(self._states) > MAX_STATES:
            self._told.pop(self._states.popitem(last=False)[0], None)


def opening(game: Game) -> str:
    """The introduction and a first look around."""
    settings, referee = game.world.rulebook.settings, game.world.session.referee
    frame = referee.frame(game.state, game.record.player)
    looked = referee.resolve(game.state, game.record.player, Action("look"), Inputs(settings.begins))
    seen = looked.text if looked.status == "done" else ""
    return "\n\n".join(part for part in (settings.name, settings.intro(frame), seen) if part)


def refusal(world: World) -> tuple[str, ...]:
    """What keeps newer rules out, and that the last good ones go on."""
    if world.refused is None:
        return ()
    shown = report.text(world.refused.problems[:5])
    more = len(world.refused.problems) - 5
    head = f"{world.refused}: the new pages stay out, and commit {world.commit[:14]} goes on."
    return (head, *shown.splitlines(), *([f"… and {more} more."] if more > 0 else []))


def _undoable(record: GameRecord) -> dict[str, Any]:
    """The part of a game that `undo` and `restore` put back."""
    return {"state": record.state, "dialogue": record.dialogue, "last": record.last}


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
    )
