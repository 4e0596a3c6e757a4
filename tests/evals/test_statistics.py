"""Figures agree with counting every possibility, with published values, and hold the share that they promise."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import combinations, product
from math import comb, isclose
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.statistics import (
    Tally,
    agreement,
    broke,
    corrected,
    difference,
    dropped,
    fell,
    paired,
    pass_all,
    pass_at,
    solved_share,
    wilson,
)

unhurried = settings(deadline=None)
tally = st.integers(1, 5).flatmap(lambda n: st.integers(0, n).map(lambda c: Tally(n, c)))
some = st.lists(tally, min_size=1, max_size=6)
pairs = st.lists(st.tuples(tally, tally), min_size=1, max_size=4)
singles = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def outcomes(each: Tally) -> list[bool]:
    return [True] * each.solved + [False] * (each.epochs - each.solved)


@unhurried
@given(some, st.integers(1, 5))
def test_pass_at_k_and_pass_k_are_what_counting_every_draw_of_k_epochs_gives(played: list[Tally], k: int) -> None:
    if k > min(each.epochs for each in played):
        with pytest.raises(ValueError, match=f"k is {k}"):
            pass_at(played, k)
        return
    draws = [list(combinations(outcomes(each), k)) for each in played]
    assert isclose(pass_at(played, k), mean(mean(any(draw) for draw in each) for each in draws), abs_tol=1e-12)
    assert isclose(pass_all(played, k), mean(mean(all(draw) for draw in each) for each in draws), abs_tol=1e-12)


@unhurried
@given(some)
def test_with_one_epoch_drawn_pass_at_1_and_pass_1_are_the_share_solved(played: list[Tally]) -> None:
    assert isclose(pass_at(played, 1), solved_share(played).rate)
    assert isclose(pass_all(played, 1), solved_share(played).rate)


def test_pass_at_k_is_unbiased() -> None:
    rng, p, k = random.Random(0), 0.3, 3
    played = [Tally(8, sum(rng.random() < p for _ in range(8))) for _ in range(20_000)]
    assert pass_at(played, k) == pytest.approx(1 - (1 - p) ** k, abs=0.01)
    assert pass_all(played, k) == pytest.approx(p**k, abs=0.005)


@pytest.mark.parametrize(
    ("solved", "n", "low", "high"),
    # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_has_the_published_values(solved: int, n: int, low: float, high: float) -> None:
    assert wilson(solved / n, n) == pytest.approx((solved / n, low, high), abs=5e-5)
    one_epoch = [Tally(1, 1)] * solved + [Tally(1, 0)] * (n - solved)
    assert solved_share(one_epoch) == pytest.approx((solved / n, low, high), abs=5e-5)


@unhurried
@given(some)
def test_an_interval_holds_its_rate_and_stays_within_0_and_1(played: list[Tally]) -> None:
    rate, low, high = solved_share(played)
    assert 0 <= low <= rate <= high <= 1
    assert low < high


def test_epochs_that_only_repeat_a_case_make_no_interval_narrower_and_independent_ones_do() -> None:
    repeated = [Tally(10, 10)] * 30 + [Tally(10, 0)] * 20
    once = [Tally(1, 1)] * 30 + [Tally(1, 0)] * 20
    assert solved_share(repeated) == pytest.approx(solved_share(once))
    independent = [Tally(10, 6)] * 50
    assert solved_share(independent) == pytest.approx(wilson(0.6, 500))


@pytest.mark.parametrize("spread", [(0.3, 0.1), (2.0, 1.0), (50.0, 10.0)])
def test_the_interval_holds_the_true_share_of_cases_like_these_in_95_of_100(spread: tuple[float, float]) -> None:
    rng, truth = random.Random(1), spread[0] / sum(spread)

    def holds() -> bool:
        chances = [rng.betavariate(*spread) for _ in range(60)]
        share = solved_share([Tally(4, sum(rng.random() < p for _ in range(4))) for p in chances])
        return share.low <= truth <= share.high

    assert sum(holds() for _ in range(600)) >= 0.93 * 600


def flipped(played: list[tuple[Tally, Tally]]) -> float:
    """The sign-flip test as its words say it."""
    each = [Fraction(now.solved, now.epochs) - Fraction(was.solved, was.epochs) for was, now in played]
    flips = [
        abs(sum(sign * d for sign, d in zip(signs, each, strict=True))) for signs in product((1, -1), repeat=len(each))
    ]
    return sum(flip >= abs(sum(each)) for flip in flips) / len(flips)


def dealt(played: list[tuple[Tally, Tally]]) -> float:
    """The exact test over cases as its words say it: every way to deal a case's epochs to before and after."""
    sums = {Fraction(0): 1}
    for was, now in played:
        both, more = outcomes(was) + outcomes(now), {}
        for chosen in combinations(range(len(both)), now.epochs):
            solved = sum(both[at] for at in chosen)
            step = Fraction(solved, now.epochs) - Fraction(sum(both) - solved, was.epochs)
            for at, ways in sums.items():
                more[at + step] = more.get(at + step, 0) + ways
        sums = more
    found = sum(Fraction(now.solved, now.epochs) - Fraction(was.solved, was.epochs) for was, now in played)
    return sum(ways for at, ways in sums.items() if at <= found) / sum(sums.values())


