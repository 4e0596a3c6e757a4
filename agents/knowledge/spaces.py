"""Owns which knowledge bases there are, as a seam: those that were made, and who was given a share of them.

`Spaces` is what the service needs of a store; `MemorySpaces` keeps it in this process. It must not know what they hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agents.access import Namespace, Principal, Right


class Spaces(Protocol):
    """The namespaces that were made (the operator's folders and the bundled worlds are not among them), and shares."""

    async def namespaces(self) -> Sequence[Namespace]: ...
    async def right(self, who: Principal, namespace: str) -> Right | None:
        """What a share that holds now gives a principal; None without one, also where there is no such namespace."""
        ...

    async def add(self, who: Principal, namespace: Namespace) -> None:
        """Keeps a namespace that `who` made, whose name is free, and audits it."""
        ...

    async def remove(self, who: Principal, name: str) -> None:
        """Forgets a namespace and its shares, and audits it."""
        ...


class MemorySpaces:
    """Namespaces and shares of one process; `shares` is (principal, namespace) → right."""

    def __init__(self, *namespaces: Namespace):
        self._namespaces = {each.name: each for each in namespaces}
        self.shares: dict[tuple[str, str], Right] = {}

    async def namespaces(self) -> Sequence[Namespace]:
        return list(self._namespaces.values())

    async def right(self, who: Principal, namespace: str) -> Right | None:
        return self.shares.get((who.id, namespace))

    async def add(self, who: Principal, namespace: Namespace) -> None:
        self._namespaces[namespace.name] = namespace

    async def remove(self, who: Principal, name: str) -> None:
        self._namespaces.pop(name, None)
        self.shares = {key: right for key, right in self.shares.items() if key[1] != name}
