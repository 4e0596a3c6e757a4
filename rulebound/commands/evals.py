"""Owns `rulebound eval …`: what is run, and what is printed of it. It must not know how cases are played, scored or drawn."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evals.cases import Case, CaseError
from evals.comparing import Compared, compare
from evals.contenders import NONE, SHIPPED, contenders
from evals.gate import Baseline, gate, lines
from evals.limits import Limit
from evals.reports import junit, page, terminal
from evals.results import read
from evals.running import Plan
from evals.running import run as play
from evals.solvers import SOLVERS
from evals.suites import SUITES, Suite, suite
from rulebound.settings import Settings

TAPE = "tape.jsonl"


@dataclass(frozen=True)
class Wanted:
    """What is to be run, as the command line tells it."""

    suites: Sequence[str]
    models: Sequence[str] | None
    solvers: Sequence[str] | None
    epochs: int
    out: Path | None
    seed: int
    at_once: int
    word: str
    sample: int | None
    at: str | None
    max_calls: int | None
    max_cost: float | None
    judge: str | None = None


def run(wanted: Wanted, *, record: bool = False, tape: Path | None = None, as_json: bool = False) -> int:
    """Runs, writes the files, prints the table; 0. Raises `CaseError`, `SolverError`, `WorldError`, `ResultsError`, `LimitError`,
    `CassetteError`."""
    if not wanted.suites:
        raise CaseError(
            "No suite is named", "Write `rulebound eval run --suite play`; `rulebound eval list` has them all."
        )
    suites = [suite(name, wanted.at) for name in wanted.suites]
    out = wanted.out or Path("eval-results") / "-".join(each.name for each in suites)
    try:
        asyncio.run(_run(wanted, suites, out, out / TAPE if record else None, tape))
    except KeyboardInterrupt:
        print(f"Stopped. What was played is kept in {out}: the same command goes on.", file=sys.stderr)
        raise
    return reported(out, None, None, as_json=as_json)


async def _run(wanted: Wanted, suites: Sequence[Suite], out: Path, record: Path | None, tape: Path | None) -> None:
    plan, settings = _plan(wanted, suites), Settings.from_environment()
    solvers = wanted.solvers or [suites[0].solver]
    limit = Limit(wanted.max_calls, wanted.max_cost)
    models = wanted.models or ["none"]
    async with contenders(
        solvers,
        models,
        settings,
        home=out,
        seed=wanted.seed,
        revision=wanted.at,
        limit=limit,
        record=record,
        replay=tape,
        judge=wanted.judge or "",
    ) as them:
        with terminal.progress() as tell:
            await play(plan, out, them, tell, cache=settings.cache, judge=them.judge)


def _plan(wanted: Wanted, suites: Sequence[Suite]) -> Plan:
    """The cases that are wanted, in their order. Raises `CaseError` where there are none."""
    cases = [
        replace(case, id=f"{each.name}:{case.id}") if len(suites) > 1 else case
        for each in suites
        for case in each.cases()
        if _named(wanted.word, case)
    ]
    if not cases:
        named = ", ".join(each.name for each in suites)
        hint = "See `rulebound eval list SUITE`." if wanted.word else "Write some: docs/evaluators/cases.md."
        raise CaseError(f"There are no such cases in {named}", hint)
    if wanted.sample is not None and wanted.sample < len(cases):
        cases = [cases[number * len(cases) // wanted.sample] for number in range(wanted.sample)]
    name = "+".join(each.name for each in suites)
    return Plan(name, tuple(cases), wanted.epochs, wanted.seed, wanted.at_once, wanted.at)


def _named(word: str, case: Case) -> bool:
    return not word or any(word.casefold() in each.casefold() for each in (case.id, *case.tags.values()))


def listed(name: str | None, *, as_json: bool = False) -> int:
    """Prints suites and solvers, or a suite's cases; 0. Raises `CaseError`, `WorldError`."""
    if name is not None:
        cases = suite(name).cases()
        for each in cases:
            print(json.dumps(each.as_data(), ensure_ascii=False) if as_json else f"{each.id}  {_shown(each)}")
        return 0
    suites = {name: suite(name) for name in SUITES}
    if as_json:
        told = {
            name: {"about": each.about, "source": each.source, "solver": each.solver} for name, each in suites.items()
        }
        print(json.dumps({"suites": told, "solvers": {name: about for name, (_, about) in SOLVERS.items()}}, indent=1))
        return 0
    for title, rows in (
        ("Suites", {name: f"{each.about} ({each.source})" for name, each in suites.items()}),
        ("Solvers", {name: about for name, (_, about) in SOLVERS.items()}),
    ):
        print(title)
        width = max(map(len, rows)) + 2
        for each, about in rows.items():
            print(f"  {each:<{width}}{about}")
    print("A world, a folder of pages and a .jsonl file are suites too.")
    print(f"Models: {', '.join((NONE, *SHIPPED))}, scripted:FILE, and what `rulebound models` shows.")
    return 0


