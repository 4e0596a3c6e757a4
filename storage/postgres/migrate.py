"""Owns bringing a database to this version's schema, and back.

`await migrate(url)`; several processes may start at once. It must not know what the tables are for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg

from storage.store import StoreError

HEAD = "0007"
"""The newest revision in `migrations/versions`."""
_LOCK = 0x52756C65
"""Names the lock under which a database is migrated."""


class WrongSchema(StoreError):
    """The database was made by a newer version of Rulebound."""

    hint = "Install that version, or name another database in RULEBOUND_DATABASE_URL."


async def migrate(connection: asyncpg.Connection[Any], url: str, revision: str = HEAD) -> None:
    """Brings the database to a revision; does nothing, and imports nothing, where it is there already."""
    if await version(connection) != revision:
        await _run(url, revision)


async def version(connection: asyncpg.Connection[Any]) -> str | None:
    """The revision that a database is at; None where it is empty."""
    if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
        return None
    return await connection.fetchval("SELECT version_num FROM alembic_version")


async def _run(url: str, revision: str) -> None:
    # Heavy, and needed once for each new database or version.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from sqlalchemy import Connection, text
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}

    def go(connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        there = connection.execute(text("SELECT to_regclass('alembic_version')")).scalar()
        now = connection.execute(text("SELECT version_num FROM alembic_version")).scalar() if there else None
        if now is not None and now not in known:
            raise WrongSchema(f"the database is at revision {now!r}, and this version knows {HEAD!r} at most")
        config.attributes["connection"] = connection
        forward = revision != "base" and (now is None or now <= revision)
        (command.upgrade if forward else command.downgrade)(config, revision)

    async def connect() -> Any:
        return await asyncpg.connect(url)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(go)
    finally:
        await engine.dispose()
