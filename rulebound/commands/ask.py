"""Owns `rulebound ask`: one message, in a player's game or about a world, through the router. It must not know routes."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack

from agents.access import LOCAL
from agents.worlds import Where
from router import Answered
from rulebound.app import PRINCIPAL, App, build, open_app
from rulebound.settings import Settings


def ask(where: Where, question: str, *, player: str | None, persona: str, as_json: bool) -> int:
    """Prints the answer; 0 when there is one, 1 where nobody knew. Raises `WorldError`, `StoreError`."""
    answered = asyncio.run(_ask(where, question, player, persona, show=not as_json))
    if as_json:
        print(json.dumps(answered.as_data(), ensure_ascii=False))
    else:
        cited = "".join(f"\n  {each}" for each in answered.citations if str(each) not in answered.text)
        notes = "".join(f"\n({each})" for each in answered.notes)
        print(f"{cited}{notes}\n({answered.route}, by {answered.tier}: {answered.reason})")
    nobody_knew = answered.route == "help" or (answered.route == "knowledge" and not answered.citations)
    return int(nobody_knew)


async def _ask(where: Where, question: str, player: str | None, persona: str, *, show: bool) -> Answered:
    settings = Settings.from_environment()
    async with AsyncExitStack() as stack:
        # A question about pages keeps nothing, unless a model is paid for it.
        kept = player is not None or settings.has_models
        app: App = await stack.enter_async_context(open_app(settings)) if kept else build(settings)
        router = app.router(app.knowledge({}))
        handle = "" if player is None else await _seat(app, where, player)
        world = app.worlds(where) if player is None else None
        told, answered = "", None
        async for piece in router.stream(LOCAL, question, handle=handle, world=world, persona=persona):
            told, answered = told + piece.text, piece.answered
            if show:
                print(piece.text, end="", flush=True)
        assert answered is not None, "the last piece carries the answer"
        if show and told.strip() != answered.text.strip():
            print(f"\n\n{answered.text}" if told else answered.text, end="")
        return answered


async def _seat(app: App, where: Where, player: str) -> str:
    """The player's last game in the world, or a new one."""
    handle = await app.games.resume(where, PRINCIPAL, player)
    return handle or (await app.games.start(where, PRINCIPAL, name=player))[0]
