"""Owns the gate: a baseline file that tells how often each case was solved, and whether a run is worse than chance explains.

`Baseline.of(rows).write(file)`; `gate(Baseline.read(file), rows)` gives a verdict that names the cases; `lines(verdict)` says it. It must
not know how rows are made.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from evals.comparing import other
from evals.reports.texts import line
from evals.results import Row, replace_file
from evals.statistics import ALONE, Tally, broke, corrected, dropped, fell, solved_share
from evals.summary import contender_of, grouped, tallies

FALSE_ALARM = 0.005
"""How often the gate may fail though nothing but chance changed: all its questions, and several contenders, share it. Half of what is
promised (1 in 100), as a baseline is used many times, and one that was drawn with luck alarms more often than another."""
RANDOM = frozenset({"random", "fuzz"})
"""Solvers that draw what they do: without a model too, another world gives them other luck."""


class BaselineError(Exception):
    """A baseline cannot be used: `args[0]` says where and what, `hint` what to do."""

    def __init__(self, message: str, hint: str = "Write it anew from a run that is as it should be."):
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Kept:
    """How a case did when the baseline was written."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "strict": True}

    epochs: int
    solved: int
    fingerprint: str = ""

    @property
    def tally(self) -> Tally:
        return Tally(self.epochs, self.solved)


@dataclass(frozen=True, slots=True)
class Baseline:
    """By contender and case."""

    contenders: Mapping[str, Mapping[str, Kept]]

    @staticmethod
    def of(rows: Sequence[Row]) -> Baseline:
        """What a run's rows say."""
        return Baseline({name: _kept(own) for name, own in grouped(rows, contender_of).items()})

    def only(self, cases: Collection[str]) -> Baseline:
        """What it says of these cases: where but some are played."""
        told = {
            name: {case: each for case, each in own.items() if case in cases} for name, own in self.contenders.items()
        }
        return Baseline({name: own for name, own in told.items() if own})

    def write(self, file: Path) -> None:
        """A case a line, in order, so that a change of it can be read."""
        told: list[str] = []
        for name, own in sorted(self.contenders.items()):
            cases = [f"  {json.dumps(id)}: {json.dumps(asdict(each))}" for id, each in sorted(own.items())]
            told.append(f" {json.dumps(name)}: {{\n" + ",\n".join(cases) + "\n }")
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, "{\n" + ",\n".join(told) + "\n}\n")

    @staticmethod
    def read(file: Path) -> Baseline:
        """Raises `BaselineError`."""
        from pydantic import TypeAdapter, ValidationError  # for those who read one

        try:
            told = TypeAdapter(dict[str, dict[str, Kept]]).validate_json(file.read_bytes())
        except OSError as error:
            hint = "Write it from a run that is as it should be: `rulebound eval gate DIR --baseline FILE --write`."
            raise BaselineError(f"{file}: {error.strerror}", hint) from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ": ".join(str(part) for part in first["loc"])
            raise BaselineError(f"{file}: {f'{where}: ' if where else ''}{first['msg']}") from None
        for name, own in told.items():
            for case, each in own.items():
                if not 0 <= each.solved <= each.epochs or not each.epochs:
                    raise BaselineError(f"{file}: {name}: {case}: {each.solved} of {each.epochs} epochs solved")
        return Baseline(told)


def _kept(rows: Sequence[Row]) -> dict[str, Kept]:
    prints = {row.case: row.fingerprint for row in rows}
    return {case: Kept(*tally, prints[case]) for case, tally in tallies(rows).items()}


@dataclass(frozen=True, slots=True)
class Fallen:
    """A case that is solved less often than in the baseline. `chance`: how likely that is, for this case alone, by chance."""

    case: str
    before: Tally
    after: Tally
    why: str
    chance: float
    changed: bool = False
    """It says something else than in the baseline."""

    @property
    def broke(self) -> bool:
        """Chance hardly explains it; a case that is solved a little less often is named too, after these."""
        return self.chance <= ALONE


@dataclass(frozen=True, slots=True)
class Judged:
    """A contender beside its baseline. The rates are of the cases that both have."""

    contender: str
    certain: bool
    """The same world gives it the same result: each case that was always solved and is not now is a regression."""
    failed: bool
    before: float
    after: float
    p: float | None
    """How likely so large a drop is where nothing but chance changed; None for a certain one."""
    cases: tuple[Fallen, ...]
    """Those that explain it, the least likely first."""
    new: tuple[str, ...]
    removed: tuple[str, ...]
    """In the baseline, and not played. Those that were solved fail the gate: leaving a case out must not hide that it fails."""
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says; `missing` are contenders of the baseline that did not play, `new` those that it does not know."""

    judged: tuple[Judged, ...]
    missing: tuple[str, ...]
    new: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Where nothing is compared, nothing is shown to be well either."""
        return bool(self.judged) and not any(each.failed for each in self.judged)


