"""Owns `/health/live` (this worker answers) and `/health` (it can serve): which part does not, and since when it runs.

`routes(Health(app, …))`. Whoever asks is told how the parts are; an admin also why, and what failed lately. It must not know
how the parts are asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from agents.background import Background
from agents.health import health
from mcp_server.web.refusals import principal
from mcp_server.web.requests import Errors
from rulebound import __version__
from rulebound.app import App
from storage.postgres import PostgresStore

FRESH = 1.0
"""Seconds for which what was found is told again."""
ANSWER = 3.0
"""Seconds after which a store that says nothing is called degraded."""
_FRESH_HEADERS = {"cache-control": "no-store"}


class Health:
    """How one worker is. `commits` gives the live commit of each world that is open; `background` runs between turns."""

    def __init__(
        self,
        app: App,
        errors: Errors,
        *,
        background: Background | None = None,
        commits: Callable[[], Mapping[str, str]] | None = None,
    ):
        self._app, self._errors, self._background, self._commits = app, errors, background, commits
        self._begun = time.monotonic()
        self._lock = asyncio.Lock()
        self._found: dict[str, Any] = {}
        self._until = float("-inf")

    async def report(self, *, full: bool) -> tuple[bool, dict[str, Any]]:
        """Whether this worker can serve, and how its parts are; `full` has reasons, commits and errors."""
        async with self._lock:
            if time.monotonic() >= self._until:
                self._found = await self._stores()
                self._until = time.monotonic() + FRESH
        parts = dict(self._found)
        able = parts.get("postgres", {"status": "healthy"})["status"] == "healthy"
        well = able and all(each["status"] == "healthy" for each in parts.values())
        trouble = (self._background.trouble if self._background else "") or self._app.answering.voices.minds.trouble
        if not full:
            parts = {name: {"status": each["status"]} for name, each in parts.items()}
        told: dict[str, Any] = {
            "status": "unable" if not able else "degraded" if not well or trouble else "healthy",
            **parts,
            "version": __version__,
            "uptime": round(time.monotonic() - self._begun, 1),
        }
        if full:
            told |= {"between_turns": trouble or "healthy", "errors": self._errors.report()}
            if self._commits is not None:
                told["worlds"] = dict(self._commits())
        return able, told

    async def _stores(self) -> dict[str, Any]:
        if not isinstance(self._app.store, PostgresStore):
            return {}
        found = await health(self._app.store, ANSWER, models=self._app.client)
        del found["status"]
        return found


def routes(health: Health) -> list[Route]:
    """`/health/live` is 200 while the worker answers; `/health` is 503 where it cannot serve."""

    async def live(_: Request) -> JSONResponse:
        return JSONResponse({"status": "alive"}, headers=_FRESH_HEADERS)

    async def ready(request: Request) -> JSONResponse:
        able, told = await health.report(full=principal(request).may("admin"))
        return JSONResponse(told, 200 if able else 503, _FRESH_HEADERS)

    return [Route("/health/live", live), Route("/health", ready)]