def _shown(case: Case) -> str:
    said = case.task or " / ".join(turn.says for turn in case.turns)
    return said if len(said) <= 100 else f"{said[:99]}…"


def reported(folder: Path, against: Path | None, junit_file: Path | None, *, as_json: bool = False) -> int:
    """Prints a run; writes its page, and JUnit XML where a file is named; 0. Raises `ResultsError`."""
    rows, summary = read(folder), page.summary_of(folder)
    written = page.report(folder, against=against)
    if junit_file is not None:
        junit.write(folder, junit_file)
    if as_json:
        print(json.dumps(summary, ensure_ascii=False, indent=1))
        return 0
    terminal.show(summary, rows)
    print(f"The page is {written}", file=sys.stderr)
    return 0


def compared(before: Path, after: Path | None, *, as_json: bool = False) -> int:
    """Prints what differs between two runs, or between the first contender of one and each other; 0. Raises `ResultsError`."""
    was = read(before)
    if after is None:
        first, *others = dict.fromkeys(row.contender for row in was) or [""]
        if not others:
            raise CaseError(f"{before} has one contender", "Name a second run, or run with two models or solvers.")
        told = Compared(tuple(compare(was, was, (first, each)).comparisons[0] for each in others))
    else:
        told = compare(was, read(after))
    if as_json:
        print(json.dumps(told.as_data(), ensure_ascii=False, indent=1))
    else:
        terminal.show_compared(told)
    return 0


def gated(folder: Path, baseline: Path, *, write: bool = False) -> int:
    """Holds a run against a baseline, or makes it one; 1 where it is significantly worse. Raises `BaselineError`, `ResultsError`."""
    rows = read(folder)
    if write:
        Baseline.of(rows).write(baseline)
        print(f"{baseline}: {len(rows)} attempts are the baseline.")
        return 0
    verdict = gate(Baseline.read(baseline), rows)
    for each in lines(verdict):
        print(each)
    return 0 if verdict.passed else 1


def generated(kind: str, count: int, seed: int, out: Path, size: int = 0) -> int:
    """Makes a folder of cases; 0. Raises `CaseError`."""
    from evals.generators import generate

    folder = generate(kind, count, seed, out, size)
    print(f"{count} cases: rulebound eval run {folder}")
    return 0


def imported(form: str, file: Path, out: Path, world: str, names: Sequence[str]) -> int:
    """Takes cases in and tells what was left out; 1 where something was. Raises `CaseError`."""
    from evals.importers import read as read_cases
    from evals.importers import save

    told = dict(each.split("=", 1) for each in names if "=" in each)
    if len(told) < len(names):
        raise CaseError("A name is not told twice as OURS=THEIRS", "Write `--name id=task_id`, each once.")
    found = read_cases(form, file, world=world, names=told)
    for each in found.problems:
        print(each, file=sys.stderr)
    folder = save(found, out)
    lost = sum(each.lost for each in found.problems)
    print(f"{len(found.cases)} cases, {lost} left out: rulebound eval run {folder}")
    return 1 if lost else 0
