"""Owns how the games of a `Store` become replay's records.

`StoredGames(store, principals)` is an `Archive`. It must not know rules.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from agents.replay.recorded import Head, Recorded, Snapshot, Tape, Wanted
from agents.worlds import Where
from storage import GameRecord, NoSuchGame, Store, TurnRecord


class StoredGames:
    """The games that a store keeps for some principals. A player is `principal:name`; either part alone names them too."""

    def __init__(self, store: Store, principals: Sequence[str]):
        self._store, self._principals = store, principals

    async def heads(self, wanted: Wanted) -> AsyncIterator[Head]:
        world = wanted.world.location if wanted.world else None
        for principal in self._principals:
            for game in sorted(await self._store.games(principal, world=world, limit=2**31), key=lambda each: each.id):
                names = (None, game.principal, game.name, _player(game))
                late = wanted.since is None or not game.updated or datetime.fromisoformat(game.updated) >= wanted.since
                if wanted.player in names and late:
                    yield Head(game.id, Where(game.world, game.revision, game.experience), game.version)

    async def tape(self, head: Head) -> Tape:
        record = await self._load(head.id)
        saves = [await self._store.saved(head.id, name) for name in await self._store.saves(head.id)]
        return tape_of(record, await self._store.turns(head.id), [each for each in saves if each is not None])

    async def _load(self, id: str) -> GameRecord:
        for principal in self._principals:
            with suppress(NoSuchGame):
                return await self._store.load(id, principal)
        raise NoSuchGame(f"there is no game {id!r}")

    async def close(self) -> None:
        return


def tape_of(record: GameRecord, turns: Sequence[TurnRecord], saves: Iterable[GameRecord] = ()) -> Tape:
    """A game's turns after a `join` that is not stored: it is taken to have happened under the first turn's commit."""
    kept = {each.version: each for each in saves}
    snapshots = {version: Snapshot(each.state, {each.player: each.dialogue}) for version, each in kept.items()}
    commit = turns[0].commit if turns else record.commit
    joined = Recorded(
        game=record.id,
        number=0,
        kind="join",
        player=_player(record),
        instance=record.player,
        text="",
        commit=commit,
        inputs={"name": record.name},
        hash_before="",
        hash_after="",
        outcome={},
    )
    said = [
        Recorded(
            game=record.id,
            number=turn.number,
            kind=turn.kind,
            player=_player(record),
            instance=record.player,
            text=turn.text,
            commit=turn.commit,
            inputs=turn.inputs,
            hash_before=turn.hash_before,
            hash_after=turn.hash_after,
            outcome=turn.outcome,
        )
        for turn in turns
    ]
    return Tape(_each([joined, *said]), _backs(turns, kept), snapshots)


def _backs(turns: Sequence[TurnRecord], saves: Mapping[int, GameRecord]) -> dict[int, int]:
    """Where each undo and restore went back to. `last` of a version is the number of the turn that an undo there takes
    back; a save that was replaced since is found by its hash."""
    backs: dict[int, int] = {}
    last, hashes = {0: 0}, {0: turns[0].hash_before if turns else ""}
    for turn in turns:
        number = turn.number
        if turn.kind == "undo":
            backs[number] = last[number - 1] - 1
        elif turn.kind == "restore":
            known = [v for v in range(number - 1, -1, -1) if hashes.get(v) == turn.hash_after]
            backs[number] = next((v for v in known if v in saves), known[0] if known else -1)
        last[number] = number if number not in backs else last.get(backs[number], 0)
        hashes[number] = turn.hash_after
    return backs


async def _each(turns: Sequence[Recorded]) -> AsyncIterator[Recorded]:
    for turn in turns:
        yield turn


def _player(record: GameRecord) -> str:
    return f"{record.principal}:{record.name}"