@settings(unhurried, max_examples=60)
@given(pairs)
def test_both_paired_tests_are_what_counting_every_possibility_gives(played: list[tuple[Tally, Tally]]) -> None:
    before, after = [was for was, _ in played], [now for _, now in played]
    assert isclose(paired(before, after), flipped(played), abs_tol=1e-12)
    assert isclose(dropped(before, after), dealt(played), abs_tol=1e-12)


def broken(played: list[tuple[Tally, Tally]], alone: float) -> float:
    """The test by cases that broke as its words say it: every way to deal the epochs of all cases."""

    def falls(was: Tally, now: Tally) -> list[bool]:
        both = outcomes(was) + outcomes(now)
        deals = [sum(both[at] for at in chosen) for chosen in combinations(range(len(both)), now.epochs)]
        return [sum(other <= deal for other in deals) / len(deals) <= alone for deal in deals]

    found = sum(fell(was, now) <= alone for was, now in played)
    sums = {0: 1}
    for was, now in played:
        more = {}
        for at, ways in sums.items():
            for each in falls(was, now):
                more[at + each] = more.get(at + each, 0) + ways
        sums = more
    return sum(ways for at, ways in sums.items() if at >= found) / sum(sums.values())


@settings(unhurried, max_examples=60)
@given(pairs, st.sampled_from([0.04, 0.11, 0.3]))
def test_the_test_by_cases_that_broke_is_what_counting_every_possibility_gives(
    played: list[tuple[Tally, Tally]], alone: float
) -> None:
    before, after = [was for was, _ in played], [now for _, now in played]
    assert isclose(broke(before, after, alone), broken(played, alone), abs_tol=1e-12)


def test_one_case_by_itself_is_fishers_exact_test() -> None:
    """The tea taster: 3 of 4 right where 1 of 4 would be, 17 of 70 deals."""
    assert fell(Tally(4, 3), Tally(4, 1)) == pytest.approx(17 / 70)
    assert fell(Tally(5, 5), Tally(5, 0)) == pytest.approx(1 / 252)


