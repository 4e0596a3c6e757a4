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
from datetime import datetime
from typing import Any, cast

from agents.game import Game
from agents.knowledge_agent.asking import Asker, Asking, unsettled
from agents.knowledge_agent.exact import decided, quoted, stated
from agents.knowledge_agent.findings import Finding
from agents.knowledge_agent.passages import Limits, choose, searched
from agents.knowledge_agent.prompts import VERSION, Mode
from agents.knowledge_agent.words import normal
from agents.models import Model
from kb.view import view
from storage.expiring import Expiring, ExpiringAway, LocalExpiring

KEPT = 7 * 24 * 3600.0
"""Seconds for which an answer is kept. It is found by its commit alone, so it is never old, only not asked for any more."""


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
        found = decided(game, statement, self._now and self._now()) if game else None
        return found or await self._answer("validate", asker, statement, game, deadline)

    async def synthesise(self, asker: Asker, subject: str, *, deadline: float = 20.0) -> Finding:
        """What several pages say about a subject, each sentence with the lines that say it."""
        return await self._answer("synthesise", asker, subject, None, deadline)

    async def _answer(self, mode: Mode, asker: Asker, question: str, game: Game | None, deadline: float) -> Finding:
        if self._model is None:
            if mode == "validate":
                return await asyncio.to_thread(stated, asker.pages, question, self._limits)
            hits = await asyncio.to_thread(searched, asker.pages, question)
            return quoted(asker.pages, hits, "no model is configured: the sections that fit best")
        seen = _perceived(game) if game else ""
        key = self._key(mode, asker, question, seen)
        if (kept := await self._kept(key)) is not None:
            return kept
        chosen = await asyncio.to_thread(choose, asker.pages, question, self._limits)
        if not chosen.passages and not seen:
            return unsettled(mode, asker, chosen, "no page is about this")
        finding, good = await Asking(self._model, self._name, mode, asker, question, chosen, seen).asked(deadline)
        if good:
            await self._keep(key, finding)
        return finding

    # --- What is kept

    def _key(self, mode: Mode, asker: Asker, question: str, seen: str) -> str:
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


def _perceived(game: Game) -> str:
    """What the player perceives, as lines."""
    seen = view(game.world.session, game.state, game.player)
    return "\n".join(f"{name}: {_line(value)}" for name, value in seen.items() if value not in (None, "", [], {}))


def _line(value: Any) -> str:
    return ", ".join(map(str, cast("list[Any]", value))) if isinstance(value, list) else str(value)
