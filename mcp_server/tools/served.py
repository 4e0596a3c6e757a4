"""Owns the worlds that a client may name: those of the command line, and the bundled ones. It must not know tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from agents.worlds import Where, WorldError
from kb import library
from kb.suggest import suggest

Name = Annotated[str, Field(description="From experiences; default: the first.", max_length=200)]


@dataclass(frozen=True, slots=True)
class Served:
    """Worlds by name; the first is the one that a client means who names none."""

    worlds: Mapping[str, Where]

    @staticmethod
    def of(named: Sequence[str]) -> Served:
        """Those that are named, by the last part of their location, then the bundled ones. Raises `WorldError`."""
        worlds: dict[str, Where] = {}
        for each in named:
            where = Where.of(each)
            name = where.location.rstrip("/").replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".git")
            if name in worlds:
                raise WorldError(f"Two worlds are called {name!r}", "Rename one of the folders.")
            worlds[name] = where
        return Served({**worlds, **{name: Where(name) for name in library.worlds() if name not in worlds}})

    def __iter__(self) -> Iterator[str]:
        return iter(self.worlds)

    @property
    def default(self) -> str:
        return next(iter(self.worlds))

    def __call__(self, name: str) -> Where:
        """Where a world is; without a name, the first. Raises `WorldError`."""
        name = name or self.default
        if name not in self.worlds:
            hint = suggest(name, self.worlds) or "To serve another, start `rulebound mcp FOLDER`."
            raise WorldError(f"No world {name!r} is served, only {', '.join(self.worlds)}", hint)
        return self.worlds[name]
