"""Paired ratios: both sides are timed in every round, so that other load on the machine slows down both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import numpy as np


@dataclass(frozen=True)
class Median:
    """A median over rounds, with a 95 % bootstrap interval."""

    value: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Median":
        """Return the median of what the rounds gave."""
        draws = np.random.default_rng(0).choice(values, (10_000, len(values)))
        low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
        return cls(median(values), float(low), float(high), len(values))


def time_call(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    since = perf_counter()
    run()
    return perf_counter() - since


def time_in_turns(sides: Sequence[Callable[[], float]], rounds: int) -> list[list[float]]:
    """Return the time of every side in every round; sides alternate in order, and a first round does not count."""
    times_by_round = []
    for turn in range(rounds + 1):
        order = range(len(sides)) if turn % 2 else reversed(range(len(sides)))
        times = {side: sides[side]() for side in order}
        times_by_round.append([times[side] for side in range(len(sides))])
    return times_by_round[1:]
