r"""Statistics over many conditions: mean solve rate, performance profile, probability of improvement.

The interval of the mean solve rate over C conditions is a bootstrap stratified by condition: the runs of each condition
are resampled with replacement. Of n runs, n − 1 are drawn: the variance of their mean is then the unbiased p̂ (1 − p̂)
/ (n − 1), whereas n draws would give (n − 1) / n of it, a third too little with three seeds. Where all runs of nearly
every condition agree, resampling varies too little. The interval therefore extends at least as far as the exact bound
for an event that none of the R runs showed, namely to differ from the others of its condition
(``stats.zero_event_bound``). It holds for these conditions only. How much the mean depends on the choice of the tasks
is the interval of a second bootstrap, which resamples the tasks. It is usually several times as wide.

A performance profile is the share of conditions with a solve rate of at least τ. The probability of improvement is the
probability that a run of one model beats a run of another, averaged over conditions: a solved run beats an unsolved
one, of two solved runs the one with fewer steps wins, and a tie counts half.

.. math::
    P(X \succ Y) = \frac{1}{C} \sum_c \frac{1}{n_X n_Y} \sum_{i,j} [x_i < y_j] + \tfrac{1}{2} [x_i = y_j]

Sources: Agarwal, Schwarzer, Castro, Courville and Bellemare (2021) for the profile, the improvement and the strata;
Rao and Wu (1988) for n − 1 draws.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from seqbench.report.stats import LEVEL, Estimate, zero_event_bound

DRAWS = 2_000

Runs = Sequence[float]  # steps to solve of the runs of a condition


def mean_rate(solved: Sequence[Sequence[bool]], rng: np.random.Generator) -> Estimate:
    """Return the mean of the conditions' solve rates, with its interval.

    Parameters
    ----------
    solved
        Of each condition, whether each run solved it.
    """
    conditions = [np.asarray(runs, dtype=float) for runs in solved]
    mean = float(np.mean([runs.mean() for runs in conditions]))
    draws = np.mean([resample(runs, rng).mean(axis=-1) for runs in conditions], axis=0)
    return estimate_interval(mean, draws, sum(len(runs) for runs in conditions))


def mean_rate_over_tasks(
    rates: Mapping[str, Sequence[float]], rng: np.random.Generator
) -> Estimate:
    """Return the mean of the conditions' solve rates, with an interval over tasks as a sample of all that there are.

    Tasks are resampled with replacement, n − 1 of n, each with all of its conditions. Where all rates are the same, the
    interval is the exact bound for an event that none of the tasks showed.

    Parameters
    ----------
    rates
        Of each task, the solve rates of its conditions.
    """
    sums = np.array([sum(own) for own in rates.values()])
    counts = np.array([len(own) for own in rates.values()])
    mean = float(sums.sum() / counts.sum())
    chosen = rng.integers(len(rates), size=(DRAWS, max(1, len(rates) - 1)))
    draws = sums[chosen].sum(axis=-1) / counts[chosen].sum(axis=-1)
    if np.ptp(draws) == 0:
        return estimate_interval(mean, draws, len(rates))
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(mean, min(float(low), mean), max(float(high), mean))


def performance_profile(rates: Sequence[float], taus: Sequence[float]) -> list[float]:
    """Return the share of the solve rates that reach each τ."""
    return [sum(rate >= tau for rate in rates) / len(rates) for tau in taus]


def probability_of_improvement(
    conditions: Sequence[tuple[Runs, Runs]], rng: np.random.Generator
) -> Estimate:
    """Return the probability that a run of the first model beats one of the second, with its interval.

    Parameters
    ----------
    conditions
        Of each condition, the steps to solve of the runs of both models; infinite where a run did not solve.
    """
    pairs = [(np.asarray(x, dtype=float), np.asarray(y, dtype=float)) for x, y in conditions]
    mean = float(np.mean([compute_share_of_wins(x, y) for x, y in pairs]))
    draws = np.mean(
        [compute_share_of_wins(resample(x, rng), resample(y, rng)) for x, y in pairs], axis=0
    )
    return estimate_interval(mean, draws, sum(min(len(x), len(y)) for x, y in pairs))


def compute_share_of_wins(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the share of pairs, one along the last axis of each, in which x is smaller; ties count half."""
    x, y = x[..., :, None], y[..., None, :]
    return np.asarray(((x < y) + 0.5 * (x == y)).mean(axis=(-2, -1)))


def resample(runs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return ``(DRAWS, n − 1)`` runs drawn with replacement from n; a single run is repeated."""
    chosen = rng.random((DRAWS, max(1, len(runs) - 1))) * len(runs)
    return runs[chosen.astype(int)]


def estimate_interval(mean: float, draws: np.ndarray, runs: int) -> Estimate:
    """Return a mean with the interval of its bootstrap draws, or the exact interval where that is wider."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    least = zero_event_bound(runs)
    return Estimate(
        mean, max(0.0, min(float(low), mean - least)), min(1.0, max(float(high), mean + least))
    )
