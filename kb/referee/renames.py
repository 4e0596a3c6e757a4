"""Owns what a later version calls otherwise: pages, and the instances that have their pages' ids.

`Renames.of(rulebook)`; `template`, `id` and `value` give what an older state's names are now. It must not know states.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from kb.rulebook import Rulebook
from kb.types import ListOf, MapOf, Record, Ref, Type


@dataclass(frozen=True, slots=True)
class Renames:
    """Earlier id → id now, by the `was` of pages and kinds."""

    templates: Mapping[str, str]
    seeds: Mapping[str, str]

    @staticmethod
    def of(rulebook: Rulebook) -> Renames:
        """All that a rulebook's pages say of their earlier ids."""
        pages = (*rulebook.templates.values(), *rulebook.kinds.values())
        templates = {old: each.id for each in pages for old in each.was}
        seeds: dict[str, str] = {}
        for seed in rulebook.seeds:
            page = rulebook.templates.get(seed.template)
            for old in page.was if page else ():
                seeds[old + seed.id.removeprefix(seed.template)] = seed.id
        return Renames(templates, seeds)

    def template(self, id: str) -> str:
        return self.templates.get(id, id)

    def id(self, id: str) -> str:
        """An instance's id; `vase-2@bob` is player bob's second vase."""
        seed, at, player = id.partition("@")
        return self.seeds.get(seed, seed) + at + player

    def value(self, type_: Type, value: Any) -> Any:
        """A dumped value of a type with the ids in it as they are now."""
        if not self.seeds:
            return value
        match type_:
            case Ref() if isinstance(value, str):
                return self.id(value)
            case ListOf() if isinstance(value, list):
                return [self.value(type_.item, each) for each in cast("list[Any]", value)]
            case MapOf() if isinstance(value, dict):
                entries = cast("dict[Any, Any]", value).items()
                return {self.value(type_.key, key): self.value(type_.value, each) for key, each in entries}
            case Record() if isinstance(value, dict):
                parts = dict(type_.fields)
                entries = cast("dict[Any, Any]", value).items()
                return {key: self.value(parts[key], each) if key in parts else each for key, each in entries}
            case _:
                return value
