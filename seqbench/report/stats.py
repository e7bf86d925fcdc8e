r"""What is said of the runs of a cell: a rate with its interval, a median with its range, the steps to solve.

Outcomes of such runs have two humps, solved or not, and there the usual mean with an interval misleads. So a cell is
its solve rate :math:`\hat p = k / S`, with Wilson's interval for the level z = 1.96,

.. math::
    \frac{\hat p + \frac{z^2}{2S} \pm z \sqrt{\frac{\hat p (1 - \hat p)}{S} + \frac{z^2}{4S^2}}}
         {1 + \frac{z^2}{S}}

and beside it the median and the range of the scores. Steps to solve are a time to an event that some runs never meet:
their survival curve is that of Kaplan and Meier (1958), in which such a run is censored at the end of its budget.

Source: Wilson (1927); Brown, Cai and DasGupta (2001) for the choice of the interval.
"""

from collections.abc import Sequence
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
    r"""Return the exact upper end of a rate of which ``runs`` runs showed nothing.

    That of Clopper and Pearson (1934) for k = 0, :math:`1 - \alpha^{1/R}` with α = (1 − level) / 2. It is what a rate
    may still be, on average, where every cell is all or nothing: that no run of a cell differs from the others.
    """
    return 1 - ((1 - level) / 2) ** (1 / runs)


def spread(values: Sequence[float]) -> Spread | None:
    """Return the median of the values with the smallest and the largest, or None of none."""
    return Spread(median(values), min(values), max(values)) if values else None


def survival(solved_at: Sequence[int], censored_at: Sequence[int]) -> Survival:
    """Return the share of runs that are unsolved after each step at which one was solved.

    Parameters
    ----------
    solved_at
        The step at which each solved run was solved.
    censored_at
        The steps that each other run was given.
    """
    if not solved_at:
        return Survival([], [])
    steps = sorted(set(solved_at))
    curve = stats.ecdf(stats.CensoredData(uncensored=solved_at, right=censored_at)).sf
    return Survival(steps, curve.evaluate(steps).tolist())


def median_survival(solved_at: Sequence[int], censored_at: Sequence[int]) -> int | None:
    """Return the first step after which at most half of the runs are unsolved, or None if there is none."""
    curve = survival(solved_at, censored_at)
    return next((step for step, share in zip(*curve, strict=True) if share <= 0.5), None)
