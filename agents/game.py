"""Owns the referee service: load a game, resolve what is said, commit it; explain, undo, save and restore.

`GameService(store, worlds=…)`. Everything that a turn needs to be replayed is stored with it. It must not know transports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agents.worlds import World
from kb.referee import Action, Inputs, Outcome, State
from kb.session import Said
from kb.understand import Dialogue
from kb.view import legal, view
from storage import Conflict, GameRecord, Store, TurnRecord

MAX_TRIES = 5


@dataclass(frozen=True, slots=True)
class Reply:
    """What one line led to. `notes` tell of new rules; `record` is the stored turn, None where nothing was done."""

    text: str
    changes: tuple[dict[str, Any], ...]
    score: int
    ended: str | None
    turn: int
    state_hash: str
    status: str
    """done | refused | question | not-understood"""
    notes: tuple[str, ...] = ()


class GameService:
    """Plays games. `open_world` gives the live world of a location; `now`, `new_id` and `new_seed` are its only chance."""

    def __init__(
        self,
        store: Store,
        open_world: Callable[[str], World],
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        new_seed: Callable[[], int],
    ):
        self._store, self._open = store, open_world
        self._now, self._new_id, self._new_seed = now, new_id, new_seed
        self._states: dict[str, tuple[int, State]] = {}

    async def start(
        self, location: str, principal: str, *, player: str = "player", seed: int | None = None
    ) -> tuple[str, str]:
        """A new game: its handle, and what the player reads first."""
        world = self._open(location)
        referee = world.session.referee
        state = referee.join(referee.new(), "player", player)
        record = GameRecord(
            id=self._new_id(),
            principal=principal,
            world=location,
            player="player",
            commit=world.checked.commit,
            seed=self._new_seed() if seed is None else seed,
            version=0,
            state=state.dump(),
        )
        await self._store.create(record)
        self._states[record.id] = (0, state)
        return record.id, self.opening(world, state)

    def opening(self, world: World, state: State) -> str:
        """The introduction and a first look around."""
        settings = world.session.rulebook.settings
        frame = world.session.referee.frame(state, "player")
        looked = world.session.referee.resolve(state, "player", Action("look"), Inputs(settings.begins))
        seen = looked.text if looked.status == "done" else ""
        return "\n\n".join(part for part in (settings.name, settings.intro(frame), seen) if part)

    async def resume(self, principal: str, location: str, player: str) -> GameRecord | None:
        """The last game of a principal in a world."""
        games = [game for game in await self._store.games(principal) if game.world == location]
        named = [
            game
            for game in games
            if game.state["instances"].get(game.player, {}).get("fields", {}).get("name") == player
        ]
        return named[-1] if named else None

    async def act(self, handle: str, principal: str, line: str, *, key: str = "", now: datetime | None = None) -> Reply:
        """One line of a player. With a key that is known, the stored answer."""
        for _ in range(MAX_TRIES):
            if key and (known := await self._store.by_key(handle, key)) is not None:
                return _reply(known.outcome)
            record = await self._store.load(handle, principal)
            world, state, notes = self._live(record)
            number = record.version + 1
            inputs = Inputs(now or self._clock(world), record.seed * 1_000_003 + number)
            said = world.session.say(state, record.player, line, Dialogue.load(record.dialogue), inputs)
            outcome = self._outcome(world, record, said, number, notes)
            turn = TurnRecord(
                number, line, world.checked.commit, {"now": inputs.now.isoformat(), "seed": inputs.seed}, outcome,
                said.state.hash, key,
            )  # fmt: skip
            after = record.with_(
                version=number,
                commit=world.checked.commit,
                state=said.state.dump(),
                dialogue=said.dialogue.dump(),
            )
            try:
                stored = await self._store.commit(after, turn)
            except Conflict:
                continue
            self._states[handle] = (number, said.state)
            return _reply(stored.outcome)
        raise Conflict("the game is being played elsewhere at the same time")

    def _clock(self, world: World) -> datetime:
        return self._now() if world.session.rulebook.settings.clock is None else world.session.rulebook.settings.begins

    def _live(self, record: GameRecord) -> tuple[World, State, tuple[str, ...]]:
        """The world as it is now and the game's state under it; notes tell what a new commit changed."""
        world = self._open(record.world)
        notes: list[str] = []
        if world.refresh():
            notes.append(f"(The rules changed: {world.checked.commit[:12]}.)")
        elif world.problems:
            first = world.problems[0]
            notes.append(f"(New pages stay out: {len(world.problems)} problems, first {first.span} {first.message})")
        cached = self._states.get(record.id)
        if cached is not None and cached[0] == record.version and cached[1].shape is world.session.referee.shape:
            return world, cached[1], tuple(notes)
        state, lost = world.session.referee.load(record.state)
        notes += [f"({each}.)" for each in lost[:5]]
        return world, state, tuple(notes)

    def _outcome(
        self, world: World, record: GameRecord, said: Said, number: int, notes: tuple[str, ...]
    ) -> dict[str, Any]:
        row = said.state.rows[record.player]
        status = "question" if said.question else "not-understood" if not said.understood else "done"
        if said.outcomes and all(outcome.status == "refused" for outcome in said.outcomes):
            status = "refused"
        return {
            "text": said.text,
            "changes": [_change(said.state, change) for outcome in said.outcomes for change in outcome.changes],
            "score": row["score"],
            "ended": row["ended"] or None,
            "turn": number,
            "state_hash": said.state.hash,
            "status": status,
            "notes": list(notes),
            "decided": [decided(world, outcome) for outcome in said.outcomes],
        }

    async def observe(self, handle: str, principal: str, since: int = 0) -> dict[str, Any]:
        """What the player perceives, what could be done, and the turns after `since`."""
        record = await self._store.load(handle, principal)
        world, state, notes = self._live(record)
        turns = await self._store.turns(handle, since)
        return {
            **view(world.session, state, record.player),
            "turn": record.version,
            "legal": legal(world.session, state, record.player, 40),
            "since": [{"turn": turn.number, "said": turn.text, "text": turn.outcome["text"]} for turn in turns[-50:]],
            "notes": list(notes),
        }

    async def why(self, handle: str, principal: str, turn: int | None = None) -> list[dict[str, Any]]:
        """Which lines decided a turn: per action its status, rule, reason, and each line with its value."""
        await self._store.load(handle, principal)
        turns = await self._store.turns(handle)
        chosen = turns[-1] if turn is None and turns else next((t for t in turns if t.number == turn), None)
        return chosen.outcome["decided"] if chosen is not None else []

    async def state(self, handle: str, principal: str) -> tuple[World, State, GameRecord]:
        """The live state, for tools that run beside the player."""
        record = await self._store.load(handle, principal)
        world, state, _ = self._live(record)
        return world, state, record

    async def transcript(self, handle: str, principal: str) -> list[tuple[str, str]]:
        """Everything said and answered."""
        await self._store.load(handle, principal)
        return [(turn.text, turn.outcome["text"]) for turn in await self._store.turns(handle)]

    async def save(self, handle: str, principal: str, name: str) -> None:
        """Keeps the game as it is under a name."""
        await self._store.save(handle, name, await self._store.load(handle, principal))

    async def restore(self, handle: str, principal: str, name: str) -> bool:
        """Puts the game back to a save; False where there is none of this name."""
        record, saved = await self._store.load(handle, principal), await self._store.saved(handle, name)
        if saved is None:
            return False
        await self._store.replace(saved.with_(version=record.version + 1))
        return True


def decided(world: World, outcome: Outcome) -> dict[str, Any]:
    """An outcome's trace as data, each line with the commit that it stands at."""
    commit = world.checked.commit
    return {
        "status": outcome.status,
        "rule": outcome.rule,
        "reason": outcome.reason,
        "lines": [
            {
                "kind": line.kind,
                "at": f"{line.span.path}:{line.span.line}@{commit[:12]}",
                "text": line.text,
                "value": line.value,
            }
            for line in outcome.trace
        ],
    }


def _change(state: State, change: Any) -> dict[str, Any]:
    plain = {name: _json(value) for name, value in (("before", change.before), ("after", change.after))}
    name = state.rows[change.id].get("name", change.id) if change.id in state.rows else change.id
    return {"what": name, "field": change.field, **plain}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return [_json(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, Mapping):
        return {str(key): _json(each) for key, each in value.items()}  # pyright: ignore
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _reply(outcome: Mapping[str, Any]) -> Reply:
    return Reply(
        outcome["text"], tuple(outcome["changes"]), outcome["score"], outcome["ended"], outcome["turn"],
        outcome["state_hash"], outcome["status"], tuple(outcome["notes"]),
    )  # fmt: skip
