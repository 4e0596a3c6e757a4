"""Owns the knowledge agent's modes: interpret, validate and synthesise; a workflow in prose is `agents.knowledge_agent.workflow`.

`await KnowledgeAgent(model).interpret(asker, question)` gives a `Finding` and raises nothing that a model did: every sentence of
a model is kept only with lines that say it, else sections are quoted. It must not know transports or providers.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, cast

from agents.access import Principal
from agents.game import Game
from agents.knowledge import KnowledgeService
from agents.knowledge_agent.exact import decided, quoted
from agents.knowledge_agent.findings import Finding, Sentence, of_sentences
from agents.knowledge_agent.passages import Chosen, Limits, choose, searched
from agents.knowledge_agent.prompts import VERSION, asking, said, schema
from agents.knowledge_agent.support import Support, sentences
from agents.knowledge_agent.words import normal
from agents.models import Marked, Message, Model, ModelError, Request, Usage
from kb.search import SearchIndex
from kb.view import view
from storage.expiring import Expiring, ExpiringAway, LocalExpiring

KEPT = 7 * 24 * 3600.0
"""Seconds for which an answer is kept. It is found by its commit alone, so it is never old, only not asked for any more."""
ASKED = 2
"""Calls for one question at most: what the pages do not bear out is asked for once more."""
MAX_TOKENS = 700
Asking = Literal["interpret", "validate", "synthesise"]


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and the pages that they were let into: nothing else is read for them.

    `space` tells these pages from others at the same commit: a knowledge base's name, or a world's location.
    """

    principal: str
    space: str
    pages: SearchIndex
    priority: Literal["player", "agent", "background"] = "player"

    @staticmethod
    async def entering(knowledge: KnowledgeService, who: Principal, kb: str, branch: str = "") -> Asker:
        """Somebody in a knowledge base that they may read. Raises `NotThere` for any other."""
        return Asker(who.id, f"kb {kb}", await knowledge.pages(who, kb, branch=branch))

    @staticmethod
    def of(game: Game) -> Asker:
        """A player, of the world that they play in."""
        where = game.world.where
        return Asker(game.seat.principal, f"{where.location} {where.revision} {where.experience}", game.world.index)


@dataclass(slots=True)
class Spent:
    """What was spent for an answer, also on what gave none."""

    usage: list[Usage]

    def on(self, finding: Finding) -> Finding:
        calls, cost = sum(each.calls for each in self.usage), sum(each.cost for each in self.usage)
        return replace(finding, model_calls=calls, cost=cost, tier="call" if calls else finding.tier)


