"""Owns rulebooks at former commits, each compiled once: what turns were played under, and what they are compared with.

`Rulebooks(cache).at(where, commit)`; `pin(where, revision)` names what a comparison is with. It must not know turns.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from agents.worlds import Where, WorldError, chosen, open_location
from kb.check import Checked, check
from kb.pages.git_source import GitSource
from kb.pages.history import History
from kb.pages.source import Source, SourceError
from kb.referee import State
from kb.referee.carry import alike, carry
from kb.referee.shape import Shape
from kb.session import Session

MAX_SESSIONS = 64
"""How many rulebooks a process holds; the one that was used last stays."""
_GIT_ID = 40


class Gone(Exception):
    """The pages of a commit are not to be had: `args[0]` says which."""


class Rulebooks:
    """Sessions by location and commit."""

    def __init__(self, cache: Path | None):
        self._cache = cache
        # Why there is none is kept as words: a kept exception would keep its frames, and with them open repositories.
        self._sessions: OrderedDict[tuple[Where, str, str | None], Session | str] = OrderedDict()
        self._sources: dict[str, Source | str] = {}
        self._checks: dict[str, Checked] = {}
        self._histories: dict[str, History | None] = {}
        self._alike: dict[tuple[Shape, Shape], bool] = {}

    def at(self, where: Where, commit: str, prefer: str | None = None) -> Session:
        """The session of a world as it was at a commit; of the experience `prefer` where `where` names none and there are
        several. Raises `Gone`."""
        key = (where, commit, prefer)
        found = self._sessions.get(key)
        if found is None:
            found = self._sessions[key] = self._compiled(where, commit, prefer)
            while len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
        self._sessions.move_to_end(key)
        if isinstance(found, str):
            raise Gone(found)
        return found

    def pin(self, where: Where, revision: str) -> tuple[Where, str]:
        """A revision of a world's repository, or a folder, as a location and a commit that `at` takes; a branch may move on
        meanwhile. Raises `WorldError` where there is no such thing or its rules have problems."""
        named = Where(where.location, revision, where.experience)
        try:
            source = open_location(named, self._cache)
        except WorldError:
            if not Path(revision).expanduser().is_dir():
                raise
            named = Where(str(Path(revision).expanduser().resolve()), None, where.experience)
            source = open_location(named, self._cache)
        try:
            checked = self._checked(named.path, source)
        finally:
            _close(source)
        if checked.errors or where.experience is not None:
            chosen(checked, where.experience)
        return Where(named.location, None, where.experience), source.commit

    def close(self) -> None:
        """Ends the Git processes that read pages."""
        for source in (*self._sources.values(), *(each and each.source for each in self._histories.values())):
            _close(source)

    def carried(self, state: State, session: Session) -> State:
        """The state under a session's rulebook. Raises `kb.referee.NotAState`."""
        shape = session.referee.shape
        if state.shape is shape:
            return state
        if len(self._alike) > MAX_SESSIONS:
            self._alike.clear()
        same = self._alike.get((state.shape, shape))
        if same is None:
            same = self._alike[state.shape, shape] = alike(state.shape, shape)
        return carry(state, shape, same=same)

    def _compiled(self, where: Where, commit: str, prefer: str | None) -> Session | str:
        try:
            checked = self._checked(where.path, self._source(where, commit))
            several = where.experience is None and len(checked.rulebooks) > 1
            return Session(chosen(checked, prefer if several else where.experience))
        except Gone as gone:
            return str(gone)
        except (WorldError, SourceError) as error:
            return f"commit {commit[:14]} of {where.location} cannot be read: {error}"

    def _checked(self, path: str, source: Source) -> Checked:
        """Compiled, from the commit that was compiled last where only a little differs; examples are not run: what was live
        once was good."""
        known = self._checks.get(path)
        if known is None or known.commit != source.commit:
            known = self._checks[path] = check(source, cache=self._cache, before=known, run=False)
        return known

    def _source(self, where: Where, commit: str) -> Source:
        live = self._sources.get(where.path)
        if live is None:
            live = self._sources[where.path] = self._live(where)
        if isinstance(live, str):
            raise Gone(live)
        if live.commit == commit:
            return live
        if isinstance(live, GitSource):
            return GitSource(live.repo, commit)
        history = self._history(where)
        found = commit if len(commit) == _GIT_ID or history is None else history.commit_of(commit)
        if history is None or found is None:
            raise Gone(f"the pages of commit {commit[:14]} of {where.location} are gone")
        return GitSource(history.source.repo, found, history.source.inner)

    def _live(self, where: Where) -> Source | str:
        try:
            return open_location(Where(where.location), self._cache)
        except WorldError as error:
            return str(error)

    def _history(self, where: Where) -> History | None:
        """The Git history of a folder, where it has one."""
        if where.path not in self._histories:
            try:
                source = open_location(Where(where.location, "HEAD"), self._cache)
                self._histories[where.path] = History(source) if isinstance(source, GitSource) else None
            except WorldError:
                self._histories[where.path] = None
        return self._histories[where.path]


def _close(source: object) -> None:
    if isinstance(source, GitSource):
        source.repo.close()
