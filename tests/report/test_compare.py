"""Against published examples, scipy, and slow plain counts."""

from itertools import combinations
from math import comb, exp, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seqbench.report.compare import (
    SQUARES,
    Pair,
    Times,
    boschloo,
    estimate_ratio,
    exact_stratified_test,
    holm,
    is_within,
    mean_difference,
    newcombe,
    signed_square,
)
from seqbench.report.stats import Estimate, zero_event_bound

RUNS = st.integers(1, 6)


@st.composite
def a_pair(draw) -> Pair:
    n1, n2 = draw(RUNS), draw(RUNS)
    return Pair(draw(st.integers(0, n1)), n1, draw(st.integers(0, n2)), n2)


def swapped(pair: Pair) -> Pair:
    return Pair(pair.k2, pair.n2, pair.k1, pair.n1)


# In a cell


@pytest.mark.parametrize(
    ("pair", "low", "high"),
    [
        (Pair(48, 80, 56, 70), 0.0524, 0.3339),  # Newcombe (1998), table II, (a), by method 10
        (Pair(3, 10, 9, 10), 0.1705, 0.8090),  # (b)
    ],
)
def test_newcombe_as_published(pair, low, high):
    d = newcombe(pair)
    assert d.value == pytest.approx(pair.difference)
    assert (d.low, d.high) == pytest.approx((low, high), abs=5e-5)


def test_newcombe_by_hand():
    # 3/3 and 0/3 at 90 %: the ends are z²/(3 + z²) from 1 and from 0, and √2 times that from the difference
    z2 = stats.norm.ppf(0.95) ** 2
    assert newcombe(Pair(3, 3, 0, 3), 0.9) == pytest.approx((-1, -1, -1 + sqrt(2) * z2 / (3 + z2)))


@given(a_pair())
@settings(max_examples=50, deadline=None)
def test_an_interval_holds_its_difference_and_turns_with_the_sides(pair):
    d, turned = newcombe(pair), newcombe(swapped(pair))
    assert -1 - 1e-9 <= d.low <= d.value + 1e-12 <= d.high + 2e-12 <= 1 + 1e-9
    assert (-turned.high, -turned.low) == pytest.approx((d.low, d.high))
    wider = newcombe(pair, 0.99)
    assert wider.low <= d.low <= newcombe(pair, 0.9).low


def test_boschloo_as_scipy_documents_it():
    # one-sided 0.0355; two-sided is twice the smaller side
    assert boschloo(Pair(31, 63, 74, 117)) == pytest.approx(2 * 0.0355, abs=2e-4)
    assert boschloo(Pair(3, 3, 0, 3)) == pytest.approx(2 / 2**6)  # both extreme tables at p = 1/2


@pytest.mark.parametrize("k", [0, 3])
def test_cells_that_are_all_or_nothing_alike_have_p_1(k):
    assert boschloo(Pair(k, 3, k, 3)) == 1.0


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
@settings(max_examples=50, deadline=None)
def test_holm_is_between_the_raw_p_and_bonferroni(ps):
    adjusted = holm(ps)
    assert all(p <= a <= min(1.0, len(ps) * p) + 1e-12 for p, a in zip(ps, adjusted, strict=True))
    assert [a for _, a in sorted(zip(ps, adjusted, strict=True))] == sorted(adjusted)


# Over cells


def slow_stratified(pairs: list[Pair]) -> float:
    """Count, over all ways to say which of a cell's runs were the second side's."""
    found = abs(sum(signed_square(p) for p in pairs))
    sums = {0: 1}
    for p in pairs:
        runs = [1] * (p.k1 + p.k2) + [0] * (p.n1 + p.n2 - p.k1 - p.k2)
        after: dict[int, int] = {}
        for chosen in combinations(range(len(runs)), p.n2):
            k2 = sum(runs[i] for i in chosen)
            w = signed_square(Pair(p.k1 + p.k2 - k2, p.n1, k2, p.n2))
            for total, ways in sums.items():
                after[total + w] = after.get(total + w, 0) + ways
        sums = after
    return sum(ways for total, ways in sums.items() if abs(total) >= found) / sum(sums.values())


def test_stratified_by_hand():
    lost = Pair(3, 3, 0, 3)  # one of the comb(6, 3) = 20 ways; its mirror image is another
    assert exact_stratified_test([lost]) == pytest.approx(2 / 20)
    assert exact_stratified_test([lost] * 4) == pytest.approx(2 / 20**4)
    same = Pair(3, 3, 3, 3)
    assert exact_stratified_test([lost, same, same]) == pytest.approx(2 / 20)
    assert exact_stratified_test([same]) == 1.0
    # three lost runs in one cell weigh more than one in each of three: fewer ways lead there
    assert exact_stratified_test([lost, same, same]) < exact_stratified_test([Pair(3, 3, 2, 3)] * 3)
    assert exact_stratified_test([lost, swapped(lost)]) == 1.0  # the signs cancel


