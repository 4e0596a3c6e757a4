"""Owns what a rulebook says of a state's rows: fresh rows, types, which kind is within which, what is indexed.

`Shape.of(rulebook)`, once for each rulebook. It must not know states or rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kb.referee.renames import Renames
from kb.rulebook import Kind, Rulebook, Seed
from kb.types import ListOf, MapOf, Record, Type

Row = Mapping[str, Any]
"""An instance's complete fields. Besides them `id`, `kind` and `TEMPLATE`."""
TEMPLATE: Final = "@template"
"""The id of the template (or kind, for players and the world) that the instance was made from."""
HIDDEN: Final = frozenset({"id", "kind", TEMPLATE})


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Tables over a rulebook. "Template" means a template's id, or a kind's for what has no page."""

    rulebook: Rulebook
    fresh: Mapping[str, Row]
    """template → the complete row of a new instance"""
    types: Mapping[str, Mapping[str, Type]]
    """template → its stored fields' types"""
    isa: Mapping[str, frozenset[str]]
    """template → its kind and all kinds above"""
    within: Mapping[str, frozenset[str]]
    """kind → itself and all kinds below"""
    indexed: frozenset[str]
    """Fields by which instances are found."""
    zeros: Mapping[str, Any]
    """field → zero, for things that lack it"""
    seeds: Mapping[str, Seed]
    given: tuple[Seed, ...]
    """Those that each new player carries."""
    renames: Renames
    volatile: frozenset[str]
    """Fields on which derived ones may depend."""

    @staticmethod
    def of(rulebook: Rulebook) -> Shape:
        """The shape of a rulebook's states."""
        kinds = rulebook.kinds
        isa = {kind: frozenset(_above(kinds, kind)) for kind in kinds}
        types = {kind.id: {name: each.type for name, each in kind.fields.items()} for kind in kinds.values()}
        fresh: dict[str, Row] = {kind.id: _fresh(kind, kind.id, kind.id) for kind in kinds.values()}
        for template in rulebook.templates.values():
            kind = kinds[template.kind]
            # A template with fields of its own has a kind of its own; expressions see the kind of its page.
            shown = kind.parent if template.kind == template.id and kind.parent else template.kind
            fresh[template.id] = {**_fresh(kind, shown, template.id), **template.values}
            types[template.id], isa[template.id] = types[template.kind], isa[template.kind]
        within = {kind: frozenset(each for each in kinds if kind in isa[each]) for kind in kinds}
        given = tuple(seed for seed in rulebook.seeds if seed.location == "player")
        seeds = {seed.id: seed for seed in rulebook.seeds}
        indexed, zeros, volatile = _indexed(rulebook), _zeros(rulebook), _volatile(rulebook)
        return Shape(rulebook, fresh, types, isa, within, indexed, zeros, seeds, given, Renames.of(rulebook), volatile)

    def diff(self, row: Row) -> dict[str, Any]:
        """The fields in which a row differs from its template."""
        base = self.fresh[row[TEMPLATE]]
        return {
            name: value
            for name, value in row.items()
            if name not in HIDDEN and base[name] is not value and base[name] != value
        }


def _above(kinds: Mapping[str, Kind], kind: str) -> list[str]:
    found = [kind]
    while (above := kinds[found[-1]].parent) is not None and above in kinds and above not in found:
        found.append(above)
    return found


def _fresh(kind: Kind, shown: str, template: str) -> dict[str, Any]:
    row = {name: each.start for name, each in kind.fields.items()}
    return {"id": "", "kind": shown, TEMPLATE: template, **row}


def _indexed(rulebook: Rulebook) -> frozenset[str]:
    found = {name for _, name in rulebook.indexed}
    for kind in rulebook.kinds.values():
        found -= {n for n, each in kind.fields.items() if isinstance(each.type, MapOf | Record | ListOf)}
    return frozenset({"location", *found})


def _zeros(rulebook: Rulebook) -> dict[str, Any]:
    zeros: dict[str, Any] = {}
    for kind in rulebook.kinds.values():
        for name, stored in kind.fields.items():
            zeros.setdefault(name, stored.type.zero())
        for name, derived in kind.derived.items():
            zeros.setdefault(name, derived.expr.type.zero())
    return zeros


def _volatile(rulebook: Rulebook) -> frozenset[str]:
    reads = {"location", "time", "name", "plural", "proper", *(name for _, name in rulebook.indexed)}
    for kind in rulebook.kinds.values():
        for derived in kind.derived.values():
            reads |= {name for _, name in (*derived.expr.reads, *derived.expr.searches)}
    for template in rulebook.templates.values():
        reads |= {name for _, name in template.description.reads}
    return frozenset(reads)
