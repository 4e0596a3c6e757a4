"""Owns the worlds that cases are played in: reset to a case's beginning, gold's end, and expectations over states.

`environments(cases)` opens each world once and compiles every expression of its cases, so that a mistake is told before anything runs.
It must not know solvers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from agents.worlds import Where, World, chosen, open_location
from evals.attempts import lines_of, shown
from evals.cases import Case, CaseError, moment
from kb.check import Checked, check
from kb.compiler.effects import compile_block
from kb.compiler.scope import Asked, page_scope
from kb.diagnostics import Diagnostic, Span
from kb.expressions import Expr, compile_expression
from kb.expressions.frame import EvaluationError
from kb.pages.page import Fragment
from kb.pages.source import Source
from kb.referee import Inputs, State
from kb.rulebook import Effect, Scenario
from kb.session import Session
from kb.types import BOOL
from kb.understand import Dialogue

PLAYER = "player"
PASSING = frozenset({"turns", "time"})
"""Fields that tell how long something took, not what came of it."""
MAX_LINE = 2_000
"""Characters of an expression or effect of a case."""


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Begun(NamedTuple):
    """A case's beginning."""

    state: State
    dialogue: Dialogue


class Gold(NamedTuple):
    """What a case's gold commands lead to, and the actions that they are."""

    state: State
    actions: tuple[str, ...]


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
        self._golds: dict[str, Gold] = {}
        self._compile(cases)

    @property
    def commit(self) -> str:
        return self.world.commit

    def inputs(self, case: Case, number: int) -> Inputs:
        """What the turn with this number depends on besides state and line; the same for everybody who plays it."""
        turn = case.turns[number] if number < len(case.turns) else None
        begins, seed = self.session.rulebook.settings.begins, case.seed * 1_000 + number
        if turn is None:
            return Inputs(begins, seed)
        return Inputs(moment(turn.now) or begins, seed if turn.seed is None else turn.seed)

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

    def gold(self, case: Case) -> Gold:
        """What a case's `gold` leads to. Raises `CaseError` where the rules do not do one of its lines."""
        if case.id not in self._golds:
            begun, actions = self.begin(case), list[str]()
            state = self._played(case, case.gold, begun, "gold", actions).state
            self._golds[case.id] = Gold(state, tuple(actions))
        return self._golds[case.id]

    def _played(
        self, case: Case, lines: Sequence[str], begun: Begun, what: str, actions: list[str] | None = None
    ) -> Begun:
        """The state after lines that must be done; what was done is added to `actions`."""
        state, dialogue = begun
        for number, line in enumerate(lines):
            # Only a turn's own inputs were recorded.
            inputs = self.inputs(case if what == "gold" else replace(case, turns=()), number)
            said = self.session.say(state, PLAYER, line, dialogue, inputs)
            if not said.outcomes or any(each.status == "refused" for each in said.outcomes):
                raise CaseError(f"{case.at or case.id}: {what}: {line!r} is not done: {said.text}", "Mend the line.")
            state, dialogue = said.state, said.dialogue
            if actions is not None:
                actions += map(shown, said.actions)
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
        """All that cases say, in the scope of a page of their world; each text once, however many cases say it."""
        for scenario in self.session.rulebook.scenarios:
            for turn in scenario.turns:
                if turn.check is not None:
                    self._expressions[turn.check.source] = turn.check
        scope = page_scope(self.world.checked.compiled[self.session.rulebook.settings.id].world, Asked())
        for case in cases:
            place = Span(case.at or case.id, 1)
            for source in _sources(case):
                if source not in self._expressions:
                    _one_line(case, source)
                    expr, problems = compile_expression(source, place, scope, BOOL)
                    if expr is None:
                        raise _wrong(case, source, problems)
                    self._expressions[source] = expr
            if case.given not in self._given:
                fragments = [Fragment(_one_line(case, line), place) for line in case.given]
                effects, _, problems = compile_block(fragments, scope)
                if problems:
                    raise _wrong(case, "given", problems)
                self._given[case.given] = tuple(effects)


def _sources(case: Case) -> list[str]:
    """All expressions of a case."""
    return [*case.expect.check, *case.never, *(source for turn in case.turns for source in turn.expect.check)]


def _one_line(case: Case, text: str) -> str:
    if not text.strip() or len(text) > MAX_LINE or _CONTROL.search(text):
        raise CaseError(
            f"{case.at or case.id}: {text[:80]!r} is not one line of at most {MAX_LINE} characters", "Write it in one."
        )
    return text


def _wrong(case: Case, what: str, problems: Sequence[Diagnostic]) -> CaseError:
    return CaseError(f"{case.at or case.id}: {what[:80]!r}: {problems[0].message}", problems[0].hint)


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


class _Still(World):
    """It stays as it is for a whole run, whatever becomes of its folder."""

    def refresh(self) -> None:
        """Looks for no news."""


def environments(
    cases: Sequence[Case], *, revision: str | None = None, cache: Path | None = None
) -> dict[Where, Environment]:
    """The worlds of cases. Raises `CaseError`, and `agents.worlds.WorldError` where one cannot be played."""
    by: dict[Where, list[Case]] = {}
    ids: dict[str, str] = {}
    for case in cases:
        if case.id in ids:  # the rows of one would be taken for the other's
            where = f"{ids[case.id]} and {case.at or case.world}"
            raise CaseError(
                f"Two cases are called {case.id!r}: {where}", "Name each suite once, and files of one name apart."
            )
        ids[case.id] = case.at or case.world
        by.setdefault(where_of(case, revision), []).append(case)
    bases: dict[tuple[str, str | None], tuple[Source, Checked]] = {}
    found: dict[Where, Environment] = {}
    for where, own in by.items():
        base = where.location, where.revision
        if base not in bases:
            source = open_location(where, cache)
            bases[base] = source, check(source, cache=cache)
        found[where] = Environment(_Still(where, *bases[base], cache), own)
    return found


def scenarios_of(where: Where, *, cache: Path | None = None) -> list[Case]:
    """The scenario pages of a world as cases; of each of its experiences where none is named: a page that several have is a case of
    each, and has its name before its own. Raises `WorldError`."""
    from evals.cases import of_scenario

    source = open_location(where, cache)
    checked = check(source, cache=cache)
    several = where.experience is None and not checked.errors and len(checked.rulebooks) > 1
    names = sorted(checked.rulebooks) if several else [where.experience]
    books = [(chosen(checked, name), name or "") for name in names]
    found = [(book, name, each) for book, name in books for each in book.scenarios]
    often = Counter(each.id for _, _, each in found)
    return [
        replace(
            of_scenario(each, where.location, name),
            id=f"{name}/{each.id}" if often[each.id] > 1 else each.id,
            tags={"world": book.settings.id, "kind": "scenario"},
        )
        for book, name, each in found
    ]
