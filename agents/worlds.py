"""Owns worlds that are being played: the checked rulebook of a location, taken up anew when the location moves.

`World.open(location, …)`; `refresh()` between two turns. A commit that does not check stays out. It must not know transports.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kb import library
from kb.check import Checked, check
from kb.diagnostics import Diagnostic, Severity
from kb.pages.source import Source, SourceError, open_source
from kb.search import SearchIndex
from kb.session import Session


class WorldError(Exception):
    """The world cannot be played: `args[0]` says why, `problems` are the places, `hint` what to do."""

    def __init__(self, message: str, hint: str, problems: tuple[Diagnostic, ...] = ()):
        super().__init__(message)
        self.hint, self.problems = hint, problems


def located(name: str) -> str:
    """A bundled world's folder, or the path or URL as it is."""
    bundled = library.worlds().get(name)
    return str(bundled) if bundled is not None and not Path(name).is_dir() else name


@dataclass
class World:
    """One location at its last good commit. `problems` are those of a newer one that stays out."""

    location: str
    source: Source
    checked: Checked
    session: Session
    cache: Path | None
    experience: str | None
    problems: tuple[Diagnostic, ...] = ()
    _index: SearchIndex | None = None

    @staticmethod
    def open(
        location: str, *, at: str | None = None, cache: Path | None = None, experience: str | None = None
    ) -> World:
        """The world at a path, URL or bundled name. Raises `WorldError`."""
        try:
            source = open_source(located(location), at, cache=cache)
        except SourceError as error:
            raise WorldError(str(error), error.hint) from None
        checked = check(source, cache=cache)
        return World(location, source, checked, Session(_chosen(checked, experience)), cache, experience)

    @property
    def index(self) -> SearchIndex:
        """The search index of the commit that is live."""
        if self._index is None or self._index.commit != self.checked.commit:
            self._index = SearchIndex(self.checked.pages, self.checked.commit)
        return self._index

    def refresh(self) -> bool:
        """Takes up what the location holds now; True when the rules changed. Problems of a bad commit are kept to be told."""
        if not self.source.moved():
            return False
        source = self.source.again()
        self.source = source
        checked = check(source, cache=self.cache, before=self.checked)
        errors = tuple(each for each in checked.problems if each.severity is Severity.ERROR)
        wanted = self.session.rulebook.settings.id
        if errors or wanted not in checked.rulebooks:
            self.problems = errors
            return False
        self.problems = ()
        self.checked = checked
        self.session = Session(checked.rulebooks[wanted])
        return True


def _chosen(checked: Checked, experience: str | None):
    if experience is not None and experience in checked.rulebooks:
        return checked.rulebooks[experience]
    if checked.errors:
        count = len(checked.errors)
        hint = "Mend what `rulebound check` lists."
        raise WorldError(f"The world has {count} problem{'s' * (count != 1)}", hint, checked.errors)
    if experience is not None or len(checked.rulebooks) != 1:
        known = ", ".join(sorted(checked.rulebooks)) or "none"
        raise WorldError(f"Say which experience to play: {known}", "Name one of them.")
    return next(iter(checked.rulebooks.values()))
