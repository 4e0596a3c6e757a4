"""Owns `rulebound replay`. It must not know how turns are replayed."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

from agents.replay import Archive, StoredGames, Wanted
from agents.replay import replay as run
from agents.replay.shown import FORMS, render
from agents.worlds import Where
from rulebound.settings import Settings
from storage.embedded import Supervisor
from storage.postgres import PostgresStore

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
    jobs = jobs or os.cpu_count() or 1
    report = asyncio.run(run(partial(stored_games, settings), wanted, against=against, jobs=jobs, cache=settings.cache))
    print(render(report, form))
    print(f"{report.replayed:,} turns in {time.perf_counter() - started:.1f} s.", file=sys.stderr)
    return report.status


@asynccontextmanager
async def stored_games(settings: Settings) -> AsyncGenerator[Archive]:
    """The games that are kept, over connections of the process's own. No clock runs and no copy in Redis is asked."""
    supervisor = Supervisor(settings.home, database_url=settings.database_url, redis_url=settings.redis_url)
    try:
        servers = await asyncio.to_thread(supervisor.acquire)
        store = await PostgresStore.open(servers.database_url)
        try:
            yield StoredGames(store)
        finally:
            await store.close()
    finally:
        await asyncio.to_thread(supervisor.release)


def moment(text: str, now: datetime) -> datetime | None:
    """A time as it is written (UTC where no zone is), or so long before now (`7d`, `12h`, `30m`); None for neither."""
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