def gate(baseline: Baseline, rows: Sequence[Row], false_alarm: float = FALSE_ALARM) -> Verdict:
    """Whether a run is worse than its baseline."""
    played = grouped(rows, contender_of)
    known = baseline.contenders
    both = [name for name in known if name in played]
    share = false_alarm / max(1, sum(not certain(name) for name in both))
    judged = tuple(_judged(name, known[name], played[name], share) for name in both)
    return Verdict(judged, tuple(n for n in known if n not in played), tuple(n for n in played if n not in known))


def certain(contender: str) -> bool:
    """Whether a contender's result depends on nothing but the world: it has no model and draws nothing."""
    solver, _, model = contender.partition(":")
    return model == "none" and solver not in RANDOM


def _judged(contender: str, known: Mapping[str, Kept], rows: Sequence[Row], false_alarm: float) -> Judged:
    now, by = _kept(rows), grouped(rows, lambda row: row.case)
    both = [case for case in known if case in now]
    changed = [case for case in both if other(known[case].fingerprint, now[case].fingerprint)]
    same = [case for case in both if case not in changed]
    removed = [case for case in known if case not in now]
    cases = [
        _fallen(case, known[case], now[case], by[case], case in changed)
        for case in both
        if now[case].tally.share < known[case].tally.share
    ]
    p: float | None = None
    if certain(contender):
        cases = [each for each in cases if each.before.solved == each.before.epochs]
        worse = bool(cases)
    else:
        # Cases that were written anew may have become harder, or easier and so hide a drop: with them and without.
        asked = [p for own in ((same, both) if changed else (same,)) for p in _asked(known, now, own)]
        p = min(corrected(asked))
        worse = p <= false_alarm
    return Judged(
        contender,
        certain(contender),
        worse or not both or any(known[case].solved for case in removed),
        solved_share([known[case].tally for case in both]).rate if both else 0.0,
        solved_share([now[case].tally for case in both]).rate if both else 0.0,
        p,
        tuple(sorted(cases, key=lambda each: (each.chance, each.after.share - each.before.share))),
        tuple(case for case in now if case not in known),
        tuple(removed),
        tuple(changed),
    )


def _asked(known: Mapping[str, Kept], now: Mapping[str, Kept], cases: Sequence[str]) -> tuple[float, float]:
    """Whether many cases are solved somewhat less often, and whether a few broke."""
    before, after = [known[case].tally for case in cases], [now[case].tally for case in cases]
    return dropped(before, after), broke(before, after)


def _fallen(case: str, known: Kept, now: Kept, rows: Sequence[Row], changed: bool) -> Fallen:
    why = next((row.why for row in rows if not row.solved), "")
    return Fallen(case, known.tally, now.tally, why, fell(known.tally, now.tally), changed)


def lines(verdict: Verdict, most: int = 20) -> Iterator[str]:
    """The verdict in words, for a terminal or a log: at most so many cases of a contender."""
    for each in verdict.judged:
        what = "worse than the baseline" if each.failed else "as good as the baseline"
        chance = "" if each.p is None else f", p = {each.p:.2g}"
        yield line(f"{each.contender}: {what}: {each.before:.1%} solved before, {each.after:.1%} now{chance}")
        if each.failed:
            for fallen in each.cases[:most]:
                was, now = fallen.before, fallen.after
                told = f"{was.solved} of {was.epochs} before, {now.solved} of {now.epochs} now"
                luck = not each.certain and not fallen.broke
                note = "; the case was changed" * fallen.changed + "; may be chance" * luck
                yield "  " + line(f"{fallen.case} ({told}{note}): {fallen.why}")
            if len(each.cases) > most:
                yield f"  and {len(each.cases) - most} more"
        for name, cases in (("new", each.new), ("changed", each.changed), ("not played", each.removed)):
            if cases:
                yield "  " + line(f"{len(cases)} {name}: {', '.join(cases[:most])}{' …' if len(cases) > most else ''}")
        if each.failed and each.removed:
            yield "  if cases were removed on purpose, write the baseline anew"
    if verdict.missing:
        yield line(f"in the baseline, and not played: {', '.join(verdict.missing)}")
    if verdict.new:
        yield line(f"not in the baseline: {', '.join(verdict.new)}")
    if not verdict.judged:
        yield "nothing could be compared: the baseline and this run have no contender in common"
