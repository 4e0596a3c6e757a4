"""Owns the load: players who act and look, and the history of what they were told.

What they want is asked for until it is answered, now of one worker, now of another; a turn always with the same key. It must
not know what is done to the workers.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from benchmarks.chaos.fleet import Fleet
from benchmarks.chaos.places import Gone
from benchmarks.chaos.worlds import LINES

PATIENCE = 20.0
"""Seconds after which a player asks another worker; a worker answers sooner, if only that the database is away."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What somebody was told of a game: a turn that was acknowledged (`key`), or a look. Times are the machine's, in seconds."""

    game: str
    number: int
    hash: str
    begin: float
    end: float
    worker: str
    key: str = ""
    player: str = ""
    stale: bool = False
    """The worker said that it may be old."""


@dataclass(slots=True)
class History:
    """Everything that was told, in the order in which it was."""

    seen: list[Seen] = field(default_factory=list[Seen])
    keys: set[str] = field(default_factory=set[str])
    """Of all turns that were ever asked for."""
    promised: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Game and key of the turns that a worker took on to do when the database is back."""
    refused: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Game and key of what the game said cannot be done."""
    errors: Counter[str] = field(default_factory=Counter[str])
    outages: dict[str, float] = field(default_factory=lambda: {"turn": 0.0, "look": 0.0, "refusal": 0.0})
    """The longest time that one player waited: from first asking to the answer, or for being refused once."""

    def waited(self, what: str, since: float) -> None:
        self.outages[what] = max(self.outages[what], time.monotonic() - since)


class Player:
    """One player at one seat."""

    def __init__(self, name: str, fleet: Fleet, history: History, rng: random.Random):
        self.name, self._fleet, self._history, self._rng = name, fleet, history, rng
        self._handle = self._game = ""
        self._turns = 0

    async def join(self, world: str) -> None:
        """Takes a seat; before anything is done to anybody."""
        worker = self._rng.choice(self._fleet.workers)
        self._handle = (await worker.ask(60, what="start", world=world, principal=self.name))["handle"]
        self._game = (await worker.ask(60, what="look", handle=self._handle, principal=self.name))["game"]

    async def play(self, over: asyncio.Event) -> None:
        while not over.is_set():
            if self._rng.random() < 0.5:
                await self._look()
            else:
                await self._act()
            await asyncio.sleep(self._rng.uniform(0, 0.05))

    async def _act(self) -> None:
        """Does one thing, until it is acknowledged or refused by the game."""
        self._turns += 1
        what = {"what": "act", "key": f"{self.name}-{self._turns}", "text": self._rng.choice(LINES), "wait": ""}
        chance = self._rng.random()
        if chance < 0.1:
            what["what"] = "undo"
        elif chance < 0.12:
            what["what"] = "reset"
        elif chance < 0.3:  # some want no answer but that it will be done
            what["wait"] = "yes"
        since, pause = time.monotonic(), 0.02
        self._history.keys.add(what["key"])
        twice = 1 + (self._rng.random() < 0.1)  # as a client does that is too eager
        while not any(await asyncio.gather(*(self._ask(**what) for _ in range(twice)))):
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.5)
        self._history.waited("turn", since)

    async def _look(self) -> None:
        since = time.monotonic()
        while not await self._ask(what="look"):
            await asyncio.sleep(0.05)
        self._history.waited("look", since)

    async def _ask(self, **what: str) -> bool:
        """Asks some worker; whether there is an answer that stands."""
        worker, history = self._rng.choice(self._fleet.workers), self._history
        key, begin = what.get("key", ""), time.monotonic()
        try:
            answer = await worker.ask(PATIENCE, handle=self._handle, principal=self.name, **what)
        except Gone:
            history.errors["no answer"] += 1
            return False
        if "error" in answer:
            history.errors[f"{answer['error']}: {answer['said'].partition(' at postgresql:')[0]}"] += 1
            history.waited("refusal", begin)
            if answer["error"] != "GameError":
                return False
            history.refused.add((self._game, key))
            return True
        if answer.get("waiting"):
            history.promised.add((self._game, key))
            return True
        number, hash, stale = answer["number"], answer["hash"], answer.get("stale", False)
        end = time.monotonic()
        history.seen.append(Seen(self._game, number, hash, begin, end, worker.name, key, self.name, stale))
        return True
