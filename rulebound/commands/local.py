"""Owns `rulebound local install|start|stop|label|status`: models that run on this machine. It must not know how they run."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from agents.local import MODELS, Local, configured, installed, local_model
from agents.local import install as fetch
from rulebound.settings import Settings


def install(name: str) -> int:
    """Fetches a model; how far it is goes to standard error."""
    file = fetch(name, Settings.from_environment().home, lambda line: print(line, file=sys.stderr, flush=True))
    print(f"{name} is installed: {file}")
    return 0


def start(name: str) -> int:
    """Starts a model and lets it stay; prints where it answers."""
    local = Local(name, Settings.from_environment().home)
    local.pin()
    print(f"{name} answers at {local.place.url} with the key {local.place.key}")
    return 0


def stop(name: str, *, force: bool) -> int:
    """Ends a model."""
    Local(name, Settings.from_environment().home).stop(force=force)
    print(f"{name} does not run")
    return 0


def label(name: str, messages: Sequence[str]) -> int:
    """Prints a route for each message, its probability, and how long it took."""
    from agents.models.client import Client
    from agents.models.labelling import Labeller
    from router.kinds import EXAMPLES, KINDS

    async def ask() -> None:
        async with Client(configured(place)) as model:
            labeller = Labeller(model, KINDS, EXAMPLES)
            for message in messages:
                found = await labeller.label(message, deadline=60)
                print(f"{found.label:<9} {found.probability:4.0%} {found.usage.seconds * 1e3:5.0f} ms  {message}")

    with local_model(name, Settings.from_environment().home) as place:
        asyncio.run(ask())
    return 0


def status() -> int:
    """Prints a line for each model."""
    home = Settings.from_environment().home
    there = installed(home)
    for name, weights in MODELS.items():
        state = "not installed"
        if name in there:
            found = Local(name, home).status()
            server = found.servers[0]
            users = ", ".join(map(str, found.users)) or "none"
            running = f"process {server.pid}, used by {users}{', pinned' if found.pinned else ''}"
            state = f"installed, {server.state}{f': {running}' if server.pid else ''}"
        print(f"{name}: {state}\n  {weights.about}")
    return 0
