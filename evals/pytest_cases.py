"""Owns cases as pytest's items, and what a session makes of them: each must be solved, or enough of them, or as many as before.

`Cases` is registered by `evals.pytest_plugin` where suites are named. It must not know how cases are played.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from agents.models.configuration import ConfigurationError
from agents.worlds import Where, WorldError
from evals.cases import Case, CaseError
from evals.contenders import NONE, contenders
from evals.environment import Environment, environments, where_of
from evals.gate import Baseline, BaselineError, gate, lines
from evals.reports.texts import clean
from evals.results import Row
from evals.running import played
from evals.solvers import MODELLESS, Solver, SolverError
from evals.statistics import solved_share
from evals.suites import Suite, suite
from evals.summary import tallies
from rulebound.settings import Settings

MOST = 2_000
"""Characters of a text that a failure shows."""


class NotSolved(Exception):
    """A case was not solved in every epoch."""


class Cases:
    """A plugin of a session: collects the cases, plays them, and judges them together at the end."""

    def __init__(self, config: pytest.Config, named: Sequence[str]):
        self._named = named
        self._solver: str | None = config.option.rulebound_solver
        self._model: str = config.option.rulebound_model
        self._epochs: int = config.option.rulebound_epochs
        self._threshold: float | None = config.option.rulebound_threshold
        self._file: Path | None = config.option.rulebound_baseline
        self._write: bool = config.option.rulebound_write_baseline
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None
        self._places: dict[Where, Environment] = {}
        self._contenders: dict[str, tuple[str, Solver]] = {}
        """By the solver's name."""
        self._rows: list[Row] = []
        self._told: list[str] = []

    @property
    def lenient(self) -> bool:
        """Whether the session is judged as a whole: a case that is not solved is an expected failure then."""
        return self._threshold is not None or self._file is not None

    @cached_property
    def suites(self) -> dict[str, tuple[Suite, list[Case]]]:
        """By name. Raises `pytest.UsageError`."""
        found: dict[str, tuple[Suite, list[Case]]] = {}
        places: dict[str, str] = {}
        try:
            for name in self._named:
                own = suite(name)
                if own.name in found:
                    raise CaseError(f"Two suites are called {own.name!r}", "Name one of them.")
                found[own.name] = own, own.cases()
                for case in found[own.name][1]:
                    if places.setdefault(case.id, own.name) != own.name:
                        what = f"{own.name} and {places[case.id]} both have a case {case.id!r}"
                        raise CaseError(what, "Name one of them.")
        except (CaseError, WorldError) as error:
            raise _usage(error) from None
        return found

    def _open(self, cases: Sequence[Case], solvers: Sequence[str]) -> None:
        """Gets ready to play. Solvers are opened and closed in an event loop of their own."""
        self._places = environments(cases)
        self._portal = self._stack.enter_context(start_blocking_portal())
        home, settings = self._stack.enter_context(TemporaryDirectory(prefix="rulebound-")), Settings.from_environment()
        for solver in solvers:
            opening = contenders([solver], [self._model], settings, home=Path(home))
            opened = self._stack.enter_context(self._portal.wrap_async_context_manager(opening))
            ((name, (playing, _)),) = opened.items()
            self._contenders[solver] = name, playing

    def plays(self, case: Case, solver: str) -> bool:
        """Whether the contender can play it."""
        return "rules" in case.by or not (self._model == NONE or solver in MODELLESS)

    def play(self, case: Case, solver: str) -> list[Row]:
        """A row for each epoch."""
        assert self._portal is not None, "pytest runs its loop before its items"
        at, (name, playing) = self._places[where_of(case)], self._contenders[solver]
        return [
            self._portal.call(partial(played, name, playing, case, at, epoch)) for epoch in range(1, self._epochs + 1)
        ]

    # --- hooks

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """First, so that `-k` and other choices are made among the cases too."""
        for name, (own, cases) in self.suites.items():
            solver = self._solver or own.solver
            parent: CaseSuite = CaseSuite.from_parent(
                session, name=name, nodeid=name, cases=cases, by=self, solver=solver
            )
            items += session.genitems(parent)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Tells what is wrong with solvers and cases before anything runs."""
        wanted = [item for item in session.items if isinstance(item, CaseItem)]
        if session.config.option.collectonly or not wanted:
            return
        try:
            self._open([item.case for item in wanted], list(dict.fromkeys(item.solver for item in wanted)))
        except (CaseError, WorldError, SolverError, ConfigurationError) as error:
            raise _usage(error) from None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Rows travel with reports, as these come back from pytest-xdist's processes."""
        report = yield
        if isinstance(item, CaseItem) and call.when == "call":
            report.rulebound = [replace(row, steps=()).line() for row in item.rows]  # pyright: ignore[reportAttributeAccessIssue]
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = cast("list[str]", getattr(report, "rulebound", []))
        self._rows += [Row.load(json.loads(line)) for line in told]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Judges the whole, in the process that has all reports."""
        self._stack.close()
        if hasattr(session.config, "workerinput") or not self._rows:
            return
        if not all(self._judged()) and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._told:
            terminalreporter.section("rulebound")
            for line in self._told:
                terminalreporter.line(line)

    # --- the whole

    def _judged(self) -> Iterator[bool]:
        for name, (_, cases) in self.suites.items():
            own = tallies(row for row in self._rows if row.case in {case.id for case in cases})
            if own:
                share = solved_share(list(own.values()))
                told = f"{name}: {share.rate:.1%} of {len(own)} cases solved ({share.low:.1%} to {share.high:.1%})"
                enough = self._threshold is None or share.rate >= self._threshold
                self._told.append(told if enough else f"{told}, {self._threshold:.1%} are wanted")
                yield enough
        if self._file is not None:
            try:
                yield self._written(self._file) if self._write else self._gated(self._file)
            except BaselineError as error:
                self._told.append(f"{error} {error.hint}")
                yield False

    @cached_property
    def _unasked(self) -> set[str]:
        """Cases of the suites that could be played and were left out of this session, as by `-k`."""
        able = {
            case.id
            for own, cases in self.suites.values()
            for case in cases
            if self.plays(case, self._solver or own.solver)
        }
        return able - {row.case for row in self._rows}

    def _gated(self, file: Path) -> bool:
        baseline = Baseline.read(file)
        known = {case for own in baseline.contenders.values() for case in own}
        verdict = gate(baseline.only(known - self._unasked), self._rows)
        self._told += lines(verdict)
        return verdict.passed

    def _written(self, file: Path) -> bool:
        """What it says of other contenders stays."""
        if left := self._unasked:
            raise BaselineError(f"{file} is not written: {len(left)} cases were not played", "Play all of the suites.")
        before = Baseline.read(file) if file.exists() else Baseline({})
        Baseline({**before.contenders, **Baseline.of(self._rows).contenders}).write(file)
        self._told.append(f"{file} is written")
        return True


class CaseSuite(pytest.Collector):
    """A suite."""

    def __init__(self, *, cases: Sequence[Case], by: Cases, solver: str, **more: Any):
        super().__init__(**more)
        self.cases, self.by, self.solver = cases, by, solver

    def collect(self) -> Iterator[CaseItem]:
        for case in self.cases:
            yield CaseItem.from_parent(self, name=clean(case.id), case=case, by=self.by, solver=self.solver)


class CaseItem(pytest.Item):
    """A case."""

    def __init__(self, *, case: Case, by: Cases, solver: str, **more: Any):
        super().__init__(**more)
        self.case, self.by, self.solver = case, by, solver
        self.rows: list[Row] = []

    def runtest(self) -> None:
        if not self.by.plays(self.case, self.solver):
            pytest.skip("only a model can play it")
        self.rows = self.by.play(self.case, self.solver)
        failed = [row for row in self.rows if not row.solved]
        if failed and self.by.lenient:
            pytest.xfail(clean(failed[0].why))
        if failed:
            raise NotSolved

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, NotSolved):
            return "\n".join(clean(line, MOST) for line in told(self.case, self.rows))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.nodeid


def told(case: Case, rows: Sequence[Row]) -> Iterator[str]:
    """What was expected, why it is not so, what was said and which lines decided, of the first epoch that failed."""
    failed = [row for row in rows if not row.solved]
    row = failed[0]
    yield f"{case.id} is not solved by {row.contender} in {len(failed)} of {len(rows)} epochs{case.at and f' ({case.at})'}"
    if row.error:
        yield f"  it broke: {row.error}"
    for check in row.checks:
        if not check["met"]:
            yield f"  expected {check['kind']}: {check['what']}"
            yield f"  but {check.get('why') or 'it is not so'}"
            yield from (f"    {line}" for line in check.get("lines", ()))
    for number, step in enumerate(row.steps, 1):
        decided = f" by {step['rule']}" if step.get("rule") else ""
        yield f"  {number}. {step['says']!r} → {step['status']}{decided}: {step.get('answer', '')}"
        yield from (f"    {line}" for line in step.get("lines", ()))


def _usage(error: CaseError | WorldError | SolverError | ConfigurationError) -> pytest.UsageError:
    from kb.report import text

    problems = text(error.problems) if isinstance(error, WorldError) else ""
    return pytest.UsageError(f"{error}. {error.hint}", *problems.splitlines())
