"""Owns how a model on this machine is asked: as a provider among others.

`async with running("smollm2", home) as place, Client(configured(place)) as model`. It must not know how the model is run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from agents.local.server import Local, Place
from agents.models.configuration import Configuration, Prices, Provider, Through
from storage.embedded import ServiceError

NAME = "local"
LOOK = 10.0
"""Seconds between looks at whether the server still lives."""


def configured(place: Place, through: Through = "http", beside: Configuration | None = None) -> Configuration:
    """A configuration that asks the model at a place for everything, at no price; `beside` others, for labels alone."""
    provider = Provider(
        NAME,
        place.model if through == "http" else f"openai/{place.model}",
        place.url,
        place.key,
        through,
        Prices(0, 0),
        grammar=True,
        concurrency=1,  # the server would let others wait too, but not fairly
        timeout=120.0,
    )
    if beside is None:
        return Configuration({NAME: provider}, (NAME,))
    return replace(beside, providers={**beside.providers, NAME: provider}, label=beside.label or NAME)


@asynccontextmanager
async def running(name: str, home: Path, *, look: float = LOOK) -> AsyncGenerator[Place]:
    """An installed model that answers as long as the block lasts; a server that dies is started again, at the same address."""
    local = Local(name, home)
    place = await asyncio.to_thread(local.acquire)

    async def keep() -> None:
        while True:
            await asyncio.sleep(look)
            with suppress(ServiceError, OSError):  # until then its callers have their fallbacks
                await asyncio.to_thread(local.acquire)

    keeper = asyncio.create_task(keep())
    try:
        yield place
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await asyncio.to_thread(local.release)