@given(st.lists(a_pair(), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_stratified_is_the_share_of_permutations(pairs):
    assert exact_stratified_test(pairs) == pytest.approx(slow_stratified(pairs))
    assert exact_stratified_test(pairs) == pytest.approx(
        exact_stratified_test([*pairs[1:], pairs[0]])
    )


@given(st.integers(0, 9), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_stratified_of_one_even_cell_is_fisher_s_test(k1, k2):
    fisher = stats.fisher_exact([[k1, k2], [9 - k1, 9 - k2]]).pvalue
    assert exact_stratified_test([Pair(k1, 9, k2, 9)]) == pytest.approx(fisher)


def test_the_grid_holds_the_rates_of_3_and_of_10_runs():
    squares = [SQUARES * (k / n) ** 2 for n in (3, 10) for k in range(n + 1)]
    assert squares == pytest.approx([round(s) for s in squares])


def test_mean_difference_by_hand():
    # t = 3, 3, 6 of N = 6: v = 3·3 / (5·9) = 1/5 twice, and 0
    pairs = [Pair(2, 3, 1, 3), Pair(0, 3, 3, 3), Pair(3, 3, 3, 3)]
    half = stats.norm.ppf(0.95) * sqrt(2 / 5) / 3
    d = (-1 / 3 + 1 + 0) / 3
    assert half > zero_event_bound(9, 0.9)
    assert mean_difference(pairs, 0.9) == pytest.approx((d, d - half, d + half))


def test_cells_that_are_all_alike_are_not_known_for_certain():
    half = 1 - 0.05 ** (1 / 30)  # what none of 30 runs did, one-sided at 5 %
    assert mean_difference([Pair(3, 3, 3, 3), Pair(0, 3, 0, 3)] * 5, 0.9) == pytest.approx(
        (0, -half, half)
    )
    assert stats.binomtest(0, 30).proportion_ci(0.9, "exact").high == pytest.approx(half)


@given(a_pair())
@settings(max_examples=30, deadline=None)
def test_the_variance_is_the_hypergeometric_one(pair):
    runs, t = pair.n1 + pair.n2, pair.k1 + pair.k2
    # d = k₂ / n₂ − (t − k₂) / n₁, so Var d = Var k₂ (1 / n₁ + 1 / n₂)²
    k2 = np.arange(pair.n2 + 1)
    chance = stats.hypergeom(runs, t, pair.n2).pmf(k2)
    variance = chance @ k2**2 - (chance @ k2) ** 2
    exact = max(0.0, variance) * (1 / pair.n1 + 1 / pair.n2) ** 2
    half = mean_difference([pair] * 1000, 0.9).high - pair.difference
    assert half == pytest.approx(
        max(
            stats.norm.ppf(0.95) * sqrt(exact / 1000),
            zero_event_bound(1000 * min(pair.n1, pair.n2), 0.9),
        )
    )


# Step times


def test_the_standard_error_is_that_of_a_median_of_normal_logarithms():
    rng = np.random.default_rng(0)
    rounds = np.exp(rng.normal(0.0, 0.1, (4000, 99)))
    low, high = np.quantile(rounds, [0.25, 0.75], axis=1)
    errors = [Times(1.0, (a, b), 99).error for a, b in zip(low, high, strict=True)]
    assert np.mean(errors) == pytest.approx(np.log(np.median(rounds, axis=1)).std(), rel=0.05)
    # by hand: quartiles of a normal distribution stand 1.349 σ apart
    apart = 2 * stats.norm.ppf(0.75)
    assert Times(1.0, (exp(-apart / 2), exp(apart / 2)), 25).error == pytest.approx(
        1.2533 / 5, 1e-4
    )


def test_ratio_is_welch_s():
    before, after = Times(2.0, (1.9, 2.1), 7), Times(2.2, (2.0, 2.3), 9)
    found = estimate_ratio(before, after)
    assert found.value == pytest.approx(1.1)
    for end in (found.low, found.high):  # a ratio at an end has p = 1 − 90 %
        welch = stats.ttest_ind_from_stats(
            log(2.2), after.error * sqrt(9), 9, log(2.0 * end), before.error * sqrt(7), 7, False
        )
        assert welch.pvalue == pytest.approx(0.1)


def test_the_interval_of_a_ratio_covers():
    rng = np.random.default_rng(0)
    q = np.quantile(np.exp(rng.normal(0.0, 0.1, (4000, 7))), [0.25, 0.5, 0.75], axis=1).T.tolist()
    times = [Times(median, (low, high), 7) for low, median, high in q]
    found = [estimate_ratio(a, b) for a, b in zip(times[::2], times[1::2], strict=True)]
    assert 0.84 < np.mean([r.low <= 1 <= r.high for r in found]) < 0.90  # of 90 %: see Times.error


def test_without_a_spread_there_is_no_interval():
    assert estimate_ratio(Times(1, (1, 1), 9), Times(2, (2, 2), 9)) is None
    assert estimate_ratio(Times(1, (0.9, 1.1), 2), Times(1, (0.9, 1.1), 9)) is None
    assert estimate_ratio(Times(1, (1, 1), 9), Times(2, (1.9, 2.1), 9)) is not None


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(-0.04, 0.04, True), (0.06, 0.2, False), (-0.2, -0.06, False), (-0.06, 0, None),
     (0.04, 0.06, None), (-1, 1, None)],
)  # fmt: skip
def test_inside(low, high, said):
    assert is_within(Estimate((low + high) / 2, low, high), -0.05, 0.05) is said


def test_unseen_by_hand():
    assert zero_event_bound(1, 0.9) == pytest.approx(0.95)
    assert zero_event_bound(59, 0.9) < 0.05 < zero_event_bound(58, 0.9)
    assert comb(59, 0) * (1 - zero_event_bound(59, 0.9)) ** 59 == pytest.approx(0.05)
