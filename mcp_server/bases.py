"""Owns the joining of knowledge bases to an app: which there are for its clients, and where they and their audit are kept.

`bases(app, served)` is a `KnowledgeService`. It must not know tools.
"""

from __future__ import annotations

from datetime import UTC, datetime

from agents.knowledge import KnowledgeService, MemorySpaces
from mcp_server.tools.served import Served
from rulebound.app import App


def bases(app: App, served: Served) -> KnowledgeService:
    """The knowledge bases that were made, and the served worlds, which anybody reads who may read at all."""
    fixed = {name: where.location for name, where in served.worlds.items()}
    home, cache = app.settings.home, app.settings.cache
    # Only who keeps games pays for importing the drivers.
    from storage.postgres import PostgresStore

    if not isinstance(app.store, PostgresStore):
        return KnowledgeService(MemorySpaces(), fixed, home=home, cache=cache)
    from agents.identity import Identities
    from agents.knowledge.kept import KeptSpaces, auditing

    identities = Identities(app.store.access, app.store.channels, now=lambda: datetime.now(UTC))
    spaces = KeptSpaces(app.store.access, identities)
    return KnowledgeService(spaces, fixed, home=home, cache=cache, audit=auditing(app.store.connections))
