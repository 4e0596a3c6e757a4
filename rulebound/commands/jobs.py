"""Owns `rulebound jobs list|retry`: what runs between turns and failed. It must not know what jobs do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from rulebound.app import open_app
from rulebound.settings import Settings

MOST = 1000
WHAT = {"tick": "clock of", "told": "message on"}


def jobs() -> int:
    """Prints what failed; 1 where something was given up."""

    async def ask() -> int:
        async with open_app(Settings.from_environment()) as app:
            troubles = await app.store.work.troubles(MOST)
        for each in troubles:
            state = "given up" if each.dead else "tried again"
            print(f"{WHAT[each.kind]} {each.what} ({each.key}): {state} after {each.attempts}: {each.error}")
        print(f"{len(troubles)} failed, {sum(each.dead for each in troubles)} given up.")
        return int(any(each.dead for each in troubles))

    return asyncio.run(ask())


def retry() -> int:
    """Has everything that was given up tried again."""

    async def ask() -> int:
        async with open_app(Settings.from_environment()) as app:
            return await app.store.work.retry(datetime.now(UTC))

    print(f"{asyncio.run(ask())} will be tried again, as soon as a game or a server runs.")
    return 0
