r"""Statistics of horizons: the ratio of two, who reaches further, and models over ladders.

A horizon is known as an interval, from the last rung passed, l, to the first failed, u. The ratio of two horizons then
lies between

.. math::
    \frac{l_A}{u_B} \quad \text{and} \quad \frac{u_A}{l_B}

where an end that is not bounded stays so: l is 0 where no rung was passed, u is infinite where none was failed. A model
*reaches further* on a ladder where the intervals are apart: it passed a rung that the other failed, or a higher one,
and the interval of the ratio lies at or above 1. Otherwise nothing is said; that is no statement of equality. Over
ladders, whose knobs have different units, nothing is averaged: it is counted on how many ladders each of two models
reaches further, and compared by the exact two-sided sign test. Ladders where neither does are dropped, and counted.

Simulated climbs (``tests/report/test_horizon_simulation.py``): the chance to solve falls with the logarithm of the lag
as a logistic function of this scale; seven rungs double; a failed rung is run at the second-best rate, too, where the
horizon is half an octave less. The horizon is the lag at which half of the seeds solve. The share of climbs whose
interval holds it, the median width, the median number of reporting runs, and how often a model whose horizon is 0, 1, 2
or 3 octaves further is found to reach further:

=============  ====  ========  ====  ====  ===  ===  ====
scale, octave  held  width     runs     0    1    2     3
=============  ====  ========  ====  ====  ===  ===  ====
.1             .998  1 octave    30     0  .76    1     1
.25            .993  2 octaves   37  .001  .41  .99     1
.5             .990  2 octaves   46  .001  .09  .67   .99
1              .984  3 octaves   58  .001  .01  .14   .50
=============  ====  ========  ====  ====  ===  ===  ====

The worse model was hardly ever found to reach further (.05 % of the pairs of equal ones). One octave is not told apart
reliably: two octaves, a factor of four, are what a statement of difference needs.

A climb ends at the first failed rung. If one rung is harder than the next, that may be too early. A model with a
horizon of 400 to 800 and a scale of .25 octaves ends at a rung of 200 that is as hard as one an octave higher in .4 %
of the climbs, two octaves higher in 70 %, three in all. Its horizon is then that of the hard rung, and too low.
"""

from collections.abc import Iterable
from math import inf
from typing import Literal, NamedTuple

from scipy import stats

from seqbench.report.horizons import Range

Further = Literal["A", "B", "not told apart"]


class SignTest(NamedTuple):
    """On how many ladders A and B reach further, on how many neither, and the p-value that both do equally often."""

    a: int
    b: int
    ties: int
    p: float


def compute_ratio(a: Range, b: Range) -> Range:
    """Return the interval of the ratio of two horizons, A / B; it is 0 or infinite where it has no bound."""
    low = a.low / b.high
    high = inf if b.low == 0 else a.high / b.low
    return Range(low, high)


def compare_horizons(a: Range, b: Range) -> Further:
    """Return which of two models reaches further; neither does unless their intervals are apart."""
    ratio = compute_ratio(a, b)
    if ratio.low >= 1:
        return "A"
    return "B" if ratio.high <= 1 else "not told apart"


def compare_over_ladders(pairs: Iterable[tuple[Range, Range]]) -> SignTest:
    """Return the exact two-sided sign test over the ladders that two models climbed.

    Parameters
    ----------
    pairs
        The horizons of both on each ladder.
    """
    said = [compare_horizons(a, b) for a, b in pairs]
    wins, losses = said.count("A"), said.count("B")
    decided = wins + losses
    p = float(stats.binomtest(wins, decided, 0.5).pvalue) if decided else 1.0
    return SignTest(wins, losses, len(said) - decided, p)
