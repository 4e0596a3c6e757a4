"""Owns one attempt's seat: all that answers in a process, new and in memory, over a game that is in a case's beginning.

`seated = await sit(case, environment, epoch, needs)`. Nothing of it is shared with another attempt but the world's pages, and nothing
in it is left to chance or to a clock. It must not know what is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from agents.access import Principal, Role
from agents.game import Game, GameService
from agents.held import Held, whole
from agents.judging import Judging
from agents.knowledge import KnowledgeService, MemorySpaces
from agents.models.batch import Batching
from agents.models.cassette import CassetteError
from agents.models.model import Answer, Model, ModelError, Piece, Purpose, Request, ToolCall, Usage
from evals.cases import Case
from evals.environment import PLAYER, Environment
from evals.limits import LimitError
from evals.solvers import Needs
from kb.referee import parts
from router.cache import AnswerCache
from rulebound.answering import Answering
from storage import NEW, Commit, GameRecord, MemoryStore, Seat
from storage.checkpoints import MemoryCheckpoints
from storage.records import Json

ROLES: tuple[Role, ...] = ("player", "designer", "gm")
"""Those that a case's role may be of; any other is a player's."""
MODULUS = 2**63
UNDOING = pow(1_000_003, -1, MODULUS)


class Counted:
    """A model whose calls are counted: `taken()` gives those since it was asked last, as a step keeps them."""

    def __init__(self, model: Model):
        self._model = model
        self._calls: list[Json] = []
        self._dropped: list[ToolCall] = []
        self.broken: Exception | None = None
        """Why the run itself cannot go on. Callers have fallbacks and tasks of their own: it must not be lost in them."""

    async def chat(self, request: Request) -> Answer:
        """As `Model.chat`."""
        entry = self._begun(request.purpose)
        try:
            answer = await self._model.chat(request)
        except BaseException as error:
            self._failed(entry, error)
            raise
        return self._answered(entry, answer)

    async def stream(self, request: Request) -> AsyncGenerator[Piece]:
        """As `Model.stream`."""
        entry = self._begun(request.purpose)
        try:
            async for piece in self._model.stream(request):
                if piece.answer is not None:
                    self._answered(entry, piece.answer)
                yield piece
        except BaseException as error:
            self._failed(entry, error)
            raise

    async def embed(
        self, texts: Sequence[str], *, principal: str = "local", deadline: float = 10.0
    ) -> list[list[float]]:
        """As `Model.embed`; what it costs is not told."""
        entry = self._begun("embed")
        try:
            return await self._model.embed(texts, principal=principal, deadline=deadline)
        except BaseException as error:
            self._failed(entry, error)
            raise

    def taken(self) -> tuple[Json, ...]:
        """In the order in which they began; those of a team in that of their contents, because its members work at once, and who
        begins first is chance."""
        calls, self._calls = self._calls, []
        team = iter(sorted((each for each in calls if each["purpose"] == "team"), key=repr))
        return tuple(next(team) if each["purpose"] == "team" else each for each in calls)

    def given_up(self) -> list[ToolCall]:
        """Calls of tools that were not offered, since it was asked last."""
        dropped, self._dropped = self._dropped, []
        return sorted(dropped, key=repr)

    def _begun(self, purpose: Purpose) -> Json:
        entry: Json = {"purpose": purpose, "calls": 1}
        self._calls.append(entry)
        return entry

    def _answered(self, entry: Json, answer: Answer) -> Answer:
        _take(entry, (answer.usage,))
        self._dropped += answer.dropped
        return answer

    def _failed(self, entry: Json, error: BaseException) -> None:
        if isinstance(error, CassetteError | LimitError):
            self.broken = self.broken or error
        if isinstance(error, ModelError):
            _take(entry, error.usage)
            entry["failed"] = error.kind
        elif isinstance(error, asyncio.CancelledError):
            entry |= {"calls": 0, "failed": "timeout"}  # as a tape tells it


def _take(entry: Json, usage: Sequence[Usage]) -> None:
    entry["calls"] = sum(each.calls for each in usage)
    for each in usage:
        entry["model"] = each.model
        for name in ("input_tokens", "output_tokens", "cost", "seconds"):
            entry[name] = entry.get(name, 0) + getattr(each, name)


@dataclass(frozen=True)
class Seated:
    """Who asks, where, and all that answers."""

    case: Case
    at: Environment
    asker: Principal
    handle: str
    store: MemoryStore
    games: GameService
    answering: Answering
    knowledge: KnowledgeService
    model: Counted | None

    def now(self) -> datetime:
        """The time, which does not pass."""
        return self.at.session.rulebook.settings.begins

    async def game(self) -> Game:
        """As it stands."""
        return await self.games.game(self.handle, self.asker.id)

    async def close(self) -> None:
        """Ends what it left."""
        await self.answering.close()
        await self.games.close()

    def named(self, key: str) -> dict[str, Any]:
        """What a message to the router goes with: the game, or where the case is about a world alone, that world."""
        about = {"world": self.at.world} if self.case.tags.get("game") == "none" else {"handle": self.handle}
        return {**about, "persona": self.case.persona, "key": key}


def drawn(case: Case, epoch: int, seed: int) -> Random:
    """All that is by chance in an attempt. `seed` is the run's."""
    return Random(f"{case.id}\0{epoch}\0{seed}")


