r"""What a row comes to: agrees, differs, not settled, or not run.

A published rate agrees when it lies in Wilson's 95 % interval of ours; a published number of sequences, when our median
is within a factor of two of it, where a trial that was given up counts as longer than its budget. A published run is
repeated when most of ours come out like it: when Wilson's interval lies on its side of one half. The best of several
seeds is compared with our best. Of two models, the difference of solve rates has Newcombe's interval,

.. math::
    d - \sqrt{(p_1 - l_1)^2 + (u_2 - p_2)^2} \quad\text{to}\quad d + \sqrt{(u_1 - p_1)^2 + (p_2 - l_2)^2}

with l and u for the ends of Wilson's: they are as good as each other when it is within ±.25, and one is better when it
is on one side of 0.

Source: Newcombe (1998).
"""

from collections.abc import Sequence
from math import hypot
from typing import Literal, NamedTuple

from seqbench.ledger.rows import Online, Pair, Score
from seqbench.report import stats

Verdict = Literal["agrees", "differs", "not settled", "not run"]
FACTOR = 2  # within which numbers of sequences agree
EQUIVALENT = 0.25  # a difference of solve rates that does not count


class Trials(NamedTuple):
    """The sequences that each trial took to succeed, and those that each other was given."""

    succeeded: Sequence[int]
    given_up: Sequence[int]

    @property
    def runs(self) -> int:
        """Return the number of trials."""
        return len(self.succeeded) + len(self.given_up)


def of_trials(row: Online, trials: Trials) -> Verdict:
    """Return the verdict on trials in the paper's own protocol; it is settled by as many as are planned."""
    if not trials.runs:
        return "not run"
    if trials.runs < row.trials:
        return "not settled"
    found: list[Verdict] = []
    if row.rate is not None:
        _, low, high = stats.wilson(len(trials.succeeded), trials.runs)
        found.append("agrees" if low <= row.rate <= high else "differs")
    if row.sequences is not None:
        found.append(of_sequences(row.sequences, trials))
    return next(v for v in ("differs", "not settled", "agrees") if v in found)  # the least of them


def of_sequences(published: int, trials: Trials) -> Verdict:
    """Return the verdict on a number of sequences."""
    median = stats.median_survival(trials.succeeded, trials.given_up)
    if median is None:  # longer than the budget, whatever it is
        return "differs" if min(trials.given_up) >= FACTOR * published else "not settled"
    return "agrees" if published / FACTOR <= median <= FACTOR * published else "differs"


def of_score(row: Score, solved: int, runs: int) -> Verdict:
    """Return the verdict on a published figure of a model on a task."""
    if not runs:
        return "not run"
    if row.of == "best":
        return "agrees" if (solved > 0) == row.solved else "differs"
    _, low, high = stats.wilson(solved, runs)
    if low <= 0.5 <= high:
        return "not settled"
    return "agrees" if (low > 0.5) == row.solved else "differs"


def of_pair(row: Pair, solved: int, runs: int, other_solved: int, other_runs: int) -> Verdict:
    """Return the verdict on one model beside another."""
    if not runs or not other_runs:
        return "not run"
    low, high = newcombe(solved, runs, other_solved, other_runs)
    alike = low > -EQUIVALENT and high < EQUIVALENT
    apart = low > 0 or high < 0
    if alike or apart:
        as_claimed = (low > 0 and not alike) if row.gap else alike
        return "agrees" if as_claimed else "differs"
    return "not settled"


def newcombe(solved: int, runs: int, other_solved: int, other_runs: int) -> tuple[float, float]:
    """Return the interval of the difference of two rates."""
    p1, l1, u1 = stats.wilson(solved, runs)
    p2, l2, u2 = stats.wilson(other_solved, other_runs)
    d = p1 - p2
    return d - hypot(p1 - l1, u2 - p2), d + hypot(u1 - p1, p2 - l2)
