"""Owns which namespaces were made and what was lent in them, as `agents.knowledge` asks for it (its protocol `Spaces`).

`GrantedSpaces(identities, granting)`. It must not know what they hold.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents.access import Namespace, Principal, Right
from agents.identity.granting import Granting
from agents.identity.recognising import Identities


class GrantedSpaces:
    def __init__(self, identities: Identities, granting: Granting):
        self._identities, self._granting = identities, granting

    async def namespaces(self) -> Sequence[Namespace]:
        return await self._identities.namespaces()

    async def right(self, who: Principal, namespace: str) -> Right | None:
        """What shares that hold now give, by themselves or through teams."""
        return await self._identities.right(who, namespace)

    async def add(self, who: Principal, namespace: Namespace) -> None:
        """Raises `AccessError` where the name is taken."""
        await self._granting.keep_namespace(who, namespace, made=True)

    async def remove(self, who: Principal, name: str) -> None:
        await self._granting.drop_namespace(who, name)
