"""Owns what is kept of who may do what: keys, roles, teams, namespaces and shares, each change with its entry in the audit.

`PostgresAccess(connections)`. Roles, scopes and rights are words here. It must not know what they allow, nor see a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from storage.access import Act, FoundKey, Held, Key, NamespaceRecord, Share
from storage.postgres.audit import append
from storage.postgres.connections import Connections

_KEY = "id, prefix, principal, name, scopes, expires, revoked, created, created_by, used"

# All that a request needs to know about a key, in one round trip.
KEY = f"""
SELECT {_KEY}, hash,
    ARRAY(SELECT role FROM roles WHERE roles.principal = api_keys.principal) AS roles,
    ARRAY(SELECT team FROM teams WHERE teams.principal = api_keys.principal) AS teams
FROM api_keys WHERE prefix = $1"""

HELD = """
SELECT ARRAY(SELECT role FROM roles WHERE principal = $1) AS roles,
    ARRAY(SELECT team FROM teams WHERE principal = $1) AS teams"""

KEYS = f"SELECT {_KEY} FROM api_keys ORDER BY created DESC, id DESC LIMIT $1"

KEYS_OF = f"SELECT {_KEY} FROM api_keys WHERE principal = $2 ORDER BY created DESC, id DESC LIMIT $1"

BY_ID = f"SELECT {_KEY} FROM api_keys WHERE id = $1"

# To the hour, so that a key that is used all the time is written once an hour.
USED = """
UPDATE api_keys SET used = date_trunc('hour', $2::timestamptz)
WHERE id = $1 AND (used IS NULL OR used < date_trunc('hour', $2::timestamptz))"""

ADD_KEY = """
INSERT INTO api_keys (id, prefix, hash, principal, name, scopes, expires, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING RETURNING id"""

REVOKE = "UPDATE api_keys SET revoked = $2 WHERE id = $1 AND revoked IS NULL RETURNING id"

ROLES = "SELECT principal, role AS what, granted_by, at FROM roles ORDER BY principal, role LIMIT $1"

ROLES_OF = "SELECT principal, role AS what, granted_by, at FROM roles WHERE principal = $2 ORDER BY role LIMIT $1"

GRANT = """
INSERT INTO roles (principal, role, granted_by) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING principal"""

WITHDRAW = "DELETE FROM roles WHERE principal = $1 AND role = $2 RETURNING principal"

MEMBERS = "SELECT principal, team AS what, added_by AS granted_by, at FROM teams ORDER BY team, principal LIMIT $1"

MEMBERS_OF = """
SELECT principal, team AS what, added_by AS granted_by, at FROM teams WHERE principal = $2 ORDER BY team LIMIT $1"""

JOIN = "INSERT INTO teams (principal, team, added_by) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING principal"

LEAVE = "DELETE FROM teams WHERE principal = $1 AND team = $2 RETURNING principal"

NAMESPACES = "SELECT name, location, visibility, owner, team FROM namespaces ORDER BY name"

KEEP = """
INSERT INTO namespaces (name, location, visibility, owner, team) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO UPDATE SET location = $2, visibility = $3, owner = $4, team = $5 RETURNING name"""

ADD = """
INSERT INTO namespaces (name, location, visibility, owner, team) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO NOTHING RETURNING name"""

# Its shares go with it.
DROP = "DELETE FROM namespaces WHERE name = $1 RETURNING name"

SHARES = """
SELECT namespace, kind, holder, may, until, granted_by, at FROM shares WHERE namespace = $1 ORDER BY kind, holder"""

# What a principal holds, by themselves and through teams, and has not ended.
SHARED = """
SELECT namespace, may, until FROM shares
WHERE ((kind = 'principal' AND holder = $1) OR (kind = 'team' AND holder = ANY($2::text[])))
    AND (until IS NULL OR until > $3)"""

SHARE = """
INSERT INTO shares (namespace, kind, holder, may, until, granted_by) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (namespace, kind, holder) DO UPDATE SET may = $4, until = $5, granted_by = $6, at = now() RETURNING namespace"""

UNSHARE = "DELETE FROM shares WHERE namespace = $1 AND kind = $2 AND holder = $3 RETURNING namespace"

MOST = 1000
"""How much a list tells."""


class PostgresAccess:
    """What changes something takes an `Act`, audits it in the same transaction, and gives False where nothing changed."""

    def __init__(self, connections: Connections):
        self._connections = connections

    # --- keys

    async def key(self, prefix: str) -> FoundKey | None:
        row = await self._connections.row(KEY, prefix)
        return FoundKey(_key(row), row["hash"], tuple(row["roles"]), tuple(row["teams"])) if row else None

    async def key_by_id(self, id: str) -> Key | None:
        row = await self._connections.row(BY_ID, id)
        return _key(row) if row else None

    async def keys(self, principal: str | None = None) -> Sequence[Key]:
        """The newest first."""
        return [_key(row) for row in await self._listed(KEYS, KEYS_OF, principal)]

    async def used(self, id: str, at: datetime) -> None:
        await self._connections.fetch(USED, id, at)

    async def add_key(self, key: Key, hash: bytes, act: Act) -> bool:
        values = (key.prefix, hash, key.principal, key.name, list(key.scopes), key.expires, key.created_by)
        return await self._change(act, ADD_KEY, key.id, *values)

    async def revoke_key(self, id: str, at: datetime, act: Act) -> bool:
        return await self._change(act, REVOKE, id, at)

    # --- roles and teams

    async def held(self, principal: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The roles and the teams of a principal."""
        row = await self._connections.row(HELD, principal)
        assert row is not None, "it has no FROM"
        return tuple(row["roles"]), tuple(row["teams"])

    async def roles(self, principal: str | None = None) -> Sequence[Held]:
        return [Held(**row) for row in await self._listed(ROLES, ROLES_OF, principal)]

    async def grant(self, principal: str, role: str, by: str, act: Act) -> bool:
        return await self._change(act, GRANT, principal, role, by)

    async def withdraw(self, principal: str, role: str, act: Act) -> bool:
        return await self._change(act, WITHDRAW, principal, role)

    async def members(self, principal: str | None = None) -> Sequence[Held]:
        """Who is in which team."""
        return [Held(**row) for row in await self._listed(MEMBERS, MEMBERS_OF, principal)]

    async def join(self, principal: str, team: str, by: str, act: Act) -> bool:
        return await self._change(act, JOIN, principal, team, by)

    async def leave(self, principal: str, team: str, act: Act) -> bool:
        return await self._change(act, LEAVE, principal, team)

    # --- namespaces and shares

    async def namespaces(self) -> Sequence[NamespaceRecord]:
        return [NamespaceRecord(**row) for row in await self._connections.fetch(NAMESPACES)]

    async def keep_namespace(self, kept: NamespaceRecord, act: Act, *, new: bool = False) -> bool:
        """A new one, or another location, visibility, owner or team of a known one, but not where it must be `new`."""
        values = (kept.location, kept.visibility, kept.owner, kept.team)
        return await self._change(act, ADD if new else KEEP, kept.name, *values)

    async def drop_namespace(self, name: str, act: Act) -> bool:
        return await self._change(act, DROP, name)

    async def shares(self, namespace: str) -> Sequence[Share]:
        """Those that have ended too, until they are taken back."""
        return [Share(**row) for row in await self._connections.fetch(SHARES, namespace)]

    async def shared(
        self, principal: str, teams: Sequence[str], now: datetime
    ) -> Sequence[tuple[str, str, datetime | None]]:
        """Namespaces, rights and ends of what a principal and these teams hold."""
        rows = await self._connections.fetch(SHARED, principal, list(teams), now)
        return [(row["namespace"], row["may"], row["until"]) for row in rows]

    async def share(
        self, namespace: str, kind: str, holder: str, may: str, until: datetime | None, by: str, act: Act
    ) -> bool:
        """A new share, or another right or end of a known one. The namespace must be known."""
        return await self._change(act, SHARE, namespace, kind, holder, may, until, by)

    async def unshare(self, namespace: str, kind: str, holder: str, act: Act) -> bool:
        return await self._change(act, UNSHARE, namespace, kind, holder)

    async def _listed(self, every: str, of: str, principal: str | None) -> Sequence[Any]:
        return await (
            self._connections.fetch(every, MOST) if principal is None else self._connections.fetch(of, MOST, principal)
        )

    async def _change(self, act: Act, query: str, *values: Any) -> bool:
        async def run(connection: Any) -> bool:
            async with connection.transaction():
                if not await connection.fetch(query, *values):
                    return False
                await append(connection, act.actor, act.action, act.target, act.data, act.address)
                return True

        return await self._connections.run(run)


def _key(row: Any) -> Key:
    return Key(
        id=row["id"].hex, prefix=row["prefix"], principal=row["principal"], name=row["name"],
        scopes=tuple(row["scopes"]), created=row["created"], created_by=row["created_by"], expires=row["expires"],
        revoked=row["revoked"], used=row["used"],
    )  # fmt: skip
