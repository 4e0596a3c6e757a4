"""Owns asking a model about chosen passages, and keeping of its answer what they bear out.

`await Asking(...).asked(deadline)` gives a finding whatever the model does: each sentence with lines that say it, or else the
sections themselves. It must not know how passages are chosen, nor caches.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

from agents.access import Principal
from agents.game import Game
from agents.knowledge import KnowledgeService
from agents.knowledge_agent.exact import quoted
from agents.knowledge_agent.findings import Finding, Sentence, Verdict, of_sentences
from agents.knowledge_agent.passages import Chosen
from agents.knowledge_agent.prompts import Mode, prompt, said, schema
from agents.knowledge_agent.support import Support, sentences
from agents.models import Marked, Message, Model, ModelError, Request, Usage
from agents.worlds import World
from kb.search import SearchIndex

ASKED = 2
"""Calls for one question at most: what the pages do not bear out is asked for once more."""
MAX_TOKENS = 700


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
        return Asker.about(game.world, game.seat.principal)

    @staticmethod
    def about(world: World, principal: str) -> Asker:
        """Somebody who was let into a world."""
        where = world.where
        return Asker(principal, f"{where.location} {where.revision} {where.experience}", world.index)


class Nothing(Enum):
    """Why a model's answer is none."""

    ANSWERED = "the model gave no answer"
    THERE = "the model found nothing about it in the pages"
    TRUE = "nothing that the model said stands in the pages"


@dataclass(frozen=True, slots=True)
class Asking:
    """One question to a model."""

    model: Model
    name: str
    mode: Mode
    asker: Asker
    question: str
    chosen: Chosen
    seen: str

    async def asked(self, deadline: float) -> tuple[Finding, bool]:
        """The model's answer as far as the pages bear it out, else the sections themselves; and whether it is worth keeping."""
        spent: list[Usage] = []
        found = await self._found(asyncio.get_running_loop().time() + deadline, spent)
        good, reason = isinstance(found, Finding), ""
        if not isinstance(found, Finding):
            good = found is Nothing.THERE
            found = unsettled(self.mode, self.asker, self.chosen, f"{found.value}: the sections that fit best")
        if self.chosen.left_out:
            reason = f"; passages that speak to a model were left out: {self.chosen.left_out}"
        tier = "call" if spent else found.tier
        return replace(found, reason=found.reason + reason, usage=tuple(spent), tier=tier), good

    async def _found(self, until: float, spent: list[Usage]) -> Finding | Nothing:
        support = Support(self.asker.pages.terms, self.chosen.passages, self.seen)
        system, user = prompt(self.mode, self.question, self.chosen.passages, self.seen)
        messages = [Message("system", system), Message("user", user)]
        for _ in range(ASKED):
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                return Nothing.ANSWERED
            request = Request(
                tuple(messages), self.mode, schema=schema(self.mode), max_tokens=MAX_TOKENS, deadline=left,
                priority=self.asker.priority, principal=self.asker.principal, model=self.name,
            )  # fmt: skip
            try:
                answer = await self.model.chat(request)
            except ModelError as error:
                spent += error.usage
                return Nothing.ANSWERED
            spent.append(answer.usage)
            verdict, claimed = said(answer.data)
            kept, dropped = supported(support, claimed)
            if kept:
                return self._kept(support, verdict, kept, len(dropped))
            if not dropped:
                return Nothing.THERE
            again = "\n".join(f"- {each}" for each in dropped)
            messages += [
                Message("assistant", json.dumps(answer.data, ensure_ascii=False)[:4_000]),
                Message("user", f"The passages do not say this:\n{Marked(again, 'your answer')}\n{_AGAIN}"),
            ]
        return Nothing.TRUE

    def _kept(self, support: Support, verdict: Verdict, kept: tuple[Sentence, ...], dropped: int) -> Finding:
        told = f"; {dropped} of {len(kept) + dropped} sentences were dropped" if dropped else ""
        if self.mode != "validate":
            return of_sentences(kept, tier="call", reason=f"the pages say it{told}")
        # A verdict is no sentence that lines could bear out: it must at least be about what was asked, and deny nothing said.
        beside = not any(support.about(self.question, each.text) for each in kept)
        if beside or (verdict == "invalid" and support.says(self.question)):
            verdict = "unclear"
        return of_sentences(kept, tier="call", reason=f"a model judged by the cited lines{told}", verdict=verdict)


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


def unsettled(mode: Mode, asker: Asker, chosen: Chosen, reason: str) -> Finding:
    found = quoted(asker.pages, chosen.hits, reason)
    return replace(found, verdict="unclear") if mode == "validate" else found
