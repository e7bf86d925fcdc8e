"""The measurements that a claim can need: runs of a table row, probes of their members, step times.

Each kind of need is a class that finds its measurements in ``Evidence`` and says which are missing; needs of one
``kind`` are printed together. A row needs ten runs, as many as the profile ``paper`` plans; failed runs do not
count. Probes need five members: if all five agree, Wilson's interval lies on one side of one half.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from seqbench.records.facts import Facts, PublishedTrials
from seqbench.records.schema import Comparison, Moment, Probe, Record, Role, Throughput, Unit

if TYPE_CHECKING:  # listing claims must not import pandas
    from seqbench.report.results import Results

RUNS = 10  # of a row, at least
MEMBERS = 5  # probed by an instrument, at least
MOMENTS: tuple[Moment, ...] = ("start", "end")

# Ids of comparisons that were recorded before comparisons had ids, by their description.
EARLIER = {
    f"{how}, T = {length}: seconds of the first step of an LSTM, H = 32, beyond a later one": f"{how}-{length}"
    for how in ("loop", "scan")
    for length in (16, 64)
}


class TableRow(NamedTuple):
    """A row of the tables of runs: a task at a lag with a model, both spelled with their options."""

    task: str
    lag: int
    model: str

    def __str__(self) -> str:
        return f"{self.task} {self.lag} {self.model}"


class Evidence:
    """The results of a folder, by table row."""

    def __init__(self, results: "Results") -> None:
        self.results = results

    @property
    def facts(self) -> Facts:
        """Return the facts of the folder: its tuning grid, its catalogues, its ledger."""
        return self.results.facts

    @cached_property
    def units(self) -> dict[TableRow, str]:
        """Return the unit id of each row: the planned one if several were measured."""
        found: dict[TableRow, str] = {}
        measured: list[Record | Probe] = [*self.results.records, *self.results.probes]
        for each in sorted(measured, key=lambda m: m.unit_id not in self.results.plan_by_unit):
            found.setdefault(make_table_row(each.unit), each.unit_id)
        return found

    @cached_property
    def records(self) -> dict[tuple[str, Role], list[Record]]:
        """Return the records that did not fail, by unit and role."""
        found: dict[tuple[str, Role], list[Record]] = {}
        for record in self.results.records:
            if record.verdict != "failed":
                found.setdefault((record.unit_id, record.member.role), []).append(record)
        return found

    def runs(self, row: TableRow, role: Role = "reporting") -> list[Record]:
        """Return the runs of a row that did not fail."""
        return self.records.get((self.units.get(row, ""), role), [])

    def probes(self, instrument: str, row: TableRow, moment: Moment) -> list[Probe]:
        """Return the probes of the reporting members of a row, at the start or the end of training."""
        return [
            p
            for p in self.results.probes
            if (p.instrument, p.moment) == (instrument, moment)
            and p.member.role == "reporting"
            and p.unit_id == self.units.get(row)
        ]

    def trials(self, id_: str) -> list[bool]:
        """Return which trials of a row of the ledger succeeded; none unless all planned ones were run."""
        for entry in self.facts.ledger:
            if isinstance(entry, PublishedTrials) and entry.id == id_:
                found = entry.select_planned(self.results.trials)
                return [t.success for t in found] if len(found) == entry.trials else []
        return []

    def steps(self, model: str, device: str, given: bool) -> list[Throughput]:
        """Return the times of a training step at a given width, or else at matched parameters."""
        return [
            t
            for t in self.results.throughput
            if (t.model, t.device, t.phase, t.hidden is not None)
            == (model, device, "training", given)
        ]

    @cached_property
    def compiles(self) -> list[Comparison]:
        """Return the measurements of compilation, on the machine that has most of them."""
        found = [
            c for c in self.results.comparisons if c.goal == "compile" and c.measured is not None
        ]
        machines = Counter(c.system for c in found).most_common(1)
        return [c for c in found if c.system == machines[0][0]]

    def find_first_step(self, how: str, length: int) -> Comparison | None:
        """Return the measured time of the first step of the compiled loop, or of the scan."""
        wanted = f"{how}-{length}"
        return next((c for c in self.compiles if (c.id or EARLIER.get(c.what)) == wanted), None)


def make_table_row(unit: Unit) -> TableRow:
    """Return the row of a unit."""
    return TableRow(unit.task_spelling, unit.lag, unit.model_spelling)


@dataclass(frozen=True)
class Runs:
    """The reporting runs of a row."""

    row: TableRow
    kind: ClassVar[str] = "runs"

    def find_missing(self, evidence: Evidence) -> str:
        """Return how many of the runs are missing."""
        return describe_missing(f"runs of {self.row}", len(evidence.runs(self.row)), RUNS)


@dataclass(frozen=True)
class TrainingScores:
    """The reporting runs of a row, with their scores on training data."""

    row: TableRow
    kind: ClassVar[str] = "runs with a score on the training set"

    def find_missing(self, evidence: Evidence) -> str:
        """Return how many of the runs, or of their scores, are missing."""
        runs = [r for r in evidence.runs(self.row) if None not in (r.score, r.train_score)]
        return describe_missing(f"training scores of {self.row}", len(runs), RUNS)


@dataclass(frozen=True)
class TuningRuns:
    """The tuning runs of a row: every rate of the grid on every tuning seed."""

    row: TableRow
    kind: ClassVar[str] = "tuning runs"

    def find_missing(self, evidence: Evidence) -> str:
        """Return how many of the runs are missing."""
        there, facts = len(evidence.runs(self.row, "tuning")), evidence.facts
        return describe_missing(
            f"tuning of {self.row}", there, len(facts.rates) * len(facts.tuning_seeds)
        )


@dataclass(frozen=True)
class FinerRuns:
    """The runs of a row at the finer rates, on every tuning seed."""

    row: TableRow
    kind: ClassVar[str] = "runs at finer rates"

    def find_missing(self, evidence: Evidence) -> str:
        """Return how many of the runs are missing."""
        there, facts = len(evidence.runs(self.row, "search")), evidence.facts
        wanted = len(facts.finer_rates) * len(facts.tuning_seeds)
        return describe_missing(f"finer rates of {self.row}", there, wanted)


@dataclass(frozen=True)
class Probes:
    """The probes of an instrument in the members of a row, at these moments."""

    instrument: str
    row: TableRow
    moments: tuple[Moment, ...] = MOMENTS
    kind: ClassVar[str] = "probes"

    def find_missing(self, evidence: Evidence) -> str:
        """Return how many of the members are missing."""
        there = min(len(evidence.probes(self.instrument, self.row, m)) for m in self.moments)
        return describe_missing(f"probes ({self.instrument}) of {self.row}", there, MEMBERS)


@dataclass(frozen=True)
class StepTimes:
    """The times of a training step of a model on a device."""

    model: str
    device: str
    given: bool = False
    kind: ClassVar[str] = "times of a training step"

    def __str__(self) -> str:
        width = "at a given width" if self.given else "at matched parameters"
        return f"{self.model} on {self.device} {width}"

    def find_missing(self, evidence: Evidence) -> str:
        """Return which times are missing."""
        there = evidence.steps(self.model, self.device, self.given)
        return "" if there else f"times of a training step of {self}"


@dataclass(frozen=True)
class FirstStep:
    """The time of the first step, of the compiled loop or of the scan."""

    how: str
    length: int
    kind: ClassVar[str] = "seconds of the first step"

    def __str__(self) -> str:
        return f"{self.how} at T = {self.length}"

    def find_missing(self, evidence: Evidence) -> str:
        """Return which time is missing."""
        return (
            ""
            if evidence.find_first_step(self.how, self.length)
            else f"seconds of the first step, {self}"
        )


RowNeed = Runs | TrainingScores | TuningRuns | FinerRuns | Probes  # of a table row
Need = RowNeed | StepTimes | FirstStep


def describe_missing(what: str, there: int, wanted: int) -> str:
    """Return a line that counts what is there if some is missing, else an empty string."""
    return f"{what}: {there} of {wanted}" if there < wanted else ""


def list_rows(tasks: Iterable[tuple[str, Iterable[int]]], *models: str) -> tuple[TableRow, ...]:
    """Return the rows of every model at every lag of some tasks."""
    return tuple(
        TableRow(task, lag, model) for task, lags in tasks for lag in lags for model in models
    )


def join_words(words: Iterable[str]) -> str:
    """Return words joined by commas, each once."""
    return ", ".join(dict.fromkeys(words))
