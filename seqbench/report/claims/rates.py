r"""What a rule says of one cell, and of two: learned or not, more or less or equal or open.

=======  ===================================================================================
learned  the lower end of Wilson's 95 % interval of the solve rate is above 1/2: of ten, nine
failed   its upper end is below 1/2: of ten, one
more     Newcombe's 95 % interval of the difference is above 0, and the difference at least .25
less     the same, below 0
equal    Newcombe's 90 % interval of the difference lies inside ±.25: two one-sided tests at 5 %
open     all else
=======  ===================================================================================

With ten runs a side, cells that are all or nothing are equal if they agree and differ if they do not. Where a share of
members is meant, the same interval stands on one side of 1/2, or it is open.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from seqbench.records.schema import Record
from seqbench.report import stats
from seqbench.report.claims.claim import Finding, Says
from seqbench.report.claims.evidence import Evidence, Place
from seqbench.report.compare import EQUIVALENCE, Pair, inside, newcombe

MARGIN = 0.25  # the difference of two solve rates that matters
HALF = 0.5

Learned = Literal["learned", "failed", "open"]
Against = Literal["more", "less", "equal", "open"]


# What a claim that one side does better makes of it.
BETTER: dict[Against, Says] = {
    "more": "for", "less": "against", "equal": "against", "open": "open",
}  # fmt: skip


def solved(runs: Sequence[Record]) -> int:
    """Return how many runs solved their task."""
    return sum(run.verdict == "solved" for run in runs)


def most(hits: int, of: int) -> bool | None:
    """Return whether a share is above one half, or below it; None where its interval holds one half."""
    interval = stats.wilson(hits, of)
    if interval.low > HALF:
        return True
    return False if interval.high < HALF else None


def learned(runs: Sequence[Record]) -> Learned:
    """Return whether most runs of a cell solve, or most do not."""
    says: dict[bool | None, Learned] = {True: "learned", False: "failed", None: "open"}
    return says[most(solved(runs), len(runs))]


def differ(pair: Pair) -> Against:
    """Return how the second side stands against the first."""
    d = newcombe(pair)
    if d.low > 0 and d.value >= MARGIN:
        return "more"
    if d.high < 0 and d.value <= -MARGIN:
        return "less"
    return "equal" if inside(newcombe(pair, EQUIVALENCE), -MARGIN, MARGIN) else "open"


def pair_of(first: Sequence[Record], second: Sequence[Record]) -> Pair:
    """Return how many runs solved on two sides."""
    return Pair(solved(first), len(first), solved(second), len(second))


def told(pair: Pair, first: str, second: str) -> str:
    """Return both rates and the difference in words."""
    d = newcombe(pair)
    return (
        f"{second} {pair.k2}/{pair.n2}, {first} {pair.k1}/{pair.n1}: "
        f"{d.value:+.2f} ({d.low:+.2f} to {d.high:+.2f})"
    )


def helps(seen: Evidence, base: Place, better: Place, label: str = "") -> Finding:
    """Return whether one cell does better than another: equal or worse speaks against it."""
    pair = pair_of(seen.runs(base), seen.runs(better))
    where = label or f"{better.task} {better.lag}"
    return Finding(where, BETTER[differ(pair)], told(pair, base.model, better.model))


def learns(seen: Evidence, where: Place, label: str = "") -> Finding:
    """Return whether a cell is learned."""
    runs = seen.runs(where)
    says: dict[Learned, Says] = {"learned": "for", "failed": "against", "open": "open"}
    return Finding(
        label or f"{where.task} {where.lag}",
        says[learned(runs)],
        f"{where.model} {solved(runs)}/{len(runs)}",
    )


def share(where: str, hits: Iterable[bool], what: str) -> Finding:
    """Return whether something is true of most members."""
    all_hits = list(hits)
    k, n = sum(all_hits), len(all_hits)
    says: dict[bool | None, Says] = {True: "for", False: "against", None: "open"}
    return Finding(where, says[most(k, n)], f"{what} in {k} of {n} members")
