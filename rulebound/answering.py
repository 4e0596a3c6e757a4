"""Owns what answers messages in a process: the router with everything that it asks, over one model or none.

`Answering(model, store, games, worlds, …).router(knowledge)`. The only place that knows both the router's seams and who fills them.
It must not know transports.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from agents.access import Principal, Refused
from agents.freeform import Freeform
from agents.game import Game, GameService, Reply
from agents.knowledge import KnowledgeService
from agents.knowledge.errors import KnowledgeError, NotThere
from agents.knowledge_agent import Asker, Finding, KnowledgeAgent
from agents.models import Model, Tool
from agents.npcs.idle import Idle
from agents.npcs.minds import Minds
from agents.npcs.voices import Part, Voices
from agents.teams import TeamError, TeamResult, Teams
from agents.teams.service import teams_of
from agents.worlds import Where, World, WorldError
from kb.session import Said
from router import Answered, Router
from router.cache import AnswerCache, shares
from router.decisions import Recorder
from router.seams import Tell, Words
from storage import Store, StoreError
from storage.checkpoints import Checkpoints

if TYPE_CHECKING:
    from storage.postgres.privacy import Erased

Mode = Literal["decide", "validate", "synthesise"]


class Answering:
    """`model` None: no model is configured, and all of it works by rules, search and templates."""

    def __init__(
        self,
        model: Model | None,
        store: Store,
        games: GameService,
        worlds: Callable[[Where], World],
        checkpoints: Checkpoints,
        *,
        now: Callable[[], datetime],
    ):
        self.asks = model is not None
        """Whether a message may lead to a model's call."""
        self.model = model
        self.voices = Voices(model, Minds(store.memories), now=now)
        self.agent = KnowledgeAgent(model, cache=store.expiring, now=now)
        self.decisions = Recorder(store.decisions)
        self.cache = AnswerCache(store.expiring, model)
        self._games, self._worlds, self._checkpoints, self._now = games, worlds, checkpoints, now

    def between_turns(self) -> Sequence[Callable[[], Awaitable[int]]]:
        """What is done when nobody waits: see `agents.background.Background`. For processes that stay."""

        async def keep() -> int:
            await self.decisions.flush()
            return 0

        return (Idle(self._games, self.voices, now=self._now).run, keep)

    async def erased(self, erased: Erased) -> None:
        """A player was erased: nobody here remembers them."""
        self.voices.minds.drop({*erased.games, *erased.shared}, erased.player)

    def metrics(self) -> str:
        """For Prometheus: how messages were answered."""
        return self.decisions.render(dict(shares(self.cache)))

    async def close(self) -> None:
        """Keeps what is yet to be kept."""
        await self.voices.close()
        await self.decisions.flush()

    def teams(self, knowledge: KnowledgeService) -> Teams:
        """Teams that work on the knowledge bases of a service."""
        return Teams(self.model, self._games, knowledge, self._worlds, self._checkpoints)

    def router(self, knowledge: KnowledgeService) -> Router:
        """Answers messages; its teams write to the knowledge bases of a service."""
        return Router(
            self._games,
            self.model,
            cache=self.cache,
            decisions=self.decisions,
            voice=_Voice(self.voices),
            freeform=Freeform(self.model),
            scholar=_Scholar(self.agent, KnowledgeAgent(None)),
            teams=_Flows(self.teams(knowledge), knowledge),
            now=self._now,
        )

    async def consult(self, mode: Mode, asker: Principal, question: str, about: Game | World) -> Answered:
        """One kind of answer from pages, in a game or about a world."""
        game = about if isinstance(about, Game) else None
        of = Asker.of(about) if isinstance(about, Game) else Asker.about(about, asker.id)
        if mode == "decide":
            found = await self.agent.interpret(of, question, game)
        elif mode == "validate":
            found = await self.agent.validate(of, question, game)
        else:
            found = await self.agent.synthesise(of, question)
        words = _found(found)
        text = f"{found.verdict}: {words.text}" if found.verdict else words.text
        return Answered(text, "knowledge", found.tier, words.reason, words.citations, words.calls, words.cost)


def _found(finding: Finding) -> Words:
    return Words(finding.text, finding.citations, finding.model_calls, finding.cost, finding.reason)


# --- the router's seams


