"""Simulated climbs: how often the interval holds the horizon, how wide it is, what it costs, and whom it tells apart.

A model solves a rung with a chance that falls with the logarithm of the lag, as a logistic function. Its horizon is the
lag at which half of the seeds solve. Rates are not tuned here; a rung that is failed is run a second time, at a rate
at which the horizon is half an octave less.
"""

from dataclasses import dataclass
from statistics import median

import numpy as np
import pytest

from seqbench.protocol.climb import RULE, RungVerdict
from seqbench.report.horizon_stats import compare_horizons
from seqbench.report.horizons import Range

RUNGS = 25.0 * 2.0 ** np.arange(7)  # 25 to 1600
SCALES = (0.1, 0.25, 0.5, 1.0)  # octaves
SECOND_BEST = 0.5  # octaves
CLIMBS = 4000


@dataclass(frozen=True)
class Simulated:
    """A simulated climb: its interval, and the reporting runs that it took."""

    range: Range
    runs: int


def chances(horizon: float, scale: float, harder: dict[int, float] | None = None) -> np.ndarray:
    """Return the chance to solve at each rung; rungs may be harder by some octaves."""
    octaves = np.log2(RUNGS / horizon)
    for rung, by in (harder or {}).items():
        octaves[rung] += by
    return np.asarray(1 / (1 + np.exp(octaves / scale)))


def run_rung(chance: float, rng: np.random.Generator) -> tuple[RungVerdict, int]:
    """Return the verdict on a rung, and how many runs it took."""
    solved: list[bool] = []
    while (verdict := RULE.judge(solved)) is None:
        seeds = RULE.next_seeds(solved)
        solved += (rng.random(len(seeds)) < chance).tolist()
    return verdict, len(solved)


def climb(
    horizon: float, scale: float, rng: np.random.Generator, harder: dict[int, float] | None = None
) -> Simulated:
    """Climb the ladder to the first failed rung."""
    passed, runs = 0.0, 0
    best, second = (chances(at, scale, harder) for at in (horizon, horizon / 2**SECOND_BEST))
    for rung, *both in zip(RUNGS.tolist(), best.tolist(), second.tolist(), strict=True):
        for chance in both:
            verdict, more = run_rung(chance, rng)
            runs += more
            if verdict != "fail":
                break
        if verdict == "fail":
            return Simulated(Range(passed, rung), runs)
        if verdict == "pass":
            passed = rung
    return Simulated(Range(passed, np.inf), runs)


def draw_horizon(rng: np.random.Generator, low: float = 0.0, high: float = 6.0) -> float:
    """Return a horizon somewhere between these octaves of the ladder."""
    return float(25 * 2 ** rng.uniform(low, high))


@pytest.mark.parametrize(
    ("scale", "width", "runs"), [(0.1, 1, 30), (0.25, 2, 37), (0.5, 2, 46), (1.0, 3, 58)]
)
def test_the_interval_holds_the_horizon(scale, width, runs):
    """In at least 95 % of the climbs; with its median width in octaves, and the median number of runs."""
    rng = np.random.default_rng(0)
    horizons = [draw_horizon(rng) for _ in range(CLIMBS)]
    found = [climb(horizon, scale, rng) for horizon in horizons]
    held = [
        each.range.low <= at <= each.range.high for each, at in zip(found, horizons, strict=True)
    ]
    assert np.mean(held) >= 0.95
    bounded = [each.range for each in found if each.range.low > 0 and each.range.high < np.inf]
    assert len(bounded) >= CLIMBS / 2
    assert median(np.log2(high / low) for low, high in bounded) == width
    assert median(each.runs for each in found) == pytest.approx(runs, abs=2)


def share_told_apart(octaves: float, scale: float) -> tuple[float, float]:
    """Return how often the model that is so many octaves better is found to reach further, and how often the other."""
    rng = np.random.default_rng(1)
    said = []
    for _ in range(CLIMBS):
        horizon = draw_horizon(rng, 0.5, 5.5 - octaves)
        a, b = (climb(at, scale, rng).range for at in (horizon * 2**octaves, horizon))
        said.append(compare_horizons(a, b))
    return said.count("A") / CLIMBS, said.count("B") / CLIMBS


@pytest.mark.parametrize("scale", SCALES)
def test_equal_models_are_hardly_ever_told_apart(scale):
    """Nor is the worse one ever found to be the better."""
    assert sum(share_told_apart(0, scale)) <= 0.01
    assert share_told_apart(1, scale)[1] <= 0.005


@pytest.mark.parametrize(
    ("scale", "one", "two"),
    [(0.1, 0.76, 1.0), (0.25, 0.41, 0.99), (0.5, 0.09, 0.67), (1, 0.01, 0.14)],
)
def test_two_octaves_are_told_apart_more_often_than_one(scale, one, two):
    """The shares of pairs one and two octaves apart in which the better model is found to reach further."""
    assert share_told_apart(1, scale)[0] == pytest.approx(one, abs=0.04)
    assert share_told_apart(2, scale)[0] == pytest.approx(two, abs=0.04)


@pytest.mark.parametrize(("by", "share"), [(1.0, 0.0), (2.0, 0.7), (3.0, 1.0)])
def test_a_rung_that_is_harder_than_the_next_may_end_the_climb(by, share):
    """A model of horizon 400 to 800 meets a rung at 200 that is as hard as one that is 1, 2 or 3 octaves higher."""
    rng = np.random.default_rng(2)
    horizons = [draw_horizon(rng, 4, 5) for _ in range(CLIMBS)]
    found = [climb(horizon, 0.25, rng, {3: by}).range for horizon in horizons]
    ended = np.mean([each.high == RUNGS[3] for each in found])
    assert ended == pytest.approx(share, abs=0.04)
    if by == 1.0:
        held = [low <= at <= high for (low, high), at in zip(found, horizons, strict=True)]
        assert np.mean(held) >= 0.95
