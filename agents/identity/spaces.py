"""Owns the namespaces and shares that are kept, as `agents.knowledge` asks for them. It must not know what they hold."""

from __future__ import annotations

from collections.abc import Sequence

from agents.access import Namespace, Principal, Right
from agents.identity.granting import Granting
from agents.identity.recognising import Identities


class AccessSpaces:
    """`agents.knowledge.Spaces` over what is kept; each change is audited."""

    def __init__(self, identities: Identities, granting: Granting):
        self._identities, self._granting = identities, granting

    async def namespaces(self) -> Sequence[Namespace]:
        return await self._identities.namespaces()

    async def right(self, who: Principal, namespace: str) -> Right | None:
        return await self._identities.right(who, namespace)

    async def add(self, who: Principal, namespace: Namespace) -> None:
        await self._granting.made(who, namespace)

    async def remove(self, who: Principal, name: str) -> None:
        await self._granting.drop_namespace(who, name)
