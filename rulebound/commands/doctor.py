"""Owns `rulebound doctor`: what is missing on this machine and how to get it, and how the stores do.

`doctor()`, `health()`, `metrics()`. The first must not change anything but make home.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kb import library
from rulebound.app import App, open_app
from rulebound.commands import services
from rulebound.errors import clash
from rulebound.settings import Settings
from storage.embedded import ServiceError, binaries

if TYPE_CHECKING:
    from storage.postgres import PostgresStore

T = TypeVar("T")
ROOM = 50 * 2**20


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is needed, whether it is there, and how to get it."""

    good: bool
    what: str
    hint: str


def findings(settings: Settings) -> list[Finding]:
    """Everything that is looked at."""
    git = shutil.which("git")
    names = clash()
    worlds = ", ".join(library.worlds())
    return [
        Finding(sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}", "Install Python 3.11 or newer."),
        Finding(
            git is not None, f"git: {git or 'not found'}", "Install git; without it only plain folders can be read."
        ),
        *_home(settings.home),
        Finding(names is None, "the names of our modules are ours alone", names or ""),
        *_packages(),
        *_services(settings),
        Finding(bool(worlds), f"bundled worlds: {worlds or 'none'}", "Install rulebound again."),
    ]


def _home(home: Path) -> list[Finding]:
    hint = "Set RULEBOUND_HOME to a folder that can be written."
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            free = shutil.disk_usage(home).free
    except OSError as error:
        return [Finding(False, f"home {home}: {error.strerror}", hint)]
    room = Finding(free > ROOM, f"{free // 2**20} MiB free there", f"Make room, or {hint[0].lower()}{hint[1:]}")
    return [Finding(True, f"home {home} can be written", hint), room]


def _services(settings: Settings) -> list[Finding]:
    """The servers behind the games, as they are now."""
    try:
        found = services.described(settings, services.supervisor(settings).status())
        if settings.database_url is None:
            binaries.postgres()
        if settings.redis_url is None:
            binaries.valkey()
    except (OSError, ServiceError) as error:
        return [Finding(False, f"servers: {error}", getattr(error, "hint", "Check the permissions of that file."))]
    return [Finding(server.good, server.line, server.hint) for server in found]


def _packages() -> list[Finding]:
    """The packages that rulebound depends on, by what its own metadata says."""
    found: list[Finding] = []
    for requirement in importlib.metadata.requires("rulebound") or []:
        if ";" in requirement:
            continue
        name = re.split(r"[^\w.-]", requirement)[0]
        try:
            found.append(Finding(True, f"{name} {importlib.metadata.version(name)}", ""))
        except importlib.metadata.PackageNotFoundError:
            found.append(Finding(False, f"{name}: not installed", f"Install it: pip install '{requirement}'"))
    return found


def doctor() -> int:
    """Prints each finding; 0 when nothing is missing, else 1."""
    every = findings(Settings.from_environment())
    for finding in every:
        print(f"{'ok     ' if finding.good else 'MISSING'} {finding.what}")
        if not finding.good:
            print(f"        {finding.hint}")
    return 0 if all(finding.good for finding in every) else 1


def health() -> int:
    """Prints how each store does; 1 where one is degraded."""
    from agents.health import health as told

    found = asyncio.run(_opened(lambda store, app: told(store, models=app.client)))
    print(json.dumps(found, indent=1))
    return 0 if found["status"] == "healthy" else 1


def metrics() -> int:
    """Prints what is measured."""
    from agents.health import metrics as told

    print(asyncio.run(_opened(lambda store, app: told(store, app.games, datetime.now(UTC), app.client))), end="")
    return 0


async def _opened(ask: Callable[[PostgresStore, App], Awaitable[T]]) -> T:
    """What is asked of the store, which is opened for it."""
    from storage.postgres import PostgresStore

    async with open_app(Settings.from_environment()) as app:
        assert isinstance(app.store, PostgresStore), "an app that was opened is over PostgreSQL"
        return await ask(app.store, app)
