r"""Decisions on one condition and on two: learned or failed; more, less or equal; else open.

=======  ===================================================================================
learned  the lower end of Wilson's 95 % interval of the solve rate is above 1/2: of ten, nine
failed   its upper end is below 1/2: of ten, one
more     Newcombe's 95 % interval of the difference is above 0, and the difference at least .25
less     the same, below 0
equal    Newcombe's 90 % interval of the difference lies inside ±.25: two one-sided tests at 5 %
open     otherwise
=======  ===================================================================================

With ten runs on each side, conditions in which all runs or none solve are equal if they agree, and different if not. A
share of members is decided by the same interval: above 1/2, below 1/2, or open.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from seqbench.records.schema import Record
from seqbench.report import stats
from seqbench.report.claims.claim import Finding, Vote
from seqbench.report.claims.evidence import Evidence, TableRow
from seqbench.report.compare import EQUIVALENCE, Pair, is_within, newcombe

MARGIN = 0.25  # the smallest relevant difference of two solve rates
HALF = 0.5

Learning = Literal["learned", "failed", "open"]
Comparison = Literal["more", "less", "equal", "open"]


# The vote of a comparison on the claim that the second side does better.
BETTER: dict[Comparison, Vote] = {
    "more": "for", "less": "against", "equal": "against", "open": "open",
}  # fmt: skip


def count_solved(runs: Sequence[Record]) -> int:
    """Return how many runs solved their task."""
    return sum(run.verdict == "solved" for run in runs)


def compare_to_half(hits: int, of: int) -> bool | None:
    """Return True if a share is above one half, False if below, None if its interval contains one half."""
    interval = stats.wilson(hits, of)
    if interval.low > HALF:
        return True
    return False if interval.high < HALF else None


def judge_learning(runs: Sequence[Record]) -> Learning:
    """Return whether most runs solve, or most do not."""
    says: dict[bool | None, Learning] = {True: "learned", False: "failed", None: "open"}
    return says[compare_to_half(count_solved(runs), len(runs))]


def compare_sides(pair: Pair) -> Comparison:
    """Return how the solve rate of the second side compares with that of the first."""
    d = newcombe(pair)
    if d.low > 0 and d.value >= MARGIN:
        return "more"
    if d.high < 0 and d.value <= -MARGIN:
        return "less"
    return "equal" if is_within(newcombe(pair, EQUIVALENCE), -MARGIN, MARGIN) else "open"


def make_pair(first: Sequence[Record], second: Sequence[Record]) -> Pair:
    """Return the counts of solved runs on two sides."""
    return Pair(count_solved(first), len(first), count_solved(second), len(second))


def describe_pair(pair: Pair, first: str, second: str) -> str:
    """Return both rates and the difference in words."""
    d = newcombe(pair)
    return (
        f"{second} {pair.k2}/{pair.n2}, {first} {pair.k1}/{pair.n1}: "
        f"{d.value:+.2f} ({d.low:+.2f} to {d.high:+.2f})"
    )


def judge_difference(
    evidence: Evidence, base: TableRow, better: TableRow, label: str = ""
) -> Finding:
    """Return the finding on the claim that one row does better than another: equal or worse is against it."""
    pair = make_pair(evidence.runs(base), evidence.runs(better))
    where = label or f"{better.task} {better.lag}"
    return Finding(
        where, BETTER[compare_sides(pair)], describe_pair(pair, base.model, better.model)
    )


def judge_rate(evidence: Evidence, row: TableRow, label: str = "") -> Finding:
    """Return the finding on the claim that the task of a row is learned."""
    runs = evidence.runs(row)
    says: dict[Learning, Vote] = {"learned": "for", "failed": "against", "open": "open"}
    return Finding(
        label or f"{row.task} {row.lag}",
        says[judge_learning(runs)],
        f"{row.model} {count_solved(runs)}/{len(runs)}",
    )


def judge_share(where: str, hits: Iterable[bool], what: str) -> Finding:
    """Return the finding on the claim that something is true of most members."""
    all_hits = list(hits)
    k, n = sum(all_hits), len(all_hits)
    says: dict[bool | None, Vote] = {True: "for", False: "against", None: "open"}
    return Finding(where, says[compare_to_half(k, n)], f"{what} in {k} of {n} members")
