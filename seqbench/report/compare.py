r"""Comparison of two sets of runs: in one condition, over many conditions, and in the time of a step.

In a condition, k₁ of n₁ runs of the first set and k₂ of n₂ runs of the second solved, with rates p₁, p₂ and the
difference d = p₂ − p₁. With Wilson's intervals [l₁, u₁] and [l₂, u₂], Newcombe's interval is

.. math::
    \left[ d - \sqrt{(p_2 - l_2)^2 + (u_1 - p_1)^2}, \;\; d + \sqrt{(u_2 - p_2)^2 + (p_1 - l_1)^2} \right]

and Boschloo's exact test gives the p-value of equal rates. Over C conditions, let t = k₁ + k₂ and N = n₁ + n₂ in each.
If the two rates are equal in every condition, then k₂ given t is hypergeometric, with

.. math::
    E[k_2] = n_2 \frac{t}{N}, \qquad \operatorname{Var}[d] = v = \frac{t (N - t)}{(N - 1)\, n_1 n_2}

This gives an exact test over the conditions and a standard error of the mean difference, :math:`\sqrt{\sum v} / C`. The
variance is unbiased for any number of runs; the usual p (1 − p) / n is too small by a factor of (n − 1) / n, that is by
a third with three seeds. The test's statistic is

.. math::
    W = \sum \operatorname{sign}(d)\, d^2

The squares give more weight to conditions in which a model fails entirely than to single runs lost by chance: of three
runs, three lost count nine times as much as one. The signs are there because a worse model is worse in most conditions.

Two rates are equivalent within a margin when the 90 % interval of their difference lies inside it. This is the
procedure of two one-sided tests (TOST) at 5 %.

Sources: Newcombe (1998), Statistics in Medicine 17:873, method 10; Boschloo (1970); Holm (1979); Agresti (1990),
Categorical Data Analysis, section 7.4, for the exact conditional test over strata; Schuirmann (1987), J.
Pharmacokinetics and Biopharmaceutics 15:657; Welch (1947).
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from math import exp, hypot, isnan, log, pi, sqrt
from typing import NamedTuple

import numpy as np
from scipy import stats

from seqbench.report.stats import LEVEL, Estimate, wilson, zero_event_bound

SQUARES = 900  # units into which d² from 0 to 1 is divided, so that W is an integer
EQUIVALENCE = 0.90  # the level of the interval that corresponds to two one-sided tests at 5 %
# The interquartile range of a standard normal distribution: 1.349.
NORMAL_IQR = 2 * float(stats.norm.ppf(0.75))
# The standard error of the median / that of the mean, of a normal distribution: 1.2533.
MEDIAN_ERROR = sqrt(pi / 2)


class Pair(NamedTuple):
    """The runs of two sets in one condition: ``k1`` of ``n1`` solved, and ``k2`` of ``n2``."""

    k1: int
    n1: int
    k2: int
    n2: int

    @property
    def difference(self) -> float:
        """Return d, the second rate minus the first."""
        return self.k2 / self.n2 - self.k1 / self.n1


@cache
def boschloo(pair: Pair) -> float:
    """Return the two-sided p-value of Boschloo's exact test of equal rates; 1 where all or none solved."""
    k1, n1, k2, n2 = pair
    p = float(stats.boschloo_exact([[k1, k2], [n1 - k1, n2 - k2]]).pvalue)
    return 1.0 if isnan(p) else min(1.0, p)


def holm(ps: Sequence[float]) -> list[float]:
    """Return the p-values adjusted by Holm's method: the i-th smallest of m, from 0, times m − i, never decreasing."""
    order = sorted(range(len(ps)), key=ps.__getitem__)
    adjusted = [0.0] * len(ps)
    least = 0.0
    for i, test in enumerate(order):
        least = max(least, min(1.0, (len(ps) - i) * ps[test]))
        adjusted[test] = least
    return adjusted


@cache
def newcombe(pair: Pair, level: float = LEVEL) -> Estimate:
    """Return d with Newcombe's interval."""
    p1, l1, u1 = wilson(pair.k1, pair.n1, level)
    p2, l2, u2 = wilson(pair.k2, pair.n2, level)
    d = p2 - p1
    return Estimate(d, d - hypot(p2 - l2, u1 - p1), d + hypot(u2 - p2, p1 - l1))


