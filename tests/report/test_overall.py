"""Against values worked out by hand, and the coverage of intervals on outcomes with two humps."""

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seqbench.report.overall import (
    DRAWS,
    compute_share_of_wins,
    mean_rate,
    mean_rate_over_tasks,
    performance_profile,
    probability_of_improvement,
    resample,
)
from seqbench.report.stats import wilson, zero_event_bound

Z = stats.norm.ppf(0.975)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def runs_of(solved: int, of: int) -> list[bool]:
    return [i < solved for i in range(of)]


def test_mean_rate_by_hand():
    rate = mean_rate([runs_of(3, 3), runs_of(1, 3), runs_of(0, 3)], rng())
    assert rate.value == pytest.approx(4 / 9)
    # a draw of 2 of the runs 1, 0, 0 has 0, 1 or 2 solved with 4/9, 4/9, 1/9: both ends of 95 % are met
    assert zero_event_bound(9) > 1 / 3  # and the exact bound is wider
    assert (rate.low, rate.high) == pytest.approx(
        (4 / 9 - zero_event_bound(9), 4 / 9 + zero_event_bound(9))
    )


def test_many_draws_have_the_unbiased_standard_error():
    rate = mean_rate([runs_of(2, 3)] * 400, rng())
    error = np.sqrt(2 / 9 * 3 / 2 / 3 / 400)  # p (1 − p) / (n − 1)
    assert (rate.high - rate.low) / 2 == pytest.approx(Z * error, rel=0.05)


def test_the_interval_over_tasks_draws_whole_tasks():
    """Of two tasks one is drawn: its mean is that of all of its conditions."""
    rate = mean_rate_over_tasks({"latch": [1.0], "copy": [0.0, 0.5, 0.25]}, rng())
    assert rate == pytest.approx((1.75 / 4, 0.25, 1.0))


def test_the_interval_over_tasks_is_that_of_a_mean_of_few():
    rates = {str(i): [1.0 if i < 20 else 0.0] for i in range(40)}
    rate = mean_rate_over_tasks(rates, rng())
    error = np.sqrt(0.25 / 39)
    assert (rate.low, rate.high) == pytest.approx((0.5 - Z * error, 0.5 + Z * error), abs=0.03)


@pytest.mark.parametrize(("tasks", "low"), [(1, 0.025), (10, 1 - zero_event_bound(10))])
def test_tasks_that_all_agree_do_not_make_other_tasks_certain(tasks, low):
    rate = mean_rate_over_tasks({str(i): [1.0, 1.0] for i in range(tasks)}, rng())
    assert rate == pytest.approx((1.0, low, 1.0))


@pytest.mark.parametrize("k", [0, 3])
def test_where_no_draw_differs_the_interval_is_the_exact_one(k):
    rate = mean_rate([runs_of(k, 3)] * 4, rng())
    exact = stats.binomtest(4 * k, 12).proportion_ci(0.95, "exact")  # Clopper and Pearson, pooled
    assert (rate.low, rate.high) == pytest.approx((exact.low, exact.high))


def test_one_run_a_cell_is_enough():
    assert mean_rate([[True]], rng()) == pytest.approx((1, 0.025, 1))


def test_the_same_generator_gives_the_same_interval():
    cells = [runs_of(40, 97), runs_of(5, 89)]
    assert mean_rate(cells, rng()) == mean_rate(cells, rng())
    assert mean_rate(cells, rng()) != mean_rate(cells, np.random.default_rng(1))


def test_draws_are_n_less_1_of_the_runs():
    values = resample(np.array([1.0, 2.0, 3.0]), rng())
    assert values.shape == (DRAWS, 2)
    assert {1.0, 2.0, 3.0} == set(values.ravel())
    assert values.mean() == pytest.approx(2, abs=0.05)


def test_performance_profile_by_hand():
    assert performance_profile([0.0, 1 / 3, 1.0, 1.0], [0.0, 0.5, 1.0]) == [1, 0.5, 0.5]
    assert performance_profile([1 / 3], [1 / 3]) == [1]


def test_improvement_by_hand():
    # 100 beats all; 200 beats two of three; the unsolved one loses once, and ties twice
    first = ([100.0, 200.0, inf], [150.0, inf, inf])
    assert probability_of_improvement([first], rng()).value == pytest.approx(
        (3 + 2 + 0 + 2 / 2) / 9
    )
    nobody = ([inf] * 3, [inf] * 3)
    assert probability_of_improvement([first, nobody], rng()).value == pytest.approx(
        (6 / 9 + 1 / 2) / 2
    )


def test_who_always_wins_has_the_exact_bound():
    better = probability_of_improvement([([1.0, 2.0, 3.0], [4.0, 5.0, inf])] * 4, rng())
    assert better == pytest.approx((1, 1 - zero_event_bound(12), 1))


@given(
    st.lists(st.sampled_from([1.0, 2.0, inf]), min_size=1, max_size=5),
    st.lists(st.sampled_from([1.0, 2.0, inf]), min_size=1, max_size=5),
)
@settings(max_examples=50, deadline=None)
def test_one_wins_what_the_other_loses(x, y):
    x, y = np.array(x), np.array(y)
    assert compute_share_of_wins(x, y) + compute_share_of_wins(y, x) == pytest.approx(1)
    assert compute_share_of_wins(x, x) == pytest.approx(0.5)
    # the statistic of Mann and Whitney, which counts the pairs the other way round
    assert compute_share_of_wins(x, y) == pytest.approx(
        stats.mannwhitneyu(y, x).statistic / len(x) / len(y)
    )


# Coverage


def test_wilson_covers_what_the_mean_s_t_interval_does_not():
    """Ten seeds, of which 84 to 94 in 100 end at a score of .99 and the others at .1."""
    seeds, tables = 10, 50_000
    rng = np.random.default_rng(0)
    p = rng.uniform(0.84, 0.94, tables)
    solved = rng.random((tables, seeds)) < p[:, None]
    ends = np.array([wilson(k, seeds)[1:] for k in range(seeds + 1)])[solved.sum(axis=1)]
    wilsons = np.mean((ends[:, 0] <= p) & (p <= ends[:, 1]))

    scores = np.where(solved, 0.99, 0.1)
    truth = p * 0.99 + (1 - p) * 0.1
    half = stats.t.ppf(0.975, seeds - 1) * scores.std(axis=1, ddof=1) / np.sqrt(seeds)
    ts = np.mean(np.abs(scores.mean(axis=1) - truth) <= half)
    assert wilsons >= 0.93
    assert 0.64 < ts < 0.70  # of 95 %


@pytest.mark.parametrize("seeds", [3, 10])
def test_the_interval_of_a_mean_rate_covers(seeds):
    """Twelve cells, four of them hopeless, six easy, two in between."""
    truth = np.array([0.03] * 4 + [0.97] * 6 + [0.3, 0.6])
    source = np.random.default_rng(0)
    k = source.binomial(seeds, truth, (300, len(truth))).tolist()
    rates = [mean_rate([runs_of(i, seeds) for i in table], source) for table in k]
    assert np.mean([r.low <= truth.mean() <= r.high for r in rates]) > 0.90
