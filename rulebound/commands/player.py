"""Owns `rulebound player show|export|erase`: what is kept about a player of this machine. It must not know how it is kept."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable

from agents.players import PlayerService
from rulebound.app import PRINCIPAL, open_app
from rulebound.settings import Settings
from storage.postgres import PostgresStore

OPERATOR = "operator"
"""Who acts here, for the audit."""


def show(name: str) -> int:
    """Prints the profile, and each experience with how far the player is. Raises `NoSuchPlayer`."""

    async def work(players: PlayerService, player: str) -> int:
        profile = await players.progress.profile(player)
        print(f"{profile.player.name}, level {profile.player.level}, {profile.player.id}")
        print(
            f"{profile.experiences} experiences ({profile.completed} completed), {profile.turns} turns, score "
            f"{profile.score}, {_length(profile.playtime)}, {profile.distance:,.0f} m"
        )
        for each in await players.resumable(player, 1000):
            at = f" at {each.location}" if each.location else ""
            done = "completed" if each.completed else f"{each.completion:.0%}"
            print(f"\n{each.experience}: {done}, score {each.score}, {each.turns} turns, {_length(each.playtime)}{at}")
            print(
                f"  last played {each.last_turn:%Y-%m-%d %H:%M} UTC; carries {', '.join(each.inventory) or 'nothing'}"
            )
            print(f"  has been to {', '.join(each.visited) or 'no place'}")
        for earned in await players.progress.achievements(player):
            print(f"\nachieved in {earned.experience}: {earned.reason}")
        return 0

    return _with(name, work)


def export(name: str, file: str) -> int:
    """Writes everything that is kept about a player to a file (`-`: standard output) as JSON. Raises `NoSuchPlayer`."""

    async def work(players: PlayerService, player: str) -> int:
        text = json.dumps(await players.export(player, actor=OPERATOR), ensure_ascii=False, indent=1)
        if file == "-":
            print(text)
        else:
            with open(file, "w", encoding="utf-8") as out:
                out.write(text + "\n")
        return 0

    return _with(name, work)


def erase(name: str, *, sure: bool) -> int:
    """Erases a player after a confirmation; 1 where it was not given. Raises `NoSuchPlayer`."""

    async def work(players: PlayerService, player: str) -> int:
        if not sure and not _confirmed(name):
            print("Nothing was erased.", file=sys.stderr)
            return 1
        erased = await players.erase(player, actor=OPERATOR)
        print(
            f"Erased {name}: {len(erased.games)} games, {erased.events} events; {erased.turns} turns in "
            f"{len(erased.shared)} shared worlds are blank now."
        )
        return 0

    return _with(name, work)


def _confirmed(name: str) -> bool:
    """Whether the user types the name once more."""
    print(f"Everything of {name} goes for good: games, saves, progress. Type the name again: ", end="", flush=True)
    return sys.stdin.readline().strip() == name


def _length(seconds: float) -> str:
    """A duration in hours and minutes."""
    return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"


def _with(name: str, work: Callable[[PlayerService, str], Awaitable[int]]) -> int:
    """Does something with the player of this name."""

    async def run() -> int:
        async with open_app(Settings.from_environment()) as app:
            assert isinstance(app.store, PostgresStore), "an app that was opened is over PostgreSQL"
            players = PlayerService(app.store, app.games, now=app.now, erased=app.answering.erased)
            return await work(players, (await players.progress.player(PRINCIPAL, name)).id)

    return asyncio.run(run())
