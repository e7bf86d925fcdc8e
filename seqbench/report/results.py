"""What a results folder holds: its records in the order of the catalogue, and as a frame with a row each."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from seqbench.errors import unknown
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
from seqbench.report.facts import read_facts
from seqbench.report.table import Table
from seqbench.report.tables import TABLES
from seqbench.values.arguments import check_arguments
from seqbench.values.variants import strip_options

NO_GPU = "Not yet measured on a GPU"


@dataclass(frozen=True)
class Results:
    """All that a results folder holds, read once, and the tables that are made of it, each made once."""

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

    @classmethod
    def read(cls, store: Store) -> "Results":
        """Read a folder; raise the store's errors."""
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
        )

    @cached_property
    def _tables(self) -> dict[str, Table]:
        return {}

    def table(self, id_: str) -> Table:
        """Return a table by its id; it has no row where nothing was measured for it."""
        if id_ not in self._tables:
            name, home = TABLES[id_]
            module, _, function = home.partition(":")
            content = getattr(import_module(module), function)(self)
            self._tables[id_] = Table.make(id_, name, content, self.manifest)
        return self._tables[id_]

    @property
    def tables(self) -> list[Table]:
        """Return the tables that the folder has, and that have a row."""
        there = [id_ for id_ in TABLES if id_ in self.facts.tables]
        return [table for id_ in there if (table := self.table(id_))]

    def find_table(self, name: str, where: str) -> Table:
        """Return a table by its name or id; raise where there is none, or none with a row."""
        ids = {name: id_ for id_, (name, _) in TABLES.items()}
        id_ = ids.get(name, name)
        if id_ in TABLES and id_ in self.facts.tables and (table := self.table(id_)):
            return table
        raise unknown("table", name, [table.name for table in self.tables], where)

    @property
    def reporting(self) -> list[Record]:
        """Return the records that count."""
        return [r for r in self.records if r.member.role == "reporting"]

    @cached_property
    def plan_by_unit(self) -> dict[str, Planned]:
        """Return what the folder is to hold, by the id of the unit."""
        return {condition.unit.id: condition for condition in self.plan}

    @property
    def core(self) -> list[Record]:
        """Return the records that count of the first part of the plan, and of guests: every model on every task."""
        return [r for r in self.reporting if self.is_core(self.find_part(r.unit_id))]

    def is_core(self, part: str) -> bool:
        """Return whether a part is the first of the plan, or none."""
        return part in ("", self.plan[0].part if self.plan else "")

    def find_part(self, unit: str) -> str:
        """Return the part of the profile that a unit belongs to; nothing for a guest."""
        return self.plan_by_unit[unit].part if unit in self.plan_by_unit else ""

    def count_seeds(self, unit: str) -> int:
        """Return how many reporting seeds are planned for a unit, 0 if that is not known."""
        return self.plan_by_unit[unit].seeds if unit in self.plan_by_unit else 0


def describe_system(system: System | None) -> str:
    """Return a machine in a line."""
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
    """Return the runs of a results folder, a row each; ``role`` tells reporting from tuning.

    Raises
    ------
    BadInput
        If the folder is none, or a line of it is no record.
    """
    store = Store(path)
    return make_frame(sort_records(store.records(), read_facts(store)))


def make_frame(records: Iterable[Record]) -> pd.DataFrame:
    """Return the records as a frame, in their order."""
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
    """Return where a name stands in a catalogue, whatever its options; strangers come last, by the alphabet."""
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
    """Return the steps of the runs that solved, and those given to the runs that did not.

    A run that was found solved by its last weights only, so late that no three validations in a row could say so,
    was solved at its last step. One that diverged never solves: it counts as if it had used up its budget.
    """
    solved_at: list[int] = []
    censored_at: list[int] = []
    for record in records:
        if record.verdict == "solved":
            solved_at.append(record.steps_to_solve or record.steps)
        else:
            censored_at.append(record.unit.budget.steps)
    return solved_at, censored_at
