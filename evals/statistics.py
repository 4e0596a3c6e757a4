"""Owns the figures that say what outcomes are worth: shares with intervals, pass@k and pass^k, paired tests, agreement.

Everything is told as `Tally`s, one a case: how many epochs it was played and in how many it was solved. All of it is exact or in closed
form, nothing is drawn at random: the same outcomes give the same figures. It must not know rows, runs or files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import comb, lcm, sqrt
from statistics import NormalDist
from typing import NamedTuple

CONFIDENCE = 0.95
ALONE = 0.05
"""A case that falls so far that chance alone does it less often than this is said to have broken."""
NEGLIGIBLE = 1e-15
"""Chances below this are dropped when distributions are added: a p-value is right to some 1e-10."""


class Tally(NamedTuple):
    """A case: how many epochs it was played, and in how many of them it was solved."""

    epochs: int
    solved: int

    @property
    def share(self) -> float:
        return self.solved / self.epochs


class Share(NamedTuple):
    """A share (0 to 1) with its interval."""

    rate: float
    low: float
    high: float


class Agreement(NamedTuple):
    """How often a judge says what the labels say: the share with its interval, and Cohen's kappa (1: always, 0: as by chance)."""

    cases: int
    share: Share
    kappa: float


def pass_at(tallies: Sequence[Tally], k: int) -> float:
    """pass@k: the chance that at least one of k epochs solves a case, mean over cases; unbiased (Chen et al., 2021)."""
    return _mean(1 - comb(each.epochs - each.solved, k) / comb(each.epochs, k) for each in _played(tallies, k))


def pass_all(tallies: Sequence[Tally], k: int) -> float:
    """pass^k: the chance that all of k epochs solve a case, mean over cases; unbiased (Yao et al., 2024)."""
    return _mean(comb(each.solved, k) / comb(each.epochs, k) for each in _played(tallies, k))


def _played(tallies: Sequence[Tally], k: int) -> Sequence[Tally]:
    fewest = min((each.epochs for each in tallies), default=0)
    if not 1 <= k <= fewest:
        raise ValueError(f"k is {k}, and each case was played {fewest} times")
    return tallies


def _mean(values: Iterable[float]) -> float:
    told = list(values)
    return sum(told) / len(told)


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(rate: float, n: float, confidence: float = CONFIDENCE) -> Share:
    """A share of n independent draws with Wilson's score interval, which holds for few draws and for shares near 0 and 1."""
    z = _z(confidence)
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return Share(rate, min(rate, max(0.0, middle - half)), max(rate, min(1.0, middle + half)))


def solved_share(tallies: Sequence[Tally], confidence: float = CONFIDENCE) -> Share:
    """The mean share of epochs that solve a case, with an interval for cases like these.

    Epochs of one case are alike, so they are not counted as so many draws: Wilson's interval is taken for the number of independent
    draws that would vary as the cases do (at least one a case, at most one an epoch). With one epoch it is Wilson's itself.
    """
    cases, epochs = len(tallies), sum(each.epochs for each in tallies)
    shares = [each.share for each in tallies]
    rate = _mean(shares)
    spread = sum((each - rate) ** 2 for each in shares) / max(cases - 1, 1) / cases
    like = rate * (1 - rate) / spread if spread else 0.0
    return wilson(rate, min(max(like, cases), epochs), confidence)


def difference(before: Sequence[Tally], after: Sequence[Tally], confidence: float = CONFIDENCE) -> Share:
    """By how much the mean share rose from `before` to `after` (same cases, same order), with an interval for cases like these.

    The interval is Bonett and Price's (2012) for paired shares, over the differences of cases: two cases are added, one won and one
    lost, so that it is not empty where nothing differed.
    """
    each = [float(_less(*pair)) for pair in zip(before, after, strict=True)]
    added = [*each, 1.0, -1.0]
    middle = _mean(added)
    half = _z(confidence) * sqrt(_mean((one - middle) ** 2 for one in added) / len(added))
    return Share(_mean(each), max(-1.0, middle - half), min(1.0, middle + half))


def _less(before: Tally, after: Tally) -> Fraction:
    return Fraction(after.solved, after.epochs) - Fraction(before.solved, before.epochs)


def paired(before: Sequence[Tally], after: Sequence[Tally]) -> float:
    """The two-sided p-value of a difference between two contenders on the same cases, clustered by case.

    The exact sign-flip test: were the two alike, each case's difference might as well have had the other sign. All flips are counted.
    With one epoch it is the exact test of McNemar.
    """
    told = [_less(*pair) for pair in zip(before, after, strict=True)]
    unit = lcm(*(each.denominator for each in told))
    whole = [abs(int(each * unit)) for each in told if each]
    found = abs(int(sum(told) * unit))
    sums = _sum({-each: 0.5, each: 0.5} for each in whole)
    return min(1.0, sum(chance for at, chance in sums.items() if abs(at) >= found))


