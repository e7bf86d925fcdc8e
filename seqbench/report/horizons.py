"""Horizons: how far each model climbed each ladder, read from the records by the folder's rule of climbing.

The *horizon* of a model on a ladder lies between the last rung that it passed and the first that it failed. Rungs
between these are open. What lies above a failed rung is beyond the horizon: it was not run, and nothing is missing. A
rung above a model's limit is not planned: it is not run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Literal, NamedTuple

from seqbench.protocol.climb import Rule, RungState, Search, climb
from seqbench.records.facts import Facts
from seqbench.records.schema import Planned, Record, Rung, Unit

Status = Literal["pass", "fail", "open", "unfinished", "missing", "beyond the horizon"]
End = Literal["failed", "top", "unfinished"]
BEYOND: Status = "beyond the horizon"

PlannedRung = tuple[Rung, Unit]


class Range(NamedTuple):
    """The interval of a horizon, in units of the knob: 0 where no rung was passed, infinite where none was failed."""

    low: float
    high: float


@dataclass(frozen=True)
class Horizon:
    """How far a model climbed a ladder.

    Attributes
    ----------
    unit
        What the knob is counted in.
    passed, failed
        The last rung passed, and the first failed; None if there is none.
    open
        The open rungs between them.
    end
        Why the climb ends: at a failed rung, at the highest rung planned for the model, or it is not ended.
    limit, highest
        The highest rung planned for the model, and for any model.
    """

    unit: str
    passed: int | None
    failed: int | None
    open: tuple[int, ...]
    end: End
    limit: int
    highest: int

    @property
    def range(self) -> Range:
        """Return the interval in which the horizon lies."""
        return Range(self.passed or 0.0, inf if self.failed is None else self.failed)

    def __str__(self) -> str:
        if self.failed is not None:
            if self.passed is None:
                return f"less than {self.failed} {self.unit}"
            return f"{self.passed} to {self.failed} {self.unit}"
        least = "not known" if self.passed is None else f"at least {self.passed} {self.unit}"
        if self.end == "unfinished":
            return f"{least}, not ended"
        if self.open:
            return f"{least} ({join_numbers(self.open)} open)"
        return f"{least} ({'the highest rung' if self.limit == self.highest else 'not run above'})"


@dataclass(frozen=True)
class RungResult:
    """A rung of a climb.

    Attributes
    ----------
    state
        What the records say; None if it was not begun.
    status
        The verdict, or why there is none.
    records
        All runs of it, those of the tuning included.
    """

    rung: Rung
    unit: Unit
    state: RungState | None
    status: Status
    records: tuple[Record, ...]

    @property
    def decided(self) -> bool:
        """Whether the rung is passed, failed or open."""
        return self.state is not None and self.state.verdict is not None

    @property
    def rate(self) -> float | None:
        """Return the learning rate of the runs that decide; None before the tuning is complete."""
        return self.state.rate if self.state is not None and self.state.rates else None

    @property
    def second(self) -> bool:
        """Whether the runs at the second-best rate decided."""
        return self.state is not None and self.state.role == "second"

    def decides(self, record: Record) -> bool:
        """Return whether a run of the rung is one of those that decide, or will."""
        role = "second" if self.second else "reporting"
        return record.member.role == role and self.rate in (None, record.member.learning_rate)

    @cached_property
    def deciding(self) -> list[Record]:
        """Return the runs that decide: at the best rate, or at the second where that decided."""
        return [record for record in self.records if self.decides(record)]

    @property
    def solved(self) -> list[Record]:
        """Return those of the deciding runs that solved."""
        return [record for record in self.deciding if record.verdict == "solved"]

    def is_at_edge(self, rates: Sequence[float]) -> bool:
        """Return whether the learning rate is the lowest or the highest of the grid.

        Parameters
        ----------
        rates
            The grid, ascending.
        """
        return self.rate in (rates[0], rates[-1])

    def remark(self, rates: Sequence[float]) -> str | None:
        """Return what has to be known of the learning rate beside its value.

        Parameters
        ----------
        rates
            The grid, ascending.
        """
        remarks = ["second-best rate"] if self.second else []
        if self.is_at_edge(rates):
            remarks.append("at the edge of the grid")
        return ", ".join(remarks) or None


@dataclass(frozen=True)
class LadderClimb:
    """The climb of a model on a ladder.

    Attributes
    ----------
    model
        With its options.
    rungs
        The planned rungs, the lowest first.
    highest
        The highest rung that is planned for any model.
    """

    ladder: str
    model: str
    rungs: tuple[RungResult, ...]
    highest: int

    @property
    def last_passed(self) -> RungResult | None:
        """Return the last rung that was passed; a climb ends at the first failed one, so that none is below it."""
        return next((rung for rung in reversed(self.rungs) if rung.status == "pass"), None)

    @property
    def first_failed(self) -> RungResult | None:
        """Return the rung that was failed."""
        return next((rung for rung in self.rungs if rung.status == "fail"), None)

    @cached_property
    def horizon(self) -> Horizon:
        """Return how far the model came."""
        passed = self.last_passed.rung.value if self.last_passed else None
        failed = self.first_failed.rung.value if self.first_failed else None
        end: End = "failed" if failed is not None else "top"
        if failed is None and not all(rung.decided for rung in self.rungs):
            end = "unfinished"
        return Horizon(
            self.rungs[0].rung.unit,
            passed,
            failed,
            tuple(
                rung.rung.value
                for rung in self.rungs
                if rung.status == "open" and rung.rung.value > (passed or 0)
            ),
            end,
            self.rungs[-1].rung.value,
            self.highest,
        )


def read_climbs(
    plan: Iterable[Planned], records: Iterable[Record], facts: Facts
) -> list[LadderClimb]:
    """Return the climb of every model on every ladder, in the order of the plan.

    A folder whose facts have no rule of climbing has no ladders.
    """
    if facts.climbing is None:
        return []
    rule, search = Rule(**facts.climbing.model_dump()), Search(facts.rates, facts.tuning_seeds)
    planned: dict[tuple[str, str], list[PlannedRung]] = {}
    highest: dict[str, int] = {}
    for each in plan:
        if (rung := each.rung) is not None:
            own = planned.setdefault((rung.ladder, each.unit.model_spelling), [])
            own.append((rung, each.unit))
            highest[rung.ladder] = max(highest.get(rung.ladder, 0), rung.value)
    by_unit: dict[str, list[Record]] = {}
    for record in records:
        by_unit.setdefault(record.unit_id, []).append(record)
    return [
        LadderClimb(ladder, model, read_rungs(rungs, by_unit, search, rule), highest[ladder])
        for (ladder, model), rungs in planned.items()
    ]


def read_rungs(
    planned: Iterable[PlannedRung],
    records: Mapping[str, Sequence[Record]],
    search: Search,
    rule: Rule,
) -> tuple[RungResult, ...]:
    """Return the planned rungs of one model on one ladder, the lowest first."""
    ordered = sorted(planned, key=lambda each: each[0].value)
    found = climb([unit for _, unit in ordered], records, search, rule)
    states = {state.unit.id: state for state in found}
    ended = any(state.verdict == "fail" for state in found)
    rungs = []
    for rung, unit in ordered:
        state, runs = states.get(unit.id), tuple(records.get(unit.id, ()))
        status: Status = BEYOND if ended else "missing"
        if state is not None:
            status = state.verdict or ("unfinished" if runs else "missing")
        rungs.append(RungResult(rung, unit, state, status, runs))
    return tuple(rungs)


def join_numbers(numbers: Iterable[int]) -> str:
    """Return numbers as a list in a sentence."""
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last
