"""Owns what all pages of an experience declare together: kinds, fields, ids, actions, events.

`Declarations` answers every question that a page's compilation may ask of the others; `Scope` (kb.compiler.scope)
asks it. It is a plain value and must not know how pages are read or rules compiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from kb.compiler.builtin import ALWAYS, DERIVED
from kb.diagnostics import Span
from kb.expressions.names import FieldInfo
from kb.rulebook import Field
from kb.types import BOOL, UNKNOWN, Type

BUILTIN_SPAN = Span("built-in", 1)


@dataclass(frozen=True, slots=True)
class DerivedDecl:
    """A `## Derived` row before it is compiled: its source, where it stands and its type once that is known."""

    name: str
    kind: str
    self_name: str
    source: str
    span: Span
    meaning: str


@dataclass(frozen=True, slots=True)
class KindDecl:
    """A kind as declared: own fields only."""

    id: str
    plural: str
    parent: str | None
    fields: Mapping[str, Field]
    derived: Mapping[str, DerivedDecl]
    span: Span = BUILTIN_SPAN
    open: bool = False
    """Whether its instances can be many: from a data file, or made by `create`."""
    was: tuple[str, ...] = ()


@dataclass(frozen=True)
class Declarations:
    """The names of one experience. Built once per compilation; never changed afterwards."""

    kinds: Mapping[str, KindDecl]
    templates: Mapping[str, str]
    """template id → kind"""
    instances: Mapping[str, str]
    """id of each instance that exists from the start → kind"""
    categories: Mapping[str, Mapping[str, Span]]
    """category (rule, table, workflow, quest, scenario, library, event, …) → id → where it is declared"""
    created: frozenset[str]
    """template ids that an effect creates"""
    table_takes: Mapping[str, Mapping[str, Type]] = field(default_factory=dict[str, Mapping[str, Type]])
    derived_types: dict[tuple[str, str], Type] = field(default_factory=dict[tuple[str, str], Type])
    """(kind, field) → type, filled in as derived fields are inferred"""

    def ancestry(self, kind: str) -> Iterable[KindDecl]:
        """The kind and its parents, nearest first."""
        seen = 0
        current: str | None = kind
        while current is not None and (declared := self.kinds.get(current)) is not None and seen < 20:
            yield declared
            current, seen = declared.parent, seen + 1

    @cached_property
    def _below(self) -> Mapping[str, frozenset[str]]:
        below: dict[str, set[str]] = {kind: {kind} for kind in self.kinds}
        for kind in self.kinds:
            for above in self.ancestry(kind):
                below[above.id].add(kind)
        return {kind: frozenset(kinds) for kind, kinds in below.items()}

    @cached_property
    def _by_name(self) -> Mapping[str, tuple[str, str]]:
        return {id.replace("-", "_"): (id, kind) for id, kind in self.instances.items()}

    @cached_property
    def _by_plural(self) -> Mapping[str, str]:
        return {declared.plural: kind for kind, declared in self.kinds.items()}

    @cached_property
    def _open(self) -> frozenset[str]:
        made = {self.templates.get(id, id) for id in self.created if id in self.templates or id in self.kinds}
        opened = {kind for kind, declared in self.kinds.items() if declared.open} | made
        return frozenset(above.id for kind in opened for above in self.ancestry(kind))

    def instance(self, name: str) -> tuple[str, str] | None:
        return self._by_name.get(name)

    def instance_names(self) -> Iterable[str]:
        return self._by_name

    def collection(self, name: str) -> str | None:
        return self._by_plural.get(name)

    def kinds_within(self, kind: str) -> frozenset[str]:
        return self._below.get(kind, frozenset((kind,)))

    def kind_of_id(self, id: str) -> str | None:
        return self.instances.get(id) or self.templates.get(id)

    def ids(self, kinds: tuple[str, ...]) -> Iterable[str]:
        wanted = frozenset[str]().union(*(self.kinds_within(kind) for kind in kinds))
        both = {**self.templates, **self.instances}
        return [id for id, kind in both.items() if kind in wanted]

    def open_kind(self, kind: str) -> bool:
        return kind in self._open

    def is_kind(self, kind: str) -> bool:
        return kind in self.kinds

    def stored(self, kind: str, name: str) -> Field | None:
        """The stored field of a kind, own or inherited."""
        for declared in self.ancestry(kind):
            if name in declared.fields:
                return declared.fields[name]
        return None

    def stored_fields(self, kind: str) -> dict[str, Field]:
        """Every stored field of a kind; what is nearest wins."""
        fields: dict[str, Field] = {}
        for declared in self.ancestry(kind):
            for name, field_ in declared.fields.items():
                fields.setdefault(name, field_)
        return fields

    def derivation(self, kind: str, name: str) -> DerivedDecl | None:
        for declared in self.ancestry(kind):
            if name in declared.derived:
                return declared.derived[name]
        return None

    def field(self, kind: str, name: str) -> FieldInfo | None:
        if name in ALWAYS:
            return FieldInfo(name, ALWAYS[name])
        for declared in self.ancestry(kind):
            if name in declared.derived:
                return FieldInfo(name, self.derived_types.get((declared.id, name), UNKNOWN), derived=True)
            if name in declared.fields:
                return FieldInfo(name, declared.fields[name].type)
            if name in DERIVED.get(declared.id, {}):
                return FieldInfo(name, DERIVED[declared.id][name], derived=True)
        return None

    def fields(self, kind: str) -> Iterable[str]:
        names: dict[str, None] = dict.fromkeys(ALWAYS)
        for declared in self.ancestry(kind):
            names |= dict.fromkeys((*declared.derived, *declared.fields, *DERIVED.get(declared.id, {})))
        return names


def builtin_derived_type(name: str) -> Type:
    """The type that the built-in field of this name has (yes/no where there is none)."""
    return next((fields[name] for fields in DERIVED.values() if name in fields), BOOL)
