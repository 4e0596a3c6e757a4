"""Owns namespaces and the audit of writes where they are kept: in PostgreSQL.

`KeptSpaces(access, identities)` is a `Spaces`; `auditing(connections)` an `Audit`. It must not know pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agents.access import Namespace, Principal, Right
from agents.identity import Identities, actor
from agents.knowledge.service import Audit
from storage.postgres import audit
from storage.postgres.access import Act, NamespaceRecord, PostgresAccess
from storage.postgres.connections import Connections


class KeptSpaces:
    """The namespaces and shares of an installation."""

    def __init__(self, access: PostgresAccess, identities: Identities):
        self._access, self._identities = access, identities

    async def namespaces(self) -> Sequence[Namespace]:
        return await self._identities.namespaces()

    async def right(self, who: Principal, namespace: str) -> Right | None:
        return await self._identities.right(who, namespace)

    async def add(self, who: Principal, namespace: Namespace) -> None:
        told = {"namespace": namespace.name, "visibility": namespace.visibility, "team": namespace.team}
        row = NamespaceRecord(namespace.name, namespace.location, namespace.visibility, namespace.owner, namespace.team)
        await self._access.keep_namespace(row, Act(actor(who), "kb.create", "", told, who.address))
        await self._identities.changed()

    async def remove(self, who: Principal, name: str) -> None:
        await self._access.drop_namespace(name, Act(actor(who), "kb.remove", "", {"namespace": name}, who.address))
        await self._identities.changed()


def auditing(connections: Connections) -> Audit:
    """Keeps what was written, by whom and from where; the commit says the rest."""

    async def keep(who: Principal, action: str, target: str, data: Mapping[str, str | int]) -> None:
        commit = str(data.get("commit", ""))[:32]  # as long as any other id
        told = {"namespace": target, "pages": int(data.get("pages", 0)), **({"commit": commit} if commit else {})}
        await audit.append(connections, actor(who), action, "", told, who.address)

    return keep
