"""Owns how the games of a `Store` become replay's records.

`StoredGames(store)` is an `Archive`. It must not know rules.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from agents.replay.recorded import Head, Recorded, Tape, Wanted
from agents.worlds import Where
from storage import Loaded, Store, TurnRecord

PAGE = 500
"""How many turns are read at a time."""


class StoredGames:
    """The games of a store."""

    def __init__(self, store: Store):
        self._store = store

    async def heads(self, wanted: Wanted) -> AsyncIterator[Head]:
        world = wanted.world.location if wanted.world else None
        only = frozenset(await self._store.named(wanted.player)) if wanted.player is not None else None
        async for game in self._store.played(players=only, since=wanted.since, world=world):
            where = Where(game.world, game.revision, game.experience)
            yield Head(game.id, where, game.version, game.scope is not None, only)

    async def tape(self, head: Head) -> Tape:
        undone: dict[int, int] = {}
        restored: dict[int, int] = {}
        for turn in await self._store.turns(head.id, kinds=("undo", "restore")):
            (undone if turn.kind == "undo" else restored)[turn.number] = turn.inputs["back"]
        kept: dict[int, Loaded] = {}
        for name in await self._store.saves(head.id):
            saved = await self._store.saved(head.id, name)
            if saved is not None:
                kept[saved.game.version] = saved
        return Tape(self._turns(head), undone, restored, kept)

    async def _turns(self, head: Head) -> AsyncIterator[Recorded]:
        """The game's beginning, which is no turn, and its turns."""
        for first in await self._store.turns(head.id, until=1):
            yield await self._beginning(head, first)
        for since in range(0, head.turns, PAGE):
            for turn in await self._store.turns(head.id, since, until=min(since + PAGE, head.turns)):
                yield Recorded(
                    game=head.id,
                    number=turn.number,
                    kind=turn.kind,
                    player=turn.player or "",
                    instance=turn.instance,
                    text=turn.text,
                    commit=turn.commit,
                    inputs=turn.inputs,
                    hash_before=turn.hash_before,
                    hash_after=turn.hash_after,
                    outcome=turn.outcome,
                    at=turn.at,
                )

    async def _beginning(self, head: Head, first: TurnRecord) -> Recorded:
        seats = () if head.shared else await self._store.members(head.id)
        inputs: Mapping[str, str] = {"name": seats[0].name} if seats else {}
        return Recorded(
            game=head.id,
            number=0,
            kind="new",
            player=seats[0].player if seats else "",
            instance=seats[0].instance if seats else "",
            text="",
            commit=first.inputs.get("began", first.commit),
            inputs=inputs,
            hash_before="",
            hash_after="",
            outcome={},
            at=first.at,
        )