def exact_stratified_test(pairs: Sequence[Pair]) -> float:
    """Return the two-sided p-value of the exact conditional test that the rates are equal in every condition.

    It is the probability, given t in every condition, that |W| is at least as large as observed.
    """
    margins = sorted((p.n1, p.n2, p.k1 + p.k2) for p in pairs if 0 < p.k1 + p.k2 < p.n1 + p.n2)
    chance = compute_distribution(tuple(margins))
    middle = len(chance) // 2
    found = abs(sum(signed_square(p) for p in pairs))
    return min(
        1.0, float(chance[: middle - found + 1].sum() + chance[middle + max(found, 1) :].sum())
    )


def signed_square(pair: Pair) -> int:
    """Return sign(d) d² as an integer number of units; the units divide the rates of 3 and of 10 runs exactly."""
    d = pair.difference
    return round(SQUARES * d * abs(d))


@lru_cache(maxsize=64)
def compute_distribution(margins: tuple[tuple[int, int, int], ...]) -> np.ndarray:
    """Return the probability of every value of W, from the smallest (−1 in each condition) to the largest.

    Parameters
    ----------
    margins
        n₁, n₂ and t of each condition.
    """
    width = SQUARES * len(margins)
    chance = np.zeros(2 * width + 1)
    chance[width] = 1.0
    for n1, n2, t in margins:
        after = np.zeros_like(chance)
        for k2, p in enumerate(hypergeometric(n1 + n2, t, n2)):
            if p:
                after += p * np.roll(chance, signed_square(Pair(t - k2, n1, k2, n2)))
        chance = after
    return chance


@cache
def hypergeometric(runs: int, solved: int, drawn: int) -> list[float]:
    """Return the hypergeometric probabilities of 0, 1, …, ``drawn`` solved runs among ``drawn`` of all ``runs``."""
    chance: list[float] = stats.hypergeom(runs, solved, drawn).pmf(np.arange(drawn + 1)).tolist()
    return chance


def mean_difference(pairs: Sequence[Pair], level: float = EQUIVALENCE) -> Estimate:
    """Return the mean of d over the conditions, with its interval.

    Where in nearly all conditions all runs or none solve, the standard error is too small. The interval therefore
    extends at least as far as the exact bound for an event that none of the runs of the smaller set showed
    (``stats.zero_event_bound``).
    """
    d = float(np.mean([p.difference for p in pairs]))
    v = [
        (p.k1 + p.k2) * (p.n1 + p.n2 - p.k1 - p.k2) / ((p.n1 + p.n2 - 1) * p.n1 * p.n2)
        for p in pairs
    ]
    error = sqrt(sum(v)) / len(pairs)
    runs = min(sum(p.n1 for p in pairs), sum(p.n2 for p in pairs))
    half = max(float(stats.norm.isf((1 - level) / 2)) * error, zero_event_bound(runs, level))
    return Estimate(d, d - half, d + half)


class Times(NamedTuple):
    """The time of a step over ``rounds``: median and quartiles."""

    median: float
    quartiles: tuple[float, float]
    rounds: int

    @property
    def error(self) -> float:
        r"""Return the standard error of the logarithm of the median, from the quartiles.

        It assumes that the logarithms are normal: :math:`\sqrt{\pi/2}\, \ln(q_3/q_1) / (1.349 \sqrt{n})` for n rounds.
        Rows keep only the median and quartiles; with seven rounds a nominal 90 % interval made from them covers about
        86 %.
        """
        low, high = self.quartiles
        return MEDIAN_ERROR * log(high / low) / NORMAL_IQR / sqrt(self.rounds)


def estimate_ratio(before: Times, after: Times, level: float = EQUIVALENCE) -> Estimate | None:
    """Return the ratio after / before with Welch's interval on logarithms, or None where the spread is unknown."""
    s1, s2 = before.error**2, after.error**2
    if min(before.rounds, after.rounds) < 3 or not s1 + s2:
        return None
    freedom = (s1 + s2) ** 2 / (s1**2 / (before.rounds - 1) + s2**2 / (after.rounds - 1))
    half = float(stats.t.isf((1 - level) / 2, freedom)) * sqrt(s1 + s2)
    d = log(after.median / before.median)
    return Estimate(exp(d), exp(d - half), exp(d + half))


def is_within(estimate: Estimate, low: float, high: float) -> bool | None:
    """Return True if an interval lies inside these limits, False if wholly outside, None if it crosses one."""
    if low < estimate.low and estimate.high < high:
        return True
    return False if estimate.high < low or high < estimate.low else None
