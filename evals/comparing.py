"""Owns the comparison of two runs, or of two contenders of one: case by case, what was won and lost and whether it can be chance.

`compare(before, after)` compares each contender with itself, as of two commits; with `names` one with another, as two models. Only cases that both played and that say the same are compared; the others are told. It must not know how it is shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from evals.results import ResultsError, Row
from evals.statistics import Tally, corrected, difference, paired, solved_share
from evals.summary import contender_of, figures, grouped, strata, tallies
from kb.suggest import suggest
from storage.records import Json

FEW = 0.05
"""A p-value below this is called a difference."""


@dataclass(frozen=True, slots=True)
class Delta:
    """How a share solved (0 to 1) differs: `after` less `before`, its interval, and the two-sided p-value of the paired test."""

    cases: int
    before: float
    after: float
    difference: float
    low: float
    high: float
    p: float

    @property
    def significant(self) -> bool:
        return self.p < FEW


@dataclass(frozen=True, slots=True)
class Figure:
    """The mean of a figure for an attempt, over the cases that are compared."""

    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Turned:
    """A case that is solved more or less often than before: epochs solved of epochs played, and why it fails where it does."""

    case: str
    before: Tally
    after: Tally
    why: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """One contender against another, or itself before. `won` and `lost` begin with the cases that differ most."""

    before: str
    after: str
    solved: Delta
    by: dict[str, dict[str, Delta]]
    """By tag and value; the p-values are corrected for that there are many."""
    figures: dict[str, Figure]
    won: tuple[Turned, ...]
    lost: tuple[Turned, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    changed: tuple[str, ...]
    """Cases with the same id that say something else: not compared."""

    def as_data(self) -> Json:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Compared:
    """All contenders of two runs, and those that only one of them has."""

    comparisons: tuple[Comparison, ...]
    only_before: tuple[str, ...] = ()
    only_after: tuple[str, ...] = ()

    def as_data(self) -> Json:
        return asdict(self)


def compare(before: Sequence[Row], after: Sequence[Row], names: tuple[str, str] | None = None) -> Compared:
    """Two runs: the contender `names[0]` of the one against `names[1]` of the other (which may be the same run); without names each
    that both have, or, where each run has but one, that against the other. Raises `ResultsError`."""
    was, now = grouped(before, contender_of), grouped(after, contender_of)
    if names:
        return Compared((compared(_of(was, names[0]), _of(now, names[1])),))
    both = [name for name in was if name in now]
    if not both and len(was) == len(now) == 1:
        return Compared((compared(before, after),))
    if not both:
        raise ResultsError(
            f"No contender is in both runs: {', '.join(was) or 'none'}; {', '.join(now) or 'none'}",
            "Compare the contenders of one run, or two runs that have one each.",
        )
    found = tuple(compared(was[name], now[name]) for name in both)
    return Compared(found, tuple(n for n in was if n not in now), tuple(n for n in now if n not in was))


def _of(own: dict[str, list[Row]], name: str) -> list[Row]:
    if name not in own:
        hint = suggest(name, own) or f"There are {', '.join(own) or 'none'}."
        raise ResultsError(f"There is no contender {name!r} in the run", hint)
    return own[name]


def compared(before: Sequence[Row], after: Sequence[Row]) -> Comparison:
    """The rows of one contender against those of another. Raises `ResultsError` where no case is in both."""
    was, now = grouped(before, lambda row: row.case), grouped(after, lambda row: row.case)
    changed = [case for case in was if case in now and other(was[case][0].fingerprint, now[case][0].fingerprint)]
    cases = [case for case in was if case in now and case not in changed]
    names = _name(before), _name(after)
    if not cases:
        hint = "Run the same suite twice." if not changed else "All cases were written anew between the runs."
        raise ResultsError(f"No case is in both {names[0]} and {names[1]}", hint)
    by: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for case in cases:
        for tag, value in strata(now[case][0]).items():
            by[tag, value].append(case)
    one, two = tallies(row for case in cases for row in was[case]), tallies(row for case in cases for row in now[case])
    turned = sorted(
        (
            _turned(case, one[case], two[case], was[case], now[case])
            for case in cases
            if one[case].share != two[case].share
        ),
        key=lambda each: -abs(each.after.share - each.before.share),
    )
    return Comparison(
        *names,
        solved=_delta(list(one.values()), list(two.values())),
        by=_strata(by, one, two),
        figures=_figures([row for case in cases for row in was[case]], [row for case in cases for row in now[case]]),
        won=tuple(each for each in turned if each.after.share > each.before.share),
        lost=tuple(each for each in turned if each.after.share < each.before.share),
        only_before=tuple(case for case in was if case not in now),
        only_after=tuple(case for case in now if case not in was),
        changed=tuple(changed),
    )


def other(fingerprint: str, another: str) -> bool:
    """Whether two fingerprints tell of different cases; runs of before there were any have none."""
    return bool(fingerprint and another) and fingerprint != another


def _name(rows: Sequence[Row]) -> str:
    return rows[0].contender if rows else "nobody"


def _delta(before: Sequence[Tally], after: Sequence[Tally]) -> Delta:
    change = difference(before, after)
    told = (round(each, 6) for each in (solved_share(before).rate, solved_share(after).rate, *change))
    return Delta(len(before), *told, p=paired(before, after))


def _strata(
    by: dict[tuple[str, str], list[str]], one: dict[str, Tally], two: dict[str, Tally]
) -> dict[str, dict[str, Delta]]:
    deltas = [_delta([one[case] for case in own], [two[case] for case in own]) for own in by.values()]
    found: defaultdict[str, dict[str, Delta]] = defaultdict(dict)
    for (tag, value), delta, p in zip(by, deltas, corrected([each.p for each in deltas]), strict=True):
        found[tag][value] = replace(delta, p=p)
    return dict(found)


def _turned(case: str, before: Tally, after: Tally, was: Sequence[Row], now: Sequence[Row]) -> Turned:
    """Why it fails now; where it is solved more often now, why it did."""
    failing = was if after.share > before.share else now
    return Turned(case, before, after, next((row.why for row in failing if not row.solved), ""))


def _figures(before: Sequence[Row], after: Sequence[Row]) -> dict[str, Figure]:
    was, now = figures(before), figures(after)
    return {name: Figure(was[name]["mean"], now[name]["mean"]) for name in was if name in now}
