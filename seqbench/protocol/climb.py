"""Climbing: which runs of a ladder come next, as a pure function of the records.

At each rung the learning rate is tuned first: at the lowest rung over the whole grid, later over the rate chosen last
and its two neighbours, and one rate further while the best solves and is at the edge of what was tried. Rates are
ranked by ``rank_rates``. Where nothing solves, the last rate is kept, and the best other comes second.

Then the reporting seeds: five. If all of them solve, the rung is passed; if none does, it is failed; otherwise seven
more are run, and of the twelve at least ten must solve to pass, and at most two to fail; between these the rung is
*open*. A rung that is failed at the best rate is run at the second, too, and counts as failed only if it fails there
as well. The climb goes on after a passed or an open rung, and ends at the first that is failed. What lies above is not
run: it is beyond the horizon.

Since the rule asks only what the records say, a killed run, another order and another number of workers end with the
same records.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, takewhile
from math import inf
from statistics import median
from typing import Literal

from seqbench.records.schema import Member, Record, Role, Unit

RungVerdict = Literal["pass", "fail", "open"]


@dataclass(frozen=True)
class Rule:
    """How many reporting seeds a rung is given, and how many of them must solve.

    Attributes
    ----------
    first, all
        The seeds that every rung is given, and those of a rung on which the first do not agree.
    passes, fails
        Of all seeds, the fewest that must solve to pass, and the most that may solve to fail.
    """

    first: int = 5
    all: int = 12
    passes: int = 10
    fails: int = 2

    def judge(self, solved: Sequence[bool]) -> RungVerdict | None:
        """Return the verdict on the seeds 0, 1, … that were run; None if more are needed."""
        if len(solved) >= self.all:
            k = sum(solved[: self.all])
            return "pass" if k >= self.passes else "fail" if k <= self.fails else "open"
        first = solved[: self.first]
        if len(first) < self.first or len(set(first)) > 1:
            return None
        return "pass" if first[0] else "fail"

    def next_seeds(self, solved: Sequence[bool]) -> range:
        """Return the seeds that are run next, or being run: the first ones, then where these do not agree the rest."""
        return range(self.first) if len(solved) < self.first else range(self.first, self.all)


RULE = Rule()


@dataclass(frozen=True)
class Search:
    """The learning rates that are tried, and the seeds that they are tried on."""

    rates: tuple[float, ...]
    seeds: tuple[int, ...]

    def begin(self, last: float | None) -> list[float]:
        """Return the rates that are tried at first: all, or the last choice and its neighbours."""
        if last is None:
            return list(self.rates)
        k = self.rates.index(last)
        return list(self.rates[max(0, k - 1) : k + 2])

    def extend(self, tried: Collection[float], best: float) -> float | None:
        """Return the next rate beyond the best if that is at the edge of those tried; None if there is none."""
        k = self.rates.index(best)
        beyond: list[float] = []
        if best == min(tried):
            beyond += self.rates[max(0, k - 1) : k]
        if best == max(tried):
            beyond += self.rates[k + 1 : k + 2]
        return next((rate for rate in beyond if rate not in tried), None)


@dataclass
class RungState:
    """What the records say of one rung.

    Attributes
    ----------
    unit
        The condition at this rung.
    rates
        The rates tried, the best first; empty until the tuning is complete.
    verdict
        None until the rung is decided.
    role
        Which runs decided: those at the best rate (``reporting``), or at the second (``second``).
    stage
        The runs that are made side by side now; empty where the rung is decided.
    lacking
        Those of the stage that have no record.
    """

    unit: Unit
    rates: list[float] = field(default_factory=list)
    verdict: RungVerdict | None = None
    role: Role = "reporting"
    stage: list[Member] = field(default_factory=list)
    lacking: list[Member] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """The learning rate of the runs that decided."""
        return self.rates[self.role == "second"]

    def begin(
        self, role: Role, rates: Iterable[float], seeds: Sequence[int], records: Iterable[Record]
    ) -> None:
        """Set the stage to the runs of these rates and seeds."""
        self.stage = [
            Member(seed=seed, learning_rate=rate, role=role) for rate in rates for seed in seeds
        ]
        there = {record.member for record in records}
        self.lacking = [member for member in self.stage if member not in there]


def climb(
    units: Iterable[Unit], records: Mapping[str, Sequence[Record]], search: Search, rule: Rule
) -> list[RungState]:
    """Return the rungs that were begun or come next, the lowest first; the last of them may lack runs.

    Parameters
    ----------
    units
        The condition at each rung, the lowest first.
    records
        The records of each unit, by its id.
    """
    states: list[RungState] = []
    last = None
    for unit in units:
        state = examine(unit, records.get(unit.id, ()), last, search, rule)
        states.append(state)
        if state.verdict in (None, "fail"):
            break
        last = state.rate
    return states


def examine(
    unit: Unit, records: Sequence[Record], last: float | None, search: Search, rule: Rule
) -> RungState:
    """Return what the records say of a rung, given the rate that was chosen at the rung below."""
    state = RungState(unit)
    ranked, solved = tune(state, records, last, search)
    if state.lacking:
        return state
    if not solved and last is not None:
        ranked.sort(key=lambda rate: rate != last)  # stable: the others stay ranked
    state.rates = ranked
    roles: tuple[Role, ...] = ("reporting", "second")
    for role, rate in zip(roles, ranked, strict=False):
        runs = {
            record.member.seed: record.verdict == "solved"
            for record in records
            if (record.member.role, record.member.learning_rate) == (role, rate)
        }
        outcomes = [runs[seed] for seed in takewhile(runs.__contains__, count())]
        verdict = rule.judge(outcomes)
        if verdict is None:
            state.begin(role, [rate], rule.next_seeds(outcomes), records)
            state.verdict = None
            return state
        if role == "reporting" or verdict != "fail":
            state.verdict, state.role = verdict, role
        if verdict != "fail":
            break
    return state


def tune(
    state: RungState, records: Sequence[Record], last: float | None, search: Search
) -> tuple[list[float], bool]:
    """Return the rates tried at a rung, the best first, and whether any run solved; set what is lacking, if any."""
    rates, new = [], search.begin(last)
    while True:
        state.begin("tuning", new, search.seeds, records)
        if state.lacking:
            return [], False
        rates += new
        tuning = [
            r for r in records if r.member.role == "tuning" and r.member.learning_rate in rates
        ]
        ranked = rank_rates(tuning)
        solved = any(record.steps_to_solve is not None for record in tuning)
        further = search.extend(rates, ranked[0]) if solved else None
        if further is None:
            state.stage = []
            return ranked, solved
        new = [further]


def rank_rates(records: Iterable[Record], by_score: bool = False) -> list[float]:
    """Return the learning rates of tuning runs, the best first.

    The best solved most runs; of equal ones, that with the fewest median steps to solve, a run that did not solve
    counting as endless; then that with the lowest median of the last validation losses; then the lowest.

    Parameters
    ----------
    by_score
        Whether the median of the last validation scores comes before all of these: for real data, where being solved
        means nothing, and the lowest loss is often that of the run that learned least.
    """
    by_rate: dict[float, list[Record]] = {}
    for record in records:
        by_rate.setdefault(record.member.learning_rate, []).append(record)

    def merit(rate: float) -> tuple[float, ...]:
        runs = by_rate[rate]
        steps = [inf if run.steps_to_solve is None else run.steps_to_solve for run in runs]
        loss = find_median(run.curve.loss for run in runs)
        score = 0.0
        if by_score:
            sign = -1 if runs[0].scale.higher_is_better else 1
            score = find_median(
                [sign * s for s in run.curve.score[-1:] if s is not None] for run in runs
            )
        return score, -sum(s < inf for s in steps) / len(runs), median(steps), loss, rate

    return sorted(by_rate, key=merit)


def find_median(series: Iterable[Sequence[float | None]]) -> float:
    """Return the median of the last values, infinite for a series that has none."""
    last = [values[-1] if values else None for values in series]
    return median(inf if value is None else value for value in last)