@dataclass(frozen=True, slots=True)
class _Voice:
    voices: Voices

    async def after(
        self, game: Game, said: Said, reply: Reply, message: str, asker: Principal, tell: Tell | None
    ) -> Words | None:
        return await _spoken(self.voices.stream(game, said, reply, message, principal=asker.id), tell)

    async def again(self, game: Game, reply: Reply) -> Words | None:
        spoken = await self.voices.again(game, reply.turn)
        return Words(spoken.text, reason=spoken.reason) if spoken is not None else None

    def addressed(self, game: Game, message: str) -> str | None:
        addressed = self.voices.addressed(game, message)
        return addressed[0] if addressed is not None else None

    async def talk(self, game: Game, message: str, asker: Principal, key: str, tell: Tell | None) -> Words | None:
        addressed = self.voices.addressed(game, message)
        if addressed is None:
            return None
        npc, words = addressed
        return await _spoken(self.voices.stream_talk(game, npc, words, key=key, principal=asker.id), tell)


async def _spoken(parts: AsyncGenerator[Part], tell: Tell | None) -> Words | None:
    async with aclosing(parts):
        async for part in parts:
            if part.spoken is not None:
                spoken = part.spoken
                return Words(spoken.text, (), spoken.model_calls, spoken.cost, spoken.reason)
            if tell is not None:
                tell(part.text)
    return None


@dataclass(frozen=True, slots=True)
class _Scholar:
    agent: KnowledgeAgent
    quoting: KnowledgeAgent
    """Without a model."""

    async def answers(self, question: str, world: World, asker: Principal) -> Words | None:
        return await self._asked(self.agent, question, world, asker)

    async def quotes(self, question: str, world: World, asker: Principal) -> Words | None:
        return await self._asked(self.quoting, question, world, asker)

    async def _asked(self, agent: KnowledgeAgent, question: str, world: World, asker: Principal) -> Words | None:
        found = await agent.interpret(Asker.about(world, asker.id), question)
        return _found(found) if found.citations or found.sentences else None


@dataclass(frozen=True, slots=True)
class _Flows:
    """Teams as the router knows them. A run's id comes from the message's key: the same key goes on with the same run."""

    teams: Teams
    knowledge: KnowledgeService

    async def flows(self, world: World, asker: Principal, handle: str) -> list[Tool]:
        if asker.kind == "public":
            return []  # a team works for somebody who is known
        given = {"type": "object", "properties": {"task": {"type": "string"}}, "required": ["task"]}
        return [
            Tool(each.id, each.purpose, given)
            for each in teams_of(world)
            if (handle or not each.needs_game) and (asker.may("kb:write") or not each.needs_draft)
        ]

    async def run(self, flow: str, task: str, world: World, asker: Principal, handle: str, key: str) -> Words:
        run = sha256(f"{asker.id}\0{handle}\0{key}".encode()).hexdigest()[:16]

        async def begin() -> TeamResult:
            name = await self._name(world, asker)
            return await self.teams.run(asker, flow, task, world=name, handle=handle, run_id=run)

        return await _came_to(begin())

    async def decided(self, message: str, asker: Principal) -> Words | None:
        said = _DECISION.fullmatch(message.strip())
        if said is None:
            return None
        approve = None if said["how"] == "answer" else said["how"] == "approve"
        return await _came_to(self.teams.resume(asker, said["run"], approve=approve, answer=said["words"]))

    async def _name(self, world: World, asker: Principal) -> str:
        """What the knowledge base of a world is called. Raises `KnowledgeError` where the asker may not read it."""
        location = world.where.location
        for each in await self.knowledge.namespaces(asker):
            if Where.of(each.location).location == location:
                return each.name
        raise NotThere("There is no such knowledge base for you", "Name one that you may read.")


_DECISION = re.compile(r"(?P<how>approve|reject|answer) (?P<run>[0-9a-f]{16})(?:[:,]? (?P<words>.+))?", re.DOTALL)
"""What a human says to a run that waits for them."""


async def _came_to(run: Awaitable[TeamResult]) -> Words:
    """What a run came to so far, and how it goes on; or why it cannot."""
    try:
        result = await run
    except (TeamError, KnowledgeError, Refused, WorldError, StoreError) as error:
        return Words(f"{error}. {error.hint}", reason="the team cannot work on this")
    more = f"\n(The proposal is the draft {result.branch}.)" if result.branch else ""
    if result.status == "waiting-approval":
        asks = (result.waiting or {}).get("kind") == "ask"
        say = f"answer {result.run_id}: …" if asks else f"approve {result.run_id}, or reject {result.run_id}"
        more += f"\n(It waits for you. Say: {say})"
    reason = f"the team {result.team}: {result.status}{result.reason and f', {result.reason}'}"
    return Words(result.text + more, result.citations, result.model_calls, result.cost, reason)