class KnowledgeAgent:
    """Answers from pages. `model` None: by rules and search alone. `model_name` is a provider's; "" the default."""

    def __init__(
        self, model: Model | None, *, cache: Expiring | None = None, limits: Limits | None = None,
        model_name: str = "", now: Callable[[], datetime] | None = None,
    ):  # fmt: skip
        self._model, self._name, self._now = model, model_name, now
        self._cache: Expiring = cache or LocalExpiring()
        self._limits = limits or Limits()
        self.asked = self.found = 0
        """Questions that the cache was asked for, and those that it answered."""

    async def interpret(
        self, asker: Asker, question: str, game: Game | None = None, *, deadline: float = 10.0
    ) -> Finding:
        """What the pages say to a question, for a decision; with a game, also what the player perceives in it."""
        return await self._answer("interpret", asker, question, game, deadline)

    async def validate(
        self, asker: Asker, statement: str, game: Game | None = None, *, deadline: float = 10.0
    ) -> Finding:
        """Whether an action is allowed or a statement true, with the citing lines. An action in a game is the referee's."""
        found = await asyncio.to_thread(decided, game, statement, self._now and self._now()) if game else None
        return found or await self._answer("validate", asker, statement, game, deadline)

    async def synthesise(self, asker: Asker, subject: str, *, deadline: float = 20.0) -> Finding:
        """What several pages say about a subject, each sentence with the lines that say it."""
        return await self._answer("synthesise", asker, subject, None, deadline)

    async def _answer(self, mode: Asking, asker: Asker, question: str, game: Game | None, deadline: float) -> Finding:
        if self._model is None:
            chosen = Chosen(hits=await asyncio.to_thread(searched, asker.pages, question))
            return _quoted(mode, asker, chosen, "no model is configured: the sections that fit best")
        seen = _perceived(game) if game else ""
        key = self._key(mode, asker, question, seen)
        if (kept := await self._kept(key)) is not None:
            return kept
        chosen = await asyncio.to_thread(choose, asker.pages, question, self._limits)
        if not chosen.passages and not seen:
            return _quoted(mode, asker, chosen, "no page is about this")
        spent = Spent([])
        finding = await self._asked(self._model, mode, asker, question, chosen, seen, deadline, spent)
        if finding.sentences:
            await self._keep(key, finding)
        return spent.on(finding)

    async def _asked(
        self, model: Model, mode: Asking, asker: Asker, question: str, chosen: Chosen, seen: str, deadline: float,
        spent: Spent,
    ) -> Finding:  # fmt: skip
        """A model's answer as far as the pages bear it out; else the sections themselves."""
        support = Support(asker.pages.terms, chosen.passages, seen)
        system, user = asking(mode, question, chosen.passages, seen)
        messages = [Message("system", system), Message("user", user)]
        until = asyncio.get_running_loop().time() + deadline
        reason, left_out = (
            "",
            f"; {chosen.left_out} passages that speak to a model were left out" * bool(chosen.left_out),
        )
        for _ in range(ASKED):
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                break
            request = Request(
                tuple(messages), mode, schema=schema(mode), max_tokens=MAX_TOKENS, deadline=left,
                priority=asker.priority, principal=asker.principal, model=self._name,
            )  # fmt: skip
            try:
                answer = await model.chat(request)
            except ModelError as error:
                spent.usage += error.usage
                reason = f"the model gave no answer ({error.kind}): the sections that fit best"
                break
            spent.usage.append(answer.usage)
            verdict, claimed = said(answer.data)
            kept, dropped = supported(support, claimed)
            if kept:
                told = f"{len(dropped)} of {len(kept) + len(dropped)} sentences were dropped" if dropped else "as cited"
                why = f"the pages say it, {told}{left_out}"
                return of_sentences(kept, tier="call", reason=why, verdict=verdict if mode == "validate" else None)
            if not dropped:
                reason = "the model found nothing about it in the pages: the sections that fit best"
                break
            reason = "nothing that the model said stands in the pages: the sections that fit best"
            again = "\n".join(f"- {each}" for each in dropped)
            messages += [
                Message("assistant", json.dumps(answer.data, ensure_ascii=False)[:4_000]),
                Message("user", f"The passages do not say this:\n{Marked(again, 'your answer')}\n{_AGAIN}"),
            ]
        return _quoted(mode, asker, chosen, f"{reason}{left_out}")

    # --- What is kept

    def _key(self, mode: Asking, asker: Asker, question: str, seen: str) -> str:
        read = [VERSION, self._name, asker.space, asker.pages.commit, self._limits.files, self._limits.characters, seen]
        about = json.dumps([mode, normal(question), *read])
        return f"knowledge:{hashlib.sha256(about.encode('utf-8', 'surrogatepass')).hexdigest()}"

    async def _kept(self, key: str) -> Finding | None:
        self.asked += 1
        try:
            data = await self._cache.get(key)
        except ExpiringAway:
            return None
        if data is None:
            return None
        self.found += 1
        return Finding.load(json.loads(data))

    async def _keep(self, key: str, finding: Finding) -> None:
        with suppress(ExpiringAway):  # the next one who asks pays again
            await self._cache.swap(key, None, json.dumps(finding.dump()).encode(), KEPT)


_AGAIN = "Answer again: only what the passages say, in their words, with their numbers. Give no sentences if that is nothing."


def supported(support: Support, claimed: list[tuple[str, tuple[int, ...]]]) -> tuple[tuple[Sentence, ...], list[str]]:
    """The sentences that their lines bear out, and those that they do not."""
    kept: dict[str, Sentence] = {}
    dropped: list[str] = []
    for text, cited in claimed:
        for sentence in sentences(text):
            lines = support.of(sentence, cited)
            if lines is None:
                dropped.append(sentence)
            else:
                kept.setdefault(sentence, Sentence(sentence, lines))
    return tuple(kept.values()), dropped


def _perceived(game: Game) -> str:
    """What the player perceives, as lines."""
    seen = view(game.world.session, game.state, game.player)
    return "\n".join(f"{name}: {_line(value)}" for name, value in seen.items() if value not in (None, "", [], {}))


def _line(value: Any) -> str:
    return ", ".join(map(str, cast("list[Any]", value))) if isinstance(value, list) else str(value)


def _quoted(mode: Asking, asker: Asker, chosen: Chosen, reason: str) -> Finding:
    found = quoted(asker.pages, chosen.hits, reason)
    return replace(found, verdict="unclear") if mode == "validate" else found
