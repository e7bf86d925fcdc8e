r"""The verdict on a row of the replication ledger: agrees, differs, not settled, or not run.

Two rates, a published one and ours or those of two models, differ when Boschloo's exact test is significant at 5 %, and
agree when Newcombe's 90 % interval of the difference lies within ±.25. A published number of sequences agrees when our
median is within a factor of two of it; a trial that was given up counts as longer than its budget. A published single
run agrees when most of our runs have the same outcome: when Wilson's interval lies on its side of one half. The best of
several seeds is compared with our best. With fewer runs than planned, nothing is settled.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from seqbench.ledger.rows import ModelPair, ModelScore, Online
from seqbench.records.facts import PublishedPair, PublishedScore, PublishedTrials
from seqbench.report import compare, stats

LedgerVerdict = Literal["agrees", "differs", "not settled", "not run"]
FACTOR = 2  # within which numbers of sequences agree
EQUIVALENT = 0.25  # largest irrelevant difference of two rates
SIGNIFICANT = 0.05
RUNS = 10  # of each model, at least


class TrialLengths(NamedTuple):
    """The number of sequences of each trial that succeeded, and of each that was given up."""

    succeeded: Sequence[int]
    given_up: Sequence[int]

    @property
    def runs(self) -> int:
        """Return the number of trials."""
        return len(self.succeeded) + len(self.given_up)


def judge_trials(row: Online | PublishedTrials, trials: TrialLengths) -> LedgerVerdict:
    """Return the verdict on trials in the paper's own protocol; it needs all planned trials."""
    if not trials.runs:
        return "not run"
    if trials.runs < row.trials:
        return "not settled"
    found: list[LedgerVerdict] = []
    if row.rate is not None:
        published = row.of or trials.runs
        k = round(row.rate * published)
        found.append(judge_rates(compare.Pair(k, published, len(trials.succeeded), trials.runs)))
    if row.sequences is not None:
        found.append(judge_sequences(row.sequences, trials))
    least_favourable_first: tuple[LedgerVerdict, ...] = ("differs", "not settled", "agrees")
    return next(v for v in least_favourable_first if v in found)


def judge_sequences(published: int, trials: TrialLengths) -> LedgerVerdict:
    """Return the verdict on a number of sequences."""
    median = stats.median_survival(trials.succeeded, trials.given_up)
    if median is None:  # the median is longer than the budget
        return "differs" if min(trials.given_up) >= FACTOR * published else "not settled"
    return "agrees" if published / FACTOR <= median <= FACTOR * published else "differs"


def judge_score(row: ModelScore | PublishedScore, solved: int, runs: int) -> LedgerVerdict:
    """Return the verdict on a published figure of a model on a task."""
    if not runs:
        return "not run"
    if runs < RUNS:
        return "not settled"
    if row.of == "best":
        return "agrees" if (solved > 0) == row.solved else "differs"
    _, low, high = stats.wilson(solved, runs)
    if low <= 0.5 <= high:
        return "not settled"
    return "agrees" if (low > 0.5) == row.solved else "differs"


def judge_pair(row: ModelPair | PublishedPair, pair: compare.Pair) -> LedgerVerdict:
    """Return the verdict on a comparison of two models; the other model comes first in the pair."""
    if not pair.n1 or not pair.n2:
        return "not run"
    if min(pair.n1, pair.n2) < RUNS:
        return "not settled"
    if not pair.k1 + pair.k2:  # if neither ever solves, they can't be compared
        return "not settled"
    found = judge_rates(pair)
    if not row.gap or found == "not settled":
        return found
    return "agrees" if found == "differs" and pair.difference > 0 else "differs"


def judge_rates(pair: compare.Pair) -> LedgerVerdict:
    """Return whether two rates agree."""
    if compare.boschloo(pair) < SIGNIFICANT:
        return "differs"
    alike = compare.newcombe(pair, compare.EQUIVALENCE)
    return "agrees" if compare.is_within(alike, -EQUIVALENT, EQUIVALENT) else "not settled"
