"""Owns `rulebound reset`: begin a world anew, or put it back. It must not know how states are made."""

from __future__ import annotations

import asyncio
import sys

from agents.game import GameError
from agents.worlds import Where
from rulebound.app import PRINCIPAL, App, open_app
from rulebound.settings import Settings

OPERATOR, ROLE = "operator", "admin"
"""Whoever runs the command line on this machine."""


def reset(where: Where, player: str | None, back: str | None, *, yes: bool) -> int:
    """Resets, or puts back to the save `back`; 1 where that was not wanted after all. Raises `GameError`."""

    async def run() -> str:
        async with open_app(Settings.from_environment()) as app:
            shared = player is None and app.worlds(where).rulebook.settings.shared
            return await (_world(app, where, back) if shared else _player(app, where, player or "you", back))

    whose = f"{player}'s game" if player else "everything that was played"
    if not yes and not _agreed(f"{whose} in {where.location} {f'goes back to {back}' if back else 'begins anew'}"):
        return 1
    print(asyncio.run(run()))
    return 0


def _agreed(what: str) -> bool:
    print(f"{what[0].upper()}{what[1:]}; a backup is kept. Go on? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


async def _world(app: App, where: Where, back: str | None) -> str:
    if back is None:
        name = await app.games.reset_world(where, OPERATOR, ROLE)
        return f"The world begins anew for everyone in it. As it was before, it is kept as {name}."
    name = await app.games.restore_world(where, OPERATOR, ROLE, back)
    return f"The world is as it was in {back}. As it was before, it is kept as {name}."


async def _player(app: App, where: Where, player: str, back: str | None) -> str:
    handle = await app.games.resume(where, PRINCIPAL, player)
    if handle is None:
        raise GameError(f"{player} has no game in {where.location}", "Name another player with `--player`.")
    if back is None:
        return (await app.games.reset(handle, PRINCIPAL)).text
    return (await app.games.restore(handle, PRINCIPAL, back)).text
