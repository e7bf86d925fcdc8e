"""Against values that were worked out by hand."""

import pytest

from seqbench.report.stats import (
    median_survival,
    median_survival_in_floats,
    spread,
    survival,
    wilson,
)

Z2 = 1.959963984540054**2


@pytest.mark.parametrize(
    ("solved", "runs", "low", "high"),
    [
        (3, 3, 3 / (3 + Z2), 1),  # for k = S the lower end is S / (S + z²)
        (0, 3, 0, Z2 / (3 + Z2)),
        (1, 2, 0.0945, 0.9055),  # (.5 + z²/4 ± z √(.125 + z²/16)) / (1 + z²/2)
        (8, 10, 0.4902, 0.9433),
    ],
)
def test_wilson(solved, runs, low, high):
    rate = wilson(solved, runs)
    assert rate.rate == solved / runs
    assert (rate.low, rate.high) == pytest.approx((low, high), abs=5e-5)


def test_median_and_range():
    assert spread([0.9, 0.2, 0.4]) == (0.4, 0.2, 0.9)
    assert spread([0.9, 0.2, 0.4, 0.3]) == pytest.approx((0.35, 0.2, 0.9))
    assert spread([0.7]) == (0.7, 0.7, 0.7)
    assert spread([]) is None


def test_survival_without_censoring_is_the_share_left():
    assert survival([100, 300, 300, 500], []) == ([100, 300, 500], [0.75, 0.25, 0])


def test_runs_that_never_solve_keep_the_curve_up():
    assert survival([100, 300], [500, 500]) == ([100, 300], [0.75, 0.5])
    assert survival([], [500]) == ([], [])


def test_a_run_that_was_watched_for_less_long_leaves_the_risk_set():
    # 4 runs: one solves at 100 (3/4 left), one is given up at 200, one of the remaining 2 solves at 300 (3/4 · 1/2)
    assert survival([100, 300], [200, 500]) == ([100, 300], [0.75, 0.375])


def test_median_steps():
    assert median_survival([100, 200, 300], []) == 200
    assert median_survival([100, 200], [500]) == 200
    assert median_survival([100], [500, 500]) is None
    assert median_survival([100], [500]) == 100
    assert median_survival([], [500]) is None


def test_half_of_the_runs_is_exactly_half():
    """Five of ten solved by step 900; floats put their survival a little above one half."""
    solved = [600, 800, 800, 900, 900, 1000, 1100, 1100, 1300]  # timed-spikes 12, LSTM, in 2026.1
    assert median_survival(solved, [1500]) == 900
    assert median_survival_in_floats(solved, [1500]) == 1000  # as forms 1 and 2 have it
    for runs in range(1, 13):
        steps = list(range(100, 100 * runs + 100, 100))
        for k in range(runs + 1):
            half = next((i for i in range(1, k + 1) if 2 * i >= runs), None)
            assert median_survival(steps[:k], [5000] * (runs - k)) == (half and 100 * half)
