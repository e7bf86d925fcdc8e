"""The contents of a results folder: records in the order of the catalogue, frames with a row per run, and tables."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from seqbench.errors import unknown
from seqbench.protocol.settings import CORE
from seqbench.records.facts import Facts
from seqbench.records.schema import (
    Baseline,
    Comparison,
    Manifest,
    Planned,
    Probe,
    Record,
    System,
    Throughput,
    Trial,
)
from seqbench.records.store import Store
from seqbench.report import stats
from seqbench.report.facts import read_facts
from seqbench.report.form import FORM
from seqbench.report.horizons import LadderClimb, RungResult, read_climbs
from seqbench.report.table import Table
from seqbench.report.tables import TABLES
from seqbench.values.arguments import check_arguments
from seqbench.values.variants import strip_options

NO_GPU = "Not yet measured on a GPU"


@dataclass(frozen=True)
class Results:
    """Everything in a results folder, read once, and the tables made from it, each made once.

    Attributes
    ----------
    form
        The form in which the tables are made.
    """

    manifest: Manifest
    records: list[Record]
    throughput: list[Throughput]
    systems: dict[str, System]
    comparisons: list[Comparison]
    plan: list[Planned]
    baselines: list[Baseline]
    probes: list[Probe]
    trials: list[Trial]
    facts: Facts
    form: int = FORM

    @classmethod
    def read(cls, store: Store, form: int | None = None) -> "Results":
        """Read a folder.

        Parameters
        ----------
        form
            The form of the tables; None for that of an edition, and for today's of local results.

        Raises
        ------
        BadInput
            If the folder can't be read, or a line of it is not valid.
        """
        manifest = store.manifest()
        store.check_layout()
        facts = read_facts(store)
        records = sort_records(store.records(), facts)
        return cls(
            manifest,
            records,
            store.throughput(),
            store.systems(),
            store.comparisons(),
            store.plan(),
            store.baselines(),
            store.probes(),
            store.trials(),
            facts,
            form or (FORM if manifest.edition == "local" else manifest.form),
        )

    @cached_property
    def _tables(self) -> dict[str, Table]:
        return {}

    def table(self, id_: str) -> Table:
        """Return a table by its id; it has no rows where nothing was measured for it."""
        if id_ not in self._tables:
            name, home = TABLES[id_]
            module, _, function = home.partition(":")
            content = getattr(import_module(module), function)(self)
            self._tables[id_] = Table.make(id_, name, content, self.manifest)
        return self._tables[id_]

    @property
    def tables(self) -> list[Table]:
        """Return the tables of the folder that have rows."""
        there = [id_ for id_ in TABLES if id_ in self.facts.tables]
        return [table for id_ in there if (table := self.table(id_))]

    def find_table(self, name: str, where: str) -> Table:
        """Return a table by its name or id; raise ``BadInput`` if there is none with rows."""
        ids = {name: id_ for id_, (name, _) in TABLES.items()}
        id_ = ids.get(name, name)
        if id_ in TABLES and id_ in self.facts.tables and (table := self.table(id_)):
            return table
        raise unknown("table", name, [table.name for table in self.tables], where)

    @property
    def reporting(self) -> list[Record]:
        """Return the records of the reporting seeds; of a rung of a ladder, those that decided it."""
        return [r for r in self.records if self.is_reporting(r)]

    def is_reporting(self, record: Record) -> bool:
        """Return whether a run is of a reporting seed; on a rung of a ladder, whether it is one that decides."""
        if (rung := self.rungs.get(record.unit_id)) is not None:
            return rung.decides(record)
        return record.member.role == "reporting"

    @cached_property
    def climbs(self) -> list[LadderClimb]:
        """Return how far each model climbed each ladder: ladders in the order of the plan, models of the catalogue."""
        found = read_climbs(self.plan, self.records, self.facts)
        ladders = list(dict.fromkeys(climb.ladder for climb in found))
        return sorted(
            found,
            key=lambda climb: (
                ladders.index(climb.ladder),
                find_position(self.facts.models, climb.model),
            ),
        )

    @cached_property
    def rungs(self) -> dict[str, RungResult]:
        """Return the rungs of all climbs, by unit id."""
        return {rung.unit.id: rung for climb in self.climbs for rung in climb.rungs}

    @cached_property
    def plan_by_unit(self) -> dict[str, Planned]:
        """Return the plan of the folder, by unit id."""
        return {condition.unit.id: condition for condition in self.plan}

    @property
    def core(self) -> list[Record]:
        """Return the reporting records of the core, and of user-defined tasks and models."""
        return [r for r in self.reporting if self.is_core(self.find_part(r.unit_id))]

    def is_core(self, part: str) -> bool:
        """Return whether a part is of the core: the first of the plan, the one of that name, every ladder, or empty."""
        return part in self._core_parts

    @cached_property
    def _core_parts(self) -> set[str]:
        ladders = {condition.part for condition in self.plan if condition.rung}
        return {"", CORE, *ladders, *([self.plan[0].part] if self.plan else [])}

    def find_part(self, unit: str) -> str:
        """Return the part of the profile that a unit belongs to; empty for a unit that is not planned."""
        return self.plan_by_unit[unit].part if unit in self.plan_by_unit else ""

    def count_seeds(self, unit: str) -> int:
        """Return how many reporting seeds are planned for a unit; 0 if it is not planned."""
        return self.plan_by_unit[unit].seeds if unit in self.plan_by_unit else 0

    def find_median_steps(self, records: Iterable[Record]) -> int | None:
        """Return the median steps to solve of some runs, as the form of the tables has it; None where few solve."""
        return self.find_median(*list_times_to_solve(records))

    def find_median(self, solved_at: Sequence[int], censored_at: Sequence[int]) -> int | None:
        """Return the median of times to an event, as the form of the tables has it."""
        if self.form <= 2:
            return stats.median_survival_in_floats(solved_at, censored_at)
        return stats.median_survival(solved_at, censored_at)


def describe_system(system: System | None) -> str:
    """Return the description of a machine in one line."""
    if system is None:
        return "not described"
    parts = [
        system.processor,
        f"{system.cores} cores",
        f"{system.memory / 2**30:.1f} GiB",
        system.accelerator or "no accelerator",
        system.operating_system,
        f"Python {system.python}",
    ]
    return ", ".join(
        [*parts, *(f"{name} {version}" for name, version in sorted(system.versions.items()))]
    )


@check_arguments
def load_results(path: str | Path) -> pd.DataFrame:
    """Return the runs of a results folder, one row each; ``role`` distinguishes reporting from tuning runs.

    Raises
    ------
    BadInput
        If it is not a results folder, or a line of it is not a record.
    """
    store = Store(path)
    return make_frame(sort_records(store.records(), read_facts(store)))


def make_frame(records: Iterable[Record]) -> pd.DataFrame:
    """Return the records as a frame, one row each, in their order."""
    rows = [make_row(record) for record in records]
    return pd.DataFrame(rows, columns=list(RUN_FIELDS))


def make_row(record: Record) -> dict[str, Any]:
    """Return a record as a flat row."""
    return {name: get(record) for name, get in RUN_FIELDS.items()}


RUN_FIELDS: dict[str, Callable[[Record], Any]] = {
    "task": lambda r: r.unit.task_spelling,
    "lag": lambda r: r.unit.lag,
    "model": lambda r: r.unit.model_spelling,
    "seed": lambda r: r.member.seed,
    "learning_rate": lambda r: r.member.learning_rate,
    "role": lambda r: r.member.role,
    "verdict": lambda r: r.verdict,
    "solved": lambda r: r.verdict == "solved",
    "score": lambda r: r.score,
    "test_loss": lambda r: r.test_loss,
    "train_score": lambda r: r.train_score,
    "measure": lambda r: r.scale.measure,
    "higher_is_better": lambda r: r.scale.higher_is_better,
    "chance": lambda r: r.scale.chance,
    "threshold": lambda r: r.scale.threshold,
    "steps": lambda r: r.steps,
    "steps_to_solve": lambda r: r.steps_to_solve,
    "budget": lambda r: r.unit.budget.steps,
    "parameters": lambda r: r.parameters,
    "sizes": lambda r: ", ".join(f"{name} {size}" for name, size in sorted(r.sizes.items())),
    "scan": lambda r: r.scan,
    "seconds": lambda r: r.cost.seconds,
    "peak_memory": lambda r: r.cost.peak_memory,
    "reason": lambda r: r.reason,
    "profile": lambda r: r.provenance.profile,
    "commit": lambda r: r.provenance.commit,
    "dirty": lambda r: r.provenance.dirty,
    "device": lambda r: r.provenance.device,
    "system": lambda r: r.provenance.system,
    "unit": lambda r: r.unit_id,
    "curve_step": lambda r: r.curve.step,
    "curve_loss": lambda r: r.curve.loss,
    "curve_score": lambda r: r.curve.score,
}


def find_position(names: Iterable[str], name: str) -> tuple[int, str]:
    """Return the sort key of a name: its position in the catalogue, ignoring options; unknown names last, sorted."""
    known, plain = list(names), strip_options(name)
    return (known.index(plain) if plain in known else len(known), name)


def sort_records(records: Iterable[Record], facts: Facts) -> list[Record]:
    """Return records in the order of the catalogues."""

    def key(record: Record) -> tuple[Any, ...]:
        unit, member = record.unit, record.member
        task = find_position(facts.tasks, unit.task_spelling)
        model = find_position(facts.models, unit.model_spelling)
        return (
            *(task, unit.lag, model),
            *(record.unit_id, member.role, member.learning_rate, member.seed),
        )

    return sorted(records, key=key)


def list_times_to_solve(records: Iterable[Record]) -> tuple[list[int], list[int]]:
    """Return the steps to solve of the runs that solved, and the budgets of those that did not.

    A run that solved the test with its last weights, but too late for three validations in a row, counts as solved at
    its last step. A diverged run is censored at its budget, like any other run that did not solve.
    """
    solved_at: list[int] = []
    censored_at: list[int] = []
    for record in records:
        if record.verdict == "solved":
            solved_at.append(record.steps_to_solve or record.steps)
        else:
            censored_at.append(record.unit.budget.steps)
    return solved_at, censored_at