def test_questions_asked_together_are_corrected_as_holm_does() -> None:
    assert corrected([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert corrected([]) == []


@unhurried
@given(singles)
def test_with_one_epoch_both_are_the_exact_test_of_mcnemar(played: list[tuple[bool, bool]]) -> None:
    before, after = [Tally(1, was) for was, _ in played], [Tally(1, now) for _, now in played]
    lost, won = sum(was > now for was, now in played), sum(now > was for was, now in played)
    n = lost + won
    two_sided = min(1.0, 2 * sum(comb(n, each) for each in range(max(lost, won), n + 1)) / 2**n) if n else 1.0
    assert isclose(paired(before, after), two_sided, abs_tol=1e-12)
    assert isclose(dropped(before, after), sum(comb(n, each) for each in range(lost, n + 1)) / 2**n, abs_tol=1e-12)


def test_mcnemar_has_the_textbook_value() -> None:
    """10 cases lost and 2 won: 2 * (C(12,0) + C(12,1) + C(12,2)) / 2**12."""
    before = [Tally(1, 1)] * 10 + [Tally(1, 0)] * 2 + [Tally(1, 1)] * 88
    after = [Tally(1, 0)] * 10 + [Tally(1, 1)] * 2 + [Tally(1, 1)] * 88
    assert paired(before, after) == pytest.approx(0.03857421875)


def test_a_case_that_always_fails_now_is_found_sooner_than_a_difference_of_two_contenders() -> None:
    before = [Tally(5, 5)] * 4 + [Tally(5, 3)] * 20
    after = [Tally(5, 0)] * 4 + [Tally(5, 3)] * 20
    assert broke(before, after) < 0.002 < dropped(before, after) < 0.01 < 0.1 < paired(before, after)


def test_the_order_of_cases_and_a_renaming_of_both_sides_change_no_p_value() -> None:
    before, after = [Tally(3, 3), Tally(3, 1), Tally(4, 2)], [Tally(5, 2), Tally(2, 1), Tally(4, 4)]
    assert (
        paired(before, after)
        == pytest.approx(paired(after, before))
        == pytest.approx(paired(before[::-1], after[::-1]))
    )


def test_the_interval_of_a_difference_is_bonett_and_prices_for_one_epoch() -> None:
    """n = 100, 10 lost, 2 won: p12 = 3/102, p21 = 11/102, and z * sqrt((p12 + p21 - (p12 - p21)^2) / 102)."""
    before = [Tally(1, 1)] * 10 + [Tally(1, 0)] * 90
    after = [Tally(1, 0)] * 10 + [Tally(1, 1)] * 2 + [Tally(1, 0)] * 88
    half = 1.959964 * ((3 / 102 + 11 / 102 - (8 / 102) ** 2) / 102) ** 0.5
    assert difference(before, after) == pytest.approx((-0.08, -8 / 102 - half, -8 / 102 + half), abs=1e-6)


def test_the_interval_of_a_difference_holds_the_true_difference_in_95_of_100() -> None:
    rng = random.Random(2)

    def holds() -> bool:
        chances = [rng.betavariate(1.5, 0.5) for _ in range(80)]
        before = [Tally(3, sum(rng.random() < p for _ in range(3))) for p in chances]
        after = [Tally(3, sum(rng.random() < p * 0.8 for _ in range(3))) for p in chances]
        told = difference(before, after)
        return told.low <= -0.2 * 0.75 <= told.high

    assert sum(holds() for _ in range(600)) >= 0.93 * 600


def test_where_nothing_differs_the_interval_of_the_difference_is_not_empty() -> None:
    alike = [Tally(1, 1)] * 20
    rate, low, high = difference(alike, alike)
    assert rate == 0
    assert -0.2 < low < 0 < high < 0.2
    assert paired(alike, alike) == 1.0
    assert dropped(alike, alike) == 1.0


def test_agreement_tells_the_share_and_kappa_as_published() -> None:
    """Cohen's kappa, the worked example of two readers and 50 proposals: 20 yes-yes, 5, 10, 15 no-no give 0.4."""
    told = agreement([(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15)
    assert (told.cases, told.share.rate) == (50, 0.7)
    assert told.kappa == pytest.approx(0.4)


def test_a_judge_that_always_says_yes_agrees_with_labels_only_by_chance() -> None:
    told = agreement([(True, True)] * 90 + [(True, False)] * 10)
    assert told.share.rate == 0.9
    assert told.kappa == pytest.approx(0.0)
    assert agreement([("yes", "yes")] * 5).kappa == 1.0