async def sit(
    case: Case, at: Environment, epoch: int, needs: Needs, services: type[GameService] = GameService
) -> Seated:
    """A seat in a new game at the case's beginning. Raises `CaseError`."""
    state, dialogue = at.begin(case)
    chance = drawn(case, epoch, needs.seed)
    handle, id, player = (f"{chance.getrandbits(128):032x}" for _ in range(3))
    where, begins = at.world.where, at.session.rulebook.settings.begins
    asker = _asker(case)
    seat = Seat(handle, id, player, PLAYER, asker.id, "you", case.role)
    record = GameRecord(
        id=id,
        world=where.location,
        seed=seed_of(case),
        commit=at.world.commit,
        version=0,
        hash=state.hash,
        head=parts.head(state),
        updated=begins,
        revision=where.revision,
        experience=where.experience,
    )
    held = Held(record, state, {PLAYER: dialogue.dump()})
    store = MemoryStore()
    await store.commit(Commit(record, NEW, whole(held), (), (seat,)))
    model = None if needs.model is None else Counted(needs.model)
    # As `rulebound.app.build` composes it, over the world that is open here.
    games = services(
        store,
        lambda _: at.world,
        now=lambda: begins,
        new_handle=lambda: handle,
        new_seed=lambda: case.seed,
        judging=None if model is None else Judging(Batching(model)),
    )
    answering = Answering(model, store, games, lambda _: at.world, MemoryCheckpoints(), now=lambda: begins)
    answering.cache = AnswerCache(store.expiring, model, chance=chance.random)
    fixed = {at.session.rulebook.settings.id: where.location}
    knowledge = KnowledgeService(MemorySpaces(), fixed, home=needs.home, cache=needs.home / "cache")
    return Seated(case, at, asker, handle, store, games, answering, knowledge, model)


def _asker(case: Case) -> Principal:
    """Reads and plays; writes nothing, because the pages are an evaluator's own."""
    roles: tuple[Role, ...] = tuple(each for each in ROLES if each == case.role) or ("player",)
    return Principal.of("evaluator", *roles, narrowed=frozenset({"kb:read", "game:play", "game:direct"}))


def seed_of(case: Case, version: int = 0) -> int:
    """The game's seed with which its turn n after a version throws the same dice as turn n of everybody else who plays the case
    (`Environment.inputs`): `agents.turns.Turns.inputs`, solved for the seed."""
    return (case.seed * 1_000 - 1 - version) * UNDOING % MODULUS
