"""Owns a run: every case, epoch and contender played, scored and kept, many at once; a run that was killed goes on where it was.

`await run(plan, folder, contenders, tell)` leaves the files of `evals.results` in the folder. It must not know how they are shown.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from agents.models.cassette import CassetteError
from agents.worlds import Where
from evals.attempts import Attempt
from evals.cases import Case, CaseError, fingerprint
from evals.environment import Environment, environments, where_of
from evals.limits import LimitError
from evals.results import TIMINGS, Journal, Row, replace_file, write
from evals.scoring import to_judge, verdict
from evals.scoring.judge import Judge, Verdicts
from evals.solvers import Solver
from evals.summary import write_summary
from storage.records import Json

AT_ONCE = 8
"""Cases that are played at once."""
PLAYING: ContextVar[str] = ContextVar("PLAYING", default="")
"""Which attempt goes on (`contender/case/epoch`): cassettes keep the calls of each apart."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is played. `cases` in the order in which results are told."""

    suite: str
    cases: tuple[Case, ...]
    epochs: int = 1
    seed: int = 0
    at_once: int = AT_ONCE
    revision: str | None = None
    """Of the knowledge bases; None: as they are."""

    def head(self, contenders: Sequence[str], commits: dict[str, str]) -> Json:
        """What tells one run from another; in `summary.json` too."""
        from rulebound import __version__

        return {
            "suite": self.suite,
            "cases": len(self.cases),
            "fingerprint": fingerprint(self.cases),
            "epochs": self.epochs,
            "seed": self.seed,
            "contenders": list(contenders),
            "commits": commits,
            "version": __version__,
        }


@dataclass(frozen=True)
class Ran:
    """A run that is over: its head, and its rows by contender, case and epoch."""

    head: Json
    rows: tuple[Row, ...]
    left_out: tuple[str, ...]
    """Ids of cases that only a model can play, where a contender has none, or judge, where nobody judges."""
    seconds: float


Tell = Callable[[Row, int, int], None]
"""Is told each row as it is there, how many there are, and how many there will be."""


async def run(
    plan: Plan,
    folder: Path,
    contenders: Mapping[str, tuple[Solver, bool]],
    tell: Tell = lambda row, done, of: None,
    *,
    cache: Path | None = None,
    judge: Judge | None = None,
) -> Ran:
    """Plays everything; a contender is a solver, and whether it has a model. Without a `judge` cases that need one are left out.
    Raises `CaseError`, `WorldError`, `ResultsError`, `CassetteError` where a cassette has no answer, and `LimitError` where the run has spent what it may: it can be resumed then."""
    begin = time.perf_counter()
    places = environments(plan.cases, revision=plan.revision, cache=cache)
    commits = {each.world.where.location.rpartition("/")[2]: each.commit for each in places.values()}
    head = plan.head(list(contenders), commits) | ({"judge": judge.name} if judge is not None else {})
    journal = Journal(folder, head)
    try:
        left_out = await _played(plan, places, contenders, journal, tell, judge)
    except BaseException:
        journal.close()
        raise
    order = {case.id: number for number, case in enumerate(plan.cases)}
    names = list(contenders)
    rows = sorted(
        (row for row, _ in journal.rows.values()), key=lambda r: (names.index(r.contender), order[r.case], r.epoch)
    )
    write(folder, rows)
    write_summary(folder, head, rows, left_out)
    seconds = {"/".join(map(str, key)): took for key, (_, took) in sorted(journal.rows.items())}
    replace_file(folder / TIMINGS, json.dumps({"seconds": seconds}, indent=1) + "\n")
    journal.done()
    return Ran(head, tuple(rows), tuple(left_out), time.perf_counter() - begin)


async def _played(
    plan: Plan,
    places: dict[Where, Environment],
    contenders: Mapping[str, tuple[Solver, bool]],
    journal: Journal,
    tell: Tell,
    judge: Judge | None,
) -> list[str]:
    left_out: list[str] = []
    todo: list[tuple[str, Solver, Case, int]] = []
    for name, (solver, with_model) in contenders.items():
        for case in plan.cases:
            if (not with_model and "rules" not in case.by) or (judge is None and to_judge(case)):
                left_out.append(case.id)
                continue
            todo += [(name, solver, case, epoch) for epoch in range(1, plan.epochs + 1)]
    total, waiting = len(todo), iter([each for each in todo if (each[0], each[2].id, each[3]) not in journal.rows])

    async def work() -> None:
        for name, solver, case, epoch in waiting:
            begin = time.perf_counter()
            at = places[where_of(case, plan.revision)]
            row = await played(name, solver, case, at, epoch, judge)
            journal.add(row, time.perf_counter() - begin)
            tell(row, len(journal.rows), total)
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError  # whoever played the case may have swallowed it

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(plan.at_once):
                group.create_task(work())
    except BaseExceptionGroup as several:  # the first tells why, the others were under way
        raise _first(several) from None
    return list(dict.fromkeys(left_out))


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error  # pyright: ignore[reportUnknownArgumentType]


async def _judged(judge: Judge, case: Case, attempt: Attempt, who: str) -> Verdicts:
    """What a judge finds; cassettes keep its calls apart from the contender's."""
    token = PLAYING.set(f"judge/{case.id}/{who}")
    try:
        return await judge.judged(case, attempt)
    finally:
        PLAYING.reset(token)


async def played(name: str, solver: Solver, case: Case, at: Environment, epoch: int, judge: Judge | None = None) -> Row:
    """One case played by one contender, and scored. Raises `CassetteError` and `LimitError` alone."""
    token = PLAYING.set(f"{name}/{case.id}/{epoch}")
    try:
        attempt = await solver.solve(case, at, epoch)
    except (CassetteError, LimitError):
        raise  # the run itself is broken, not one case
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        attempt = Attempt((), (), error=f"something that it waited for was given up {error}".strip())
    except CaseError as error:
        attempt = Attempt((), (), error=f"{error} {error.hint}")
    except Exception as error:  # one case that breaks its solver must not end a night's run
        attempt = Attempt((), (), error=f"{type(error).__name__}: {error}")
    finally:
        PLAYING.reset(token)
    judged = None if judge is None or not attempt.states else await _judged(judge, case, attempt, f"{name}/{epoch}")
    found = verdict(case, attempt, at, judged=judged)
    return Row(
        case.id,
        epoch,
        name,
        found.solved,
        tuple(each.as_data() for each in found.checks),
        found.figures,
        tuple(each.as_data() for each in attempt.steps),
        found.error,
        case.world.rpartition("/")[2],
        case.task,
        dict(case.tags),
        case.at,
        fingerprint([case]),
    )
