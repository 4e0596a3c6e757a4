"""Owns the worlds that cases are played in: reset to a case's beginning, gold's end, and expectations over states.

`environments(cases)` opens each world once and compiles every expression of its cases, so that a mistake is told before anything runs.
It must not know solvers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from agents.worlds import Where, World, open_location
from evals.attempts import lines_of
from evals.cases import Case, CaseError
from kb.check import Checked, check
from kb.expressions import Expr
from kb.expressions.frame import EvaluationError
from kb.pages.source import Blob, Source, open_source
from kb.referee import Inputs, State
from kb.rulebook import Effect, Scenario
from kb.session import Session
from kb.understand import Dialogue

PLAYER = "player"
PASSING = frozenset({"turns", "time"})
"""Fields that tell how long something took, not what came of it."""


class Begun(NamedTuple):
    """A case's beginning."""

    state: State
    dialogue: Dialogue


class Held(NamedTuple):
    """Whether an expression holds, and why: the lines that it read through."""

    holds: bool
    why: str
    lines: tuple[str, ...] = ()


class Difference(NamedTuple):
    """A field in which two states differ; the field "" of an instance that only one has."""

    id: str
    field: str
    one: object
    other: object


class Environment:
    """A world with everything that its cases say compiled."""

    def __init__(self, world: World, cases: Sequence[Case]):
        self.world = world
        self.session: Session = world.session
        self._expressions: dict[str, Expr] = {}
        self._given: dict[tuple[str, ...], tuple[Effect, ...]] = {}
        self._golds: dict[str, State] = {}
        self._compile(cases)

    @property
    def commit(self) -> str:
        return self.world.commit

    def inputs(self, case: Case, number: int) -> Inputs:
        """What the turn with this number depends on besides state and line; the same for everybody who plays it."""
        return Inputs(self.session.rulebook.settings.begins, case.seed * 1_000 + number)

    def begin(self, case: Case) -> Begun:
        """The state in which a case begins, after its `given` and `setup`. Raises `CaseError`."""
        referee = self.session.referee
        state = referee.join(referee.new(), PLAYER, "you", case.role)
        given = self._scenario(case).given if case.scenario else self._given.get(case.given, ())
        if given:
            prepared = referee.prepare(state, PLAYER, given, Inputs(self.session.rulebook.settings.begins, case.seed))
            if prepared.status == "refused":
                raise CaseError(f"{case.at or case.id}: `given` cannot be set: {prepared.reason}")
            state = prepared.state
        return self._played(case, case.setup, Begun(state, Dialogue()), "setup")

    def gold(self, case: Case) -> State:
        """The state that a case's `gold` leaves. Raises `CaseError` where the rules do not do one of its lines."""
        if case.id not in self._golds:
            self._golds[case.id] = self._played(case, case.gold, self.begin(case), "gold").state
        return self._golds[case.id]

    def _played(self, case: Case, lines: Sequence[str], begun: Begun, what: str) -> Begun:
        state, dialogue = begun
        for number, line in enumerate(lines):
            said = self.session.say(state, PLAYER, line, dialogue, self.inputs(case, number))
            if not said.outcomes or any(each.status == "refused" for each in said.outcomes):
                raise CaseError(f"{case.at or case.id}: {what}: {line!r} is not done: {said.text}", "Mend the line.")
            state, dialogue = said.state, said.dialogue
        return Begun(state, dialogue)

    def holds(self, source: str, state: State, player: str = PLAYER) -> Held:
        """Whether an expression of a case holds in a state."""
        frame = self.session.referee.frame(state, player)
        try:
            value = bool(self._expressions[source](frame))
        except EvaluationError as error:
            return Held(False, f"`{source}` cannot be worked out: {error}")
        return Held(value, "" if value else f"`{source}` does not hold", tuple(lines_of(tuple(frame.trace))))

    def _scenario(self, case: Case) -> Scenario:
        return next(each for each in self.session.rulebook.scenarios if each.id == case.scenario)

    # --- compiling

    def _compile(self, cases: Sequence[Case]) -> None:
        for scenario in self.session.rulebook.scenarios:
            for turn in scenario.turns:
                if turn.check is not None:
                    self._expressions[turn.check.source] = turn.check
        wanted = [each for each in cases if each.given or any(s not in self._expressions for s in _sources(each))]
        if not wanted:
            return
        pages = {f"case-{number}": each for number, each in enumerate(wanted)}
        settings = self.session.rulebook.settings
        folder = PurePosixPath(settings.span.path).parent
        texts = {str(folder / "cases" / f"{id}.md"): _page(id, case, settings.id) for id, case in pages.items()}
        checked = self._checked(texts)
        by_path = dict(zip(texts, wanted, strict=True))
        for each in checked.errors:
            if (case := by_path.get(each.span.path)) is not None:
                raise CaseError(f"{case.at or case.id}: {each.message}", each.hint)
        compiled = {each.id: each for each in checked.rulebooks[settings.id].scenarios}
        for id, case in pages.items():
            self._given[case.given] = compiled[id].given
            for source, turn in zip(_sources(case), compiled[id].turns, strict=False):
                assert turn.check is not None, "each row has an expression"
                self._expressions[source] = turn.check

    def _checked(self, texts: Mapping[str, str]) -> Checked:
        """The world with more pages."""
        where = self.world.where
        source = _With(open_source(where.path, where.revision), {path: text.encode() for path, text in texts.items()})
        return check(source, before=self.world.checked, run=False)


