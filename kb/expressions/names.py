"""Owns what an expression is checked against: the names that are in scope and what they hold.

The compiler implements `Names`; the checker asks it. It must not know pages or rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from kb.types import Type


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """A field as an expression sees it. `derived` fields are computed on reading."""

    name: str
    type: Type
    derived: bool = False


class Names(Protocol):
    """Everything that an expression may name."""

    def local(self, name: str) -> Type | None:
        """The type of a local name (a role, an argument, `player`, `action`, …)."""
        ...

    def locals(self) -> Iterable[str]: ...

    def instance(self, name: str) -> tuple[str, str] | None:
        """(id, kind) of the single instance that the identifier (`brass_lamp`) names."""
        ...

    def collection(self, name: str) -> str | None:
        """The kind whose plural this is."""
        ...

    def field(self, kind: str, name: str) -> FieldInfo | None:
        """The field of a kind (own, inherited or built in)."""
        ...

    def fields(self, kind: str) -> Iterable[str]: ...

    def kinds_within(self, kind: str) -> frozenset[str]:
        """The kind and all that are below it (`thing` gives all kinds that have a location, and place)."""
        ...

    def kind_of_id(self, id: str) -> str | None:
        """The kind of the template or seeded instance with this id, for checking text that is compared with a reference."""
        ...

    def instance_names(self) -> Iterable[str]: ...

    def ids(self, kinds: tuple[str, ...]) -> Iterable[str]:
        """The known ids of these kinds, for "did you mean"."""
        ...

    def open_kind(self, kind: str) -> bool:
        """Whether instances of this kind can be many or arise in play (`create`, data files): an unknown id
        is then no error, and a collection must be searched by a field."""
        ...
