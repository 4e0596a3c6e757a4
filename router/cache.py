"""Owns the answers that are kept: by everything that they read, in this process and for all workers; lore also by meaning.

`await cache.get(key)`, `put`; `await cache.alike(…)` for questions about lore alone. Keys come from `key_of`, which hashes the whole
request. Nothing here may decide what changes a state: what is kept of free speech is the command, which the referee decides anew.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from agents.citations import Citation
from agents.models import Model, ModelError
from router.meaning import same_meaning
from storage.expiring import Expiring, ExpiringAway

MOST = 1_000
MEMORY, SHARED = 600.0, 3_600.0
"""Seconds in this process, and for all workers."""
MOST_ALIKE = 50
"""Questions of one scope that are looked through."""
ALIKE = 0.85
"""Cosine of two questions' vectors, below which they are not the same even where their words are."""
CHECKED = 0.01
"""Share of answers by meaning that are asked again all the same, to compare."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer: a `command` that free speech was read as, or a `text` with its route and citations."""

    command: str = ""
    text: str = ""
    route: str = ""
    citations: tuple[Citation, ...] = ()

    def dump(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @staticmethod
    def load(data: bytes) -> Kept | None:
        """None: it was dropped, or another version wrote it."""
        try:
            told: dict[str, Any] = json.loads(data)
            citations = tuple(Citation(**each) for each in told["citations"])
            return Kept(told["command"], told["text"], told["route"], citations)
        except (ValueError, TypeError, KeyError):
            return None


def key_of(*read: object) -> str:
    """A key of everything that an answer read."""
    data = json.dumps(read, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(data.encode()).hexdigest()


class AnswerCache:
    """`model` gives vectors; None, or one that gives none: questions are the same only where they are equal."""

    def __init__(
        self,
        shared: Expiring | None = None,
        model: Model | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ):
        self._shared, self._model, self._now, self._chance = shared, model, now, chance
        self._held: OrderedDict[str, tuple[float, Kept]] = OrderedDict()
        self._lore: OrderedDict[str, OrderedDict[str, str]] = OrderedDict()
        self.hits = self.misses = self.alike_hits = self.mismatches = 0

    async def get(self, key: str) -> Kept | None:
        """The answer; while nobody can tell what others kept, only what this process has."""
        until, kept = self._held.get(key, (0.0, None))
        if kept is None or self._now() >= until:
            kept = None
            if self._shared is not None:
                with suppress(ExpiringAway):
                    kept = Kept.load(await self._shared.get(f"answer:{key}") or b"")
            if kept is not None:
                self._hold(key, kept)
        self.hits, self.misses = self.hits + (kept is not None), self.misses + (kept is None)
        return kept

    async def put(self, key: str, kept: Kept, *, scope: str = "", question: str = "") -> None:
        """Keeps an answer; with a scope, an answer about lore that questions of the same meaning may have there."""
        self._hold(key, kept)
        if scope:
            self._lore.setdefault(scope, OrderedDict())[question] = key
            self._lore.move_to_end(scope)
            while len(self._lore[scope]) > MOST_ALIKE:
                self._lore[scope].popitem(last=False)
            while len(self._lore) > MOST:
                self._lore.popitem(last=False)
        if self._shared is not None:
            with suppress(ExpiringAway):
                await self._shared.swap(f"answer:{key}", None, kept.dump(), SHARED)

    async def alike(self, scope: str, question: str) -> tuple[str, Kept] | None:
        """The key and the answer of a question about lore that means the same, in the same scope; sometimes withheld, so that
        it is asked again and `checked`."""
        known = self._lore.get(scope, OrderedDict[str, str]())
        same = [each for each in reversed(known) if same_meaning(each, question)]
        for each in same[:1]:
            kept = await self.get(known[each])
            if kept is not None and await self._near(each, question):
                self.alike_hits += 1
                return known[each], kept
        return None

    @property
    def doubts(self) -> bool:
        """Whether this answer by meaning is one of those that are asked again."""
        return self._chance() < CHECKED

    async def checked(self, scope: str, key: str, former: Kept, fresh: Kept) -> None:
        """What came of asking again: where it stands on other lines, the former answer is dropped."""
        if former.citations == fresh.citations and former.route == fresh.route:
            return
        self.mismatches += 1
        self._held.pop(key, None)
        self._lore.get(scope, OrderedDict[str, str]()).clear()
        if self._shared is not None:
            with suppress(ExpiringAway):
                await self._shared.swap(f"answer:{key}", former.dump(), b"", SHARED)

    async def _near(self, one: str, other: str) -> bool:
        if self._model is None:
            return False
        try:
            first, second = await self._model.embed([one, other], deadline=2.0)
        except (ModelError, ValueError):
            return False
        return cosine(first, second) >= ALIKE

    def _hold(self, key: str, kept: Kept) -> None:
        self._held[key] = (self._now() + MEMORY, kept)
        self._held.move_to_end(key)
        while len(self._held) > MOST:
            self._held.popitem(last=False)


class Keeping:
    """The cache for one message, by the key and the scope of its request; None: it is not one that is kept."""

    def __init__(self, cache: AnswerCache | None, key: str, scope: str, message: str):
        self._cache, self._key, self._scope, self._message = cache, key, scope, message
        self._doubted: tuple[str, Kept] | None = None

    async def exact(self) -> Kept | None:
        return await self._cache.get(self._key) if self._cache is not None else None

    async def alike(self) -> Kept | None:
        """By meaning; now and then withheld, and compared with what is answered instead."""
        found = await self._cache.alike(self._scope, self._message) if self._cache is not None else None
        if found is None or self._cache is None:
            return None
        if self._cache.doubts:
            self._doubted = found
            return None
        return found[1]

    async def put(self, kept: Kept, *, lore: bool = False) -> None:
        if self._cache is None:
            return
        if lore and self._doubted is not None:
            await self._cache.checked(self._scope, *self._doubted, kept)
        await self._cache.put(self._key, kept, scope=self._scope if lore else "", question=self._message)


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """0 where one of them is nothing."""
    size = math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))
    return sum(a * b for a, b in zip(one, other, strict=True)) / size if size else 0.0


def shares(cache: AnswerCache) -> Mapping[str, int]:
    """For metrics."""
    return {
        "hit": cache.hits,
        "miss": cache.misses,
        "alike": cache.alike_hits,
        "mismatch": cache.mismatches,
    }
