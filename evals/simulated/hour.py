"""Owns an hour of simulated play by many mixed players, and its twin by the rules alone, with which it must end alike.

`await Hour(store, games, say, knowing, clock).run(players=100)` gives a report. It must not know the router: `say` answers a message.
"""

from __future__ import annotations

import heapq
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from agents.filled import Filled
from agents.game import Game, GameService
from agents.worlds import Where
from evals.data import messages
from evals.simulated.knowing import Knowing, canonical
from evals.simulated.mixed import CROWD, MixedPlayer, Spoken, Temper
from kb.referee import Inputs, State
from kb.understand import Dialogue
from storage import Store, TurnRecord

PAUSE = (20.0, 100.0)
"""Seconds between two messages of a player: some sixty in an hour."""


class Told(Protocol):
    """What an answer must have; `router.Answered` has it."""

    @property
    def route(self) -> str: ...
    @property
    def tier(self) -> str: ...
    @property
    def model_calls(self) -> int: ...
    @property
    def cost(self) -> float: ...


Say = Callable[[str, str, str, str], Awaitable[Told]]
"""`(principal, handle, message, key)`: the answer to a player's message."""


class Clock:
    """The time of the games, which passes only when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, 6, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Player:
    """Somebody who plays; `handle` changes when a game is over."""

    principal: str
    where: Where
    mixed: MixedPlayer
    handle: str = ""


@dataclass
class Twin:
    """A game as the rules alone make it."""

    state: State
    dialogues: dict[str, Dialogue] = field(default_factory=dict[str, Dialogue])


@dataclass
class Report:
    """What an hour was. Of each kind of message: how many, and the calls that they took; `seconds` are of each answer."""

    messages: int = 0
    games: int = 0
    calls: int = 0
    cost: float = 0.0
    tiers: Counter[str] = field(default_factory=Counter[str])
    routes: Counter[str] = field(default_factory=Counter[str])
    kinds: Counter[str] = field(default_factory=Counter[str])
    calls_of: Counter[str] = field(default_factory=Counter[str])
    seconds: list[float] = field(default_factory=list[float])
    differing: list[str] = field(default_factory=list[str])
    """Games that ended otherwise than their twins."""
    missed: list[str] = field(default_factory=list[str])
    """Messages that meant a command of which no turn came."""

    @property
    def saved(self) -> float:
        """The share of calls that one call a message would have taken more."""
        return 1 - self.calls / max(1, self.messages)


class Hour:
    """Players who share a clock; `knowing` is the model behind `say`."""

    def __init__(self, store: Store, games: GameService, say: Say, knowing: Knowing, clock: Clock, *, seed: int = 1):
        self._store, self._games, self._say = store, games, say
        self._knowing, self._clock = knowing, clock
        self._random = random.Random(seed)
        self._routes = {each.message: each.route for each in messages()}
        self._twins: dict[str, Twin] = {}

    async def run(self, worlds: Sequence[Where], *, players: int = 100, minutes: int = 60) -> Report:
        """An hour, or so many minutes, of so many players, each in one of the worlds by turns."""
        report, ends = Report(), self._clock.now + timedelta(minutes=minutes)
        crowd: list[Temper] = [temper for temper, of_hundred in CROWD.items() for _ in range(of_hundred)]
        self._random.shuffle(crowd)
        waiting: list[tuple[datetime, int, Player]] = []
        for number in range(players):
            where = worlds[number % len(worlds)]
            mixed = MixedPlayer(number, crowd[number * len(crowd) // players], where.location)
            waiting.append((self._later(), number, Player(f"player-{number}", where, mixed)))
            await self._begin(waiting[-1][2], report)
        heapq.heapify(waiting)
        while waiting[0][0] < ends:
            self._clock.now, number, player = heapq.heappop(waiting)
            await self._message(player, report)
            heapq.heappush(waiting, (self._later(), number, player))
        for _, _, player in waiting:
            await self._compare(player, report)
        return report

    def _later(self) -> datetime:
        return self._clock.now + timedelta(seconds=self._random.uniform(*PAUSE))

    async def _begin(self, player: Player, report: Report) -> None:
        """A new game, and its twin as it stands; whoever joins a shared game stands in the twin too."""
        player.handle, _ = await self._games.start(
            player.where, player.principal, name=player.principal, seed=self._random.randrange(2**31)
        )
        game = await self._games.game(player.handle, player.principal)
        report.games += game.record.id not in self._twins
        self._twins[game.record.id] = Twin(game.state)

    async def _message(self, player: Player, report: Report) -> None:
        game = await self._games.game(player.handle, player.principal)
        if game.state.rows[game.player]["ended"]:
            await self._compare(player, report)
            await self._begin(player, report)
            game = await self._games.game(player.handle, player.principal)
        session = game.world.session
        spoken = player.mixed.says(session, game.state, game.player, game.dialogue)
        self._knowing.meant = ""
        if spoken.meant and spoken.meant != spoken.message:
            self._knowing.meant = canonical(session, game.state, game.player, game.dialogue, spoken.meant)
        self._knowing.route = "action" if spoken.meant else self._routes.get(spoken.message, "help")
        begin = time.perf_counter()
        told = await self._say(player.principal, player.handle, spoken.message, f"message-{report.messages}")
        report.seconds.append(time.perf_counter() - begin)
        report.messages += 1
        report.calls += told.model_calls
        report.cost += told.cost
        report.tiers[told.tier] += 1
        report.routes[told.route] += 1
        report.kinds[spoken.kind] += 1
        report.calls_of[spoken.kind] += told.model_calls
        await self._follow(game, spoken, report)

    async def _follow(self, before: Game, spoken: Spoken, report: Report) -> None:
        """The twin does what was meant, with the inputs that were recorded for it."""
        turns = await self._store.turns(before.record.id, since=before.record.version)
        if spoken.meant and not turns:
            report.missed.append(f"{before.record.world}: {spoken.message!r} for {spoken.meant!r}")
        twin, session = self._twins[before.record.id], before.world.session
        dialogue = twin.dialogues.get(before.player, Dialogue())
        for turn in turns:
            line = spoken.meant or turn.text
            said = session.say(twin.state, before.player, line, dialogue, _inputs(turn))
            twin.state, dialogue = said.state, said.dialogue
        twin.dialogues[before.player] = dialogue

    async def _compare(self, player: Player, report: Report) -> None:
        game = await self._games.game(player.handle, player.principal)
        if game.state.hash != self._twins[game.record.id].state.hash:
            report.differing.append(f"{player.where.location} {player.principal}")


def _inputs(turn: TurnRecord) -> Inputs:
    judged = Filled.load(turn.inputs).judged
    return Inputs(datetime.fromisoformat(turn.inputs["now"]), turn.inputs["seed"], judged)
