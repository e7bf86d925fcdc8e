r"""Statistics of the runs of a condition: solve rate with interval, median with range, steps to solve.

The scores of such runs are bimodal, solved or not, so that a mean with an interval misleads. A condition is therefore
summarised by its solve rate :math:`\hat p = k / S`, with Wilson's interval, z = 1.96 at the level of 95 %,

.. math::
    \frac{\hat p + \frac{z^2}{2S} \pm z \sqrt{\frac{\hat p (1 - \hat p)}{S} + \frac{z^2}{4S^2}}}
         {1 + \frac{z^2}{S}}

and by the median and range of the scores. Steps to solve are times to an event that some runs never reach: their
survival curve is estimated after Kaplan and Meier (1958), with unsolved runs censored at the end of their budget.

Source: Wilson (1927); Brown, Cai and DasGupta (2001) for the choice of the interval.
"""

from collections.abc import Sequence
from fractions import Fraction
from statistics import median
from typing import NamedTuple

from scipy import stats

LEVEL = 0.95  # of every interval


class Interval(NamedTuple):
    """A rate and the interval around it."""

    rate: float
    low: float
    high: float


class Estimate(NamedTuple):
    """A number and the interval around it."""

    value: float
    low: float
    high: float


class Spread(NamedTuple):
    """A median and the range around it."""

    median: float
    low: float
    high: float


class Survival(NamedTuple):
    """The share of runs not yet solved: ``share[i]`` from ``steps[i]`` on, 1 before the first."""

    steps: list[int]
    share: list[float]


def wilson(solved: int, runs: int, level: float = LEVEL) -> Interval:
    """Return the rate of ``solved`` among ``runs``, with Wilson's interval."""
    interval = stats.binomtest(solved, runs).proportion_ci(level, method="wilson")
    return Interval(solved / runs, float(interval.low), float(interval.high))


def zero_event_bound(runs: int, level: float = LEVEL) -> float:
    r"""Return the exact upper bound of the rate of an event that none of ``runs`` runs showed.

    It is the bound of Clopper and Pearson (1934) for k = 0, :math:`1 - \alpha^{1/R}` with α = (1 − level) / 2. Where
    all runs of every condition agree, it bounds how often a run may still differ from the others of its condition.
    """
    return 1 - ((1 - level) / 2) ** (1 / runs)


def spread(values: Sequence[float]) -> Spread | None:
    """Return the median of the values with the smallest and the largest, or None if there are no values."""
    return Spread(median(values), min(values), max(values)) if values else None


def survival(solved_at: Sequence[int], censored_at: Sequence[int]) -> Survival:
    """Return the Kaplan–Meier estimate of the share of unsolved runs after each step at which a run was solved.

    Parameters
    ----------
    solved_at
        The step at which each solved run was solved.
    censored_at
        The budget, in steps, of each run that was not solved.
    """
    if not solved_at:
        return Survival([], [])
    steps = sorted(set(solved_at))
    curve = stats.ecdf(stats.CensoredData(uncensored=solved_at, right=censored_at)).sf
    return Survival(steps, curve.evaluate(steps).tolist())


def median_survival(solved_at: Sequence[int], censored_at: Sequence[int]) -> int | None:
    """Return the first step after which at most half of the runs are unsolved, or None if there is none.

    The estimate of Kaplan and Meier is computed as a fraction, so that one half is exactly one half.
    """
    share = Fraction(1)
    for step in sorted(set(solved_at)):
        at_risk = sum(at >= step for at in (*solved_at, *censored_at))
        share *= 1 - Fraction(solved_at.count(step), at_risk)
        if share <= Fraction(1, 2):
            return step
    return None


def median_survival_in_floats(solved_at: Sequence[int], censored_at: Sequence[int]) -> int | None:
    """Return the same as editions of forms 1 and 2 have it: where rounding puts one half above .5, a step too late."""
    curve = survival(solved_at, censored_at)
    return next((step for step, share in zip(*curve, strict=True) if share <= 0.5), None)