def dropped(before: Sequence[Tally], after: Sequence[Tally]) -> float:
    """The one-sided p-value of "nothing changed but by chance" against "cases are solved less often now": by the mean share.

    The exact test over cases (conditional on how often each was solved before and after together, as Fisher's and the exact
    Mantel-Haenszel test are): were nothing changed, any of a case's epochs might as well have been played before as after. With one
    epoch it is McNemar's, one-sided.
    """
    pairs = list(zip(before, after, strict=True))
    unit = lcm(*(each.epochs for each in (*before, *after)))

    def weight(was: Tally, now: Tally, solved: int) -> int:
        """The difference, in units, had `solved` of the two together been solved now."""
        return solved * unit // now.epochs - (was.solved + now.solved - solved) * unit // was.epochs

    found = sum(weight(was, now, now.solved) for was, now in pairs)
    # A case that was solved always, or never, leaves nothing to chance: it adds 0 however it is dealt.
    open_ = [(was, now) for was, now in pairs if 0 < was.solved + now.solved < was.epochs + now.epochs]
    sums = _sum({weight(was, now, n): p for n, p in _dealt(was, now).items()} for was, now in open_)
    return min(1.0, sum(chance for at, chance in sums.items() if at <= found))


def fell(before: Tally, after: Tally) -> float:
    """The one-sided p-value of one case by itself: Fisher's exact test."""
    return min(1.0, sum(chance for solved, chance in _dealt(before, after).items() if solved <= after.solved))


def broke(before: Sequence[Tally], after: Sequence[Tally], alone: float = ALONE) -> float:
    """The one-sided p-value of "nothing changed but by chance" against "some cases broke": by how many fell further than chance
    explains for them alone. Exact and conditional as `dropped`, it finds few cases that always fail now among many that are noisy.
    """
    pairs = list(zip(before, after, strict=True))
    found = sum(fell(was, now) <= alone for was, now in pairs)
    counts = _sum({0: 1 - p, 1: p} for p in (_falls(was, now, alone) for was, now in pairs) if p)
    return min(1.0, sum(chance for count, chance in counts.items() if count >= found))


def _falls(before: Tally, after: Tally, alone: float) -> float:
    """How likely it is that a case falls so far by chance."""
    below = 0.0
    for chance in _dealt(before, after).values():
        if below + chance > alone:
            break
        below += chance
    return below


def _dealt(before: Tally, after: Tally) -> dict[int, float]:
    """How likely it is that so many of a case's solved epochs are of those played after, from the fewest."""
    solved, epochs = before.solved + after.solved, before.epochs + after.epochs
    ways = comb(epochs, after.epochs)
    return {
        each: comb(solved, each) * comb(epochs - solved, after.epochs - each) / ways
        for each in range(max(0, solved - before.epochs), min(solved, after.epochs) + 1)
    }


def _sum(parts: Iterable[Mapping[int, float]]) -> dict[int, float]:
    """The distribution of the sum of independent whole numbers."""
    total = {0: 1.0}
    for part in parts:
        more: defaultdict[int, float] = defaultdict(float)
        for at, chance in total.items():
            for step, share in part.items():
                more[at + step] += chance * share
        total = {at: chance for at, chance in more.items() if chance > NEGLIGIBLE}
    return total


def agreement(pairs: Sequence[tuple[str | bool, str | bool]], confidence: float = CONFIDENCE) -> Agreement:
    """How well a judge's verdicts (first) agree with labels (second)."""
    cases = len(pairs)
    same = sum(one == other for one, other in pairs) / cases
    values = {value for pair in pairs for value in pair}
    chance = sum(
        sum(one == value for one, _ in pairs) * sum(other == value for _, other in pairs) for value in values
    ) / (cases * cases)
    return Agreement(cases, wilson(same, cases, confidence), (same - chance) / (1 - chance) if chance < 1 else 1.0)


def corrected(chances: Sequence[float]) -> list[float]:
    """p-values of several questions asked at once, each as large as it must be that all together are told (Holm, 1979)."""
    told = [0.0] * len(chances)
    largest = 0.0
    for rank, at in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        largest = max(largest, min(1.0, chances[at] * (len(chances) - rank)))
        told[at] = largest
    return told
