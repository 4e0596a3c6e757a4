"""Owns `rulebound replay`. It must not know how turns are replayed."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import partial

from agents.replay import Archive, Report, StoredGames, Wanted
from agents.replay import replay as run
from agents.replay.shown import FORMS, render
from agents.worlds import Where
from rulebound.app import open_app
from rulebound.settings import Settings
from storage.postgres import PostgresStore
from storage.postgres.connections import Connections

_AGO = re.compile(r"(\d{1,6})([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def replay(
    player: str | None, since: str | None, against: str | None, world: Where | None, jobs: int | None, form: str
) -> int:
    """Prints what became of stored turns; 0 nothing differs, 1 something does, 2 nothing can be replayed."""
    settings = Settings.from_environment()
    if form not in FORMS:
        print(f"rulebound: there is no format {form!r}. Use one of {', '.join(FORMS)}.", file=sys.stderr)
        return 2
    begin = None
    if since is not None and (begin := moment(since, datetime.now(UTC))) is None:
        print(f"rulebound: {since!r} is not a time. Write 2026-03-01, 2026-03-01T12:00Z or 7d.", file=sys.stderr)
        return 2
    started = time.perf_counter()
    wanted = Wanted(player, world, begin)
    report = asyncio.run(_run(settings, wanted, against, jobs or os.cpu_count() or 1))
    print(render(report, form))
    print(f"{report.replayed:,} turns in {time.perf_counter() - started:.1f} s.", file=sys.stderr)
    return report.status


async def _run(settings: Settings, wanted: Wanted, against: str | None, jobs: int) -> Report:
    async with open_app(settings) as app:
        games = partial(stored_games, app.store.connections.url)
        return await run(games, wanted, against=against, jobs=jobs, cache=settings.cache)


async def stored_games(url: str) -> Archive:
    """The games of a database, over connections of the process's own."""
    return StoredGames(PostgresStore(Connections(url)))


def moment(text: str, now: datetime) -> datetime | None:
    """A time as it is written (UTC where no zone is), or so long before now (`7d`, `12h`, `30m`); None for neither."""
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
