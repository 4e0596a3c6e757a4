"""Owns memories while they are used: read once into this process, changed here at once, written behind soon after.

`await minds.of(key)`, `minds.change(key, change)`, `await minds.flush()`. A change is a function of a `Memory` that does nothing the
second time, so that it can be made again on what another worker wrote meanwhile. It must not know what is remembered.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from agents.npcs.memory import Memory
from storage.memories import Memories, MemoryKey, MemoryRecord
from storage.store import StoreError

Change = Callable[[Memory], Memory]
HELD = 1024
"""Memories in this process; those that are yet to be written stay beyond it."""
FRESH = 1.0
"""Seconds for which what this process has is taken for what everybody has: a player's next line may go to another worker."""
BATCH = 200
MOST_WAITING = 10_000
"""Memories that wait for a database that is away; further ones are not remembered."""


@dataclass(slots=True)
class _Held:
    version: int
    memory: Memory
    kept: Memory
    """As it is in the store."""
    read: float
    changes: list[Change] = field(default_factory=list[Change])
    """Not written yet."""


class Minds:
    """`hits` of `reads` were answered from this process."""

    def __init__(self, store: Memories, *, clock: Callable[[], float] = time.monotonic, held: int = HELD):
        self._store, self._clock, self._limit = store, clock, held
        self._held: OrderedDict[MemoryKey, _Held] = OrderedDict()
        self._dirty: dict[MemoryKey, None] = {}
        self._loading: dict[MemoryKey, asyncio.Task[_Held]] = {}
        self._writing: asyncio.Task[None] | None = None
        self.reads = self.hits = self.lost = 0
        self.trouble = ""
        """Why what is remembered cannot be written at present."""

    async def of(self, key: MemoryKey) -> Memory:
        """What is remembered. While the store is away: what this process knows of it."""
        self.reads += 1
        held = self._held.get(key)
        if held is not None and (held.changes or self._clock() - held.read < FRESH):
            self._held.move_to_end(key)
            self.hits += 1
            return held.memory
        # Who asks at once shares one read; who is cancelled does not cancel it for the others.
        loading = self._loading.get(key)
        if loading is None:
            loading = self._loading[key] = asyncio.create_task(self._load(key))
            loading.add_done_callback(lambda _: self._loading.pop(key, None))
        return (await asyncio.shield(loading)).memory

    def known(self) -> list[tuple[MemoryKey, Memory]]:
        """What is in this process, the one that was used last first."""
        return [(key, held.memory) for key, held in reversed(self._held.items())]

    async def change(self, key: MemoryKey, change: Change) -> Memory:
        """The memory after the change, which is written soon; nobody waits for that."""
        await self.of(key)
        held = self._held.get(key)
        if held is None:  # so many others were read meanwhile
            held = await self._load(key)
        changed = change(held.memory)
        if changed != held.memory:
            if key not in self._dirty and len(self._dirty) >= MOST_WAITING:
                self.lost += 1
                return held.memory
            held.memory = changed
            held.changes.append(change)
            self._dirty[key] = None
            self._write()
        return held.memory

    async def everything(self, game: str, player: str) -> list[tuple[MemoryKey, Memory]]:
        """What all NPCs remember of a player, as it is in the store or newer here."""
        try:
            found = {each.key: Memory.load(each.data) for each in await self._store.of(game, player)}
        except StoreError:
            found = dict[MemoryKey, Memory]()
        found |= {key: held.memory for key, held in self._held.items() if key[:2] == (game, player) and held.changes}
        return sorted(found.items())

    def drop(self, games: set[str], player: str) -> None:
        """Somebody was erased: this process knows nothing more of them, and reads anew what others heard of them."""
        for key in [key for key in self._held if key.player == player or key.game in games]:
            del self._held[key]
            self._dirty.pop(key, None)

    async def flush(self) -> None:
        """Returns when everything so far is written, or cannot be."""
        self._write()
        while self._writing is not None:
            await asyncio.shield(self._writing)
            if self.trouble:
                return

    async def close(self) -> None:
        """Writes what is yet to be written, if it can be."""
        if self._loading:
            await asyncio.gather(*self._loading.values(), return_exceptions=True)
        await self.flush()

    # --- reading

    async def _load(self, key: MemoryKey) -> _Held:
        held = self._held.get(key)
        try:
            record = await self._store.load(key)
        except StoreError:
            held = held or _Held(0, Memory(), Memory(), float("-inf"))
            return self._hold(key, held)
        now = self._clock()
        current = self._held.get(key)
        if current is not None and (current.changes or record is None or current.version >= record.version):
            current.read = now
            return self._hold(key, current)
        memory = Memory() if record is None else Memory.load(record.data)
        return self._hold(key, _Held(record.version if record else 0, memory, memory, now))

    def _hold(self, key: MemoryKey, held: _Held) -> _Held:
        self._held[key] = held
        self._held.move_to_end(key)
        for other in list(self._held):
            if len(self._held) <= self._limit:
                break
            if other not in self._dirty and other != key:
                del self._held[other]
        return held

    # --- writing

    def _write(self) -> None:
        if self._dirty and self._writing is None:
            self._writing = asyncio.create_task(self._behind())
            self._writing.add_done_callback(self._written)

    def _written(self, _: asyncio.Task[None]) -> None:
        self._writing = None
        if not self.trouble:
            self._write()  # what came while the last write ended

    async def _behind(self) -> None:
        """Writes what waits, many at once; what others wrote meanwhile is read and changed again. Where the store is away, the
        next change, or `flush`, tries again."""
        tries: dict[MemoryKey, int] = {}
        while self._dirty:
            keys = list(self._dirty)[:BATCH]
            now = {key: self._held[key] for key in keys}
            sent = {key: (held.memory, len(held.changes)) for key, held in now.items()}
            records = [MemoryRecord(key, now[key].version + 1, memory.dump()) for key, (memory, _) in sent.items()]
            try:
                kept = set(await self._store.keep(records))
                for key in keys:
                    if self._held.get(key) is not now[key]:
                        continue  # dropped meanwhile
                    if key in kept:
                        self._was_kept(key, now[key], *sent[key])
                    else:
                        tries[key] = tries.get(key, 0) + 1
                        await self._again(key, now[key], tries[key])
                self.trouble = ""
            except StoreError as error:
                self.trouble = str(error)
                return

    def _was_kept(self, key: MemoryKey, held: _Held, memory: Memory, count: int) -> None:
        held.version, held.kept, held.read = held.version + 1, memory, self._clock()
        del held.changes[:count]
        if not held.changes:
            self._dirty.pop(key, None)

    async def _again(self, key: MemoryKey, held: _Held, tries: int) -> None:
        """Another worker was first: what it wrote, and our changes on it. Or there is no place for it any more."""
        record = await self._store.load(key)
        if tries > 20 or record is None or record.version == held.version:
            self._dirty.pop(key, None)
            self._held.pop(key, None)
            return
        memory = held.kept = Memory.load(record.data)
        held.version = record.version
        for change in held.changes:
            memory = change(memory)
        held.memory = memory