def _sources(case: Case) -> list[str]:
    """All expressions of a case, each once."""
    told = [*case.expect.check, *case.never, *(source for turn in case.turns for source in turn.expect.check)]
    return list(dict.fromkeys(told))


def _page(id: str, case: Case, experience: str) -> str:
    """A scenario page that says what a case says."""
    for told in (*case.given, *_sources(case)):
        if "\n" in told:
            raise CaseError(f"{case.at or case.id}: {told!r} is more than one line", "Write it in one.")
    given = "".join(f"- {line}\n" for line in case.given)
    rows = "".join(f"| look | `{source.replace('|', chr(92) + '|')}` |\n" for source in _sources(case) or ["true"])
    front = f"---\nscenario: {id}\nexperience: {experience}\n---\n# {id}\n"
    return f"{front}{given and '## Given' + chr(10) + given}\n| Player says | Check |\n|---|---|\n{rows}"


@dataclass(frozen=True)
class _With:
    """A source with more files."""

    base: Source
    more: Mapping[str, bytes]

    @property
    def commit(self) -> str:
        return self.base.commit

    @property
    def place(self) -> str:
        return self.base.place

    @property
    def problems(self):
        return self.base.problems

    @cached_property
    def _blobs(self) -> dict[str, Blob]:
        import hashlib

        return {
            path: Blob(path, hashlib.sha1(data, usedforsecurity=False).hexdigest(), len(data))
            for path, data in self.more.items()
        }

    def files(self) -> Mapping[str, Blob]:
        return {**self.base.files(), **self._blobs}

    def read(self, blob: Blob) -> bytes:
        return self.more[blob.path] if blob.path in self.more else self.base.read(blob)

    def moved(self) -> bool:
        return False

    def again(self) -> _With:
        return self


def differences(one: State, other: State, ignoring: frozenset[str] = PASSING) -> list[Difference]:
    """Where two states of one world differ, apart from fields that tell how long something took."""
    found: list[Difference] = []
    for id in sorted({*one.rows, *other.rows}):
        if id not in one.rows or id not in other.rows:
            found.append(Difference(id, "", id in one.rows, id in other.rows))
            continue
        mine, theirs = one.rows[id], other.rows[id]
        if mine is not theirs:
            found += [
                Difference(id, name, mine.get(name), theirs.get(name))
                for name in sorted({*mine, *theirs})
                if name not in ignoring and mine.get(name) != theirs.get(name)
            ]
    return found


def where_of(case: Case, revision: str | None = None) -> Where:
    """Where a case's world is."""
    return Where.of(case.world, revision, case.experience or None)


def environments(
    cases: Sequence[Case], *, revision: str | None = None, cache: Path | None = None
) -> dict[Where, Environment]:
    """The worlds of cases. Raises `CaseError`, and `agents.worlds.WorldError` where one cannot be played."""
    by: dict[Where, list[Case]] = {}
    for case in cases:
        by.setdefault(where_of(case, revision), []).append(case)
    return {where: Environment(_still(where, cache), own) for where, own in by.items()}


def _still(where: Where, cache: Path | None) -> World:
    """A world that stays as it is for a whole run, whatever becomes of its folder."""
    source = _With(open_location(where, cache), {})
    return World(where, source, check(source, cache=cache), cache)


def scenarios_of(where: Where, *, cache: Path | None = None) -> list[Case]:
    """The scenario pages of a world as cases. Raises `WorldError`."""
    from evals.cases import of_scenario

    world = World.open(where, cache=cache)
    told = [of_scenario(each, where.location, where.experience or "") for each in world.rulebook.scenarios]
    return [replace(each, tags={"world": world.rulebook.settings.id, "kind": "scenario"}) for each in told]
