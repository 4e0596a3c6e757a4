"""Owns worlds that are being played: the checked rulebook of a location, taken up anew when the location moves.

`World.open(Where.of("cloak"))`; `refresh()` between two turns. A commit that does not check stays out. It must not know
transports.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kb import library
from kb.check import Checked, bundled_pages, check
from kb.diagnostics import Diagnostic, causes_first
from kb.pages.page import Page
from kb.pages.source import Source, SourceError, open_source
from kb.rulebook import Rulebook
from kb.search import SMALL, SearchIndex, Tell
from kb.session import Session
from kb.suggest import suggest


class WorldError(Exception):
    """The world cannot be played: `args[0]` says why, `problems` are the places, `hint` what to do."""

    def __init__(self, message: str, hint: str, problems: tuple[Diagnostic, ...] = ()):
        super().__init__(message)
        self.hint, self.problems = hint, problems


@dataclass(frozen=True, slots=True)
class Where:
    """Where a rulebook is: a bundled name, a folder or a URL; at a revision; which experience, where there are several."""

    location: str
    revision: str | None = None
    experience: str | None = None

    @staticmethod
    def of(name: str, revision: str | None = None, experience: str | None = None) -> Where:
        """What a user named; a folder is kept by its absolute path, so that it is found from anywhere."""
        if name not in library.worlds() or Path(name).is_dir():
            path = Path(name).expanduser()
            name = str(path.resolve()) if path.exists() else name
        return Where(name, revision, experience)

    @property
    def path(self) -> str:
        """The folder or URL."""
        bundled = library.worlds().get(self.location)
        return self.location if bundled is None else str(bundled)


def open_location(where: Where, cache: Path | None) -> Source:
    """The files at a location. Raises `WorldError`."""
    try:
        return open_source(where.path, where.revision, cache=cache)
    except SourceError as error:
        near = suggest(where.location, library.worlds()) if re.fullmatch(r"[\w-]+", where.location) else ""
        raise WorldError(str(error), f"{near} {error.hint}".strip()) from None


def with_libraries(pages: Mapping[str, Page]) -> dict[str, Page]:
    """A knowledge base's pages, and those of the bundled libraries that its experiences take in."""
    named = " ".join(str(e.value) for page in pages.values() if (e := page.front.entries.get("uses")) is not None)
    used = [name for name in library.libraries() if re.search(rf"\b{re.escape(name)}\b", named)]
    return {**{path: page for name in used for path, page in bundled_pages(name).items()}, **pages}


def index_of(
    source: Source, cache: Path | None, *, before: SearchIndex | None = None, tell: Tell | None = None
) -> SearchIndex:
    """The search index of a knowledge base and the bundled libraries that it uses, without compiling anything.

    Raises `WorldError` where a folder changes meanwhile.
    """
    libraries = {name: partial(bundled_pages, name) for name in library.libraries()}
    try:
        return SearchIndex.of(source, cache=cache, libraries=libraries, before=before, tell=tell)
    except SourceError as error:
        raise WorldError(str(error), error.hint) from None


class World:
    """One location at its last good commit. `refused` says what is wrong with a newer one that stays out."""

    def __init__(self, where: Where, source: Source, checked: Checked, cache: Path | None):
        self.where, self.checked = where, checked
        self.session = Session(chosen(checked, where.experience))
        self.refused: WorldError | None = None
        self._source = self._live = source
        self._cache = cache
        self._index: SearchIndex | None = None

    @staticmethod
    def open(where: Where, *, cache: Path | None = None) -> World:
        """The world at a location. Raises `WorldError`."""
        source = open_location(where, cache)
        return World(where, source, check(source, cache=cache), cache)

    @property
    def commit(self) -> str:
        return self.checked.commit

    @property
    def rulebook(self) -> Rulebook:
        return self.session.rulebook

    @property
    def remote(self) -> bool:
        """Whether asking for news goes over the network."""
        return bool(getattr(self._source, "remote", False))

    @property
    def index(self) -> SearchIndex:
        """The search index of the commit that is live."""
        if self._index is None or self._index.commit != self.commit:
            if len(self.checked.pages) > SMALL:
                self._index = index_of(self._live, self._cache, before=self._index)
            else:
                self._index = SearchIndex(with_libraries(self.checked.pages), self.commit)
        return self._index

    def refresh(self) -> None:
        """Takes up what the location holds now, if it is good; else everything stays and `refused` is set."""
        if not self._source.moved():
            return
        try:
            source = self._source.again()
            checked = check(source, cache=self._cache, before=self.checked)
            self._source = source
            if checked.commit != self.commit:
                session = Session(chosen(checked, self.where.experience or self.rulebook.settings.id))
                self.checked, self.session, self._live = checked, session, source
            self.refused = None
        except WorldError as error:
            self.refused = error
        except SourceError as error:
            self.refused = WorldError(str(error), error.hint)


def chosen(checked: Checked, experience: str | None) -> Rulebook:
    """The rulebook of an experience, or of the only one. Raises `WorldError`."""
    if experience is not None and experience in checked.rulebooks:
        return checked.rulebooks[experience]
    if checked.errors:
        count = len(checked.errors)
        hint = "Mend what `rulebound check` lists."
        problems = tuple(causes_first(checked.errors))
        raise WorldError(f"The rules have {count} problem{'s' * (count != 1)}", hint, problems)
    if experience is not None or len(checked.rulebooks) != 1:
        known = ", ".join(sorted(checked.rulebooks)) or "none"
        raise WorldError(f"Which experience is meant? There is {known}", "Name it with `--experience`.")
    return next(iter(checked.rulebooks.values()))
