"""Which models are compared on which tasks and lags, for T8 and T9.

Means over tasks are comparable only over the same tasks. Models that were measured on a common task and lag form a
block (models of video and models of sequences have none in common). The models of a block are compared on the tasks and
lags that all of them were measured on, each with the same weight. A model measured on fewer than half as many as
another of its block would leave too few in common: it is N/A in T8, and so is a model that shares none. Missing
measurements are never counted as 0.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf

from seqbench.records.schema import Record
from seqbench.report.results import find_position

SEED = 0  # of every bootstrap, so that the same records give the same bytes

TaskLag = tuple[str, int]  # a task at a lag
Runs = dict[TaskLag, list[Record]]  # the runs of one model


def group_by_model(records: Iterable[Record]) -> dict[str, Runs]:
    """Return the runs of each model by task and lag, in their order; of several versions only the newest is kept."""
    found: dict[str, Runs] = {}
    for record in records:
        unit = record.unit
        by_task = found.setdefault(unit.model_spelling, {})
        runs = by_task.setdefault(get_task_lag(record), [])
        if runs and runs[0].unit_id != unit.id:
            if get_versions(record) < get_versions(runs[0]):
                continue
            runs.clear()
        runs.append(record)
    return found


def get_task_lag(record: Record) -> TaskLag:
    """Return the task, with its options, and the lag."""
    return record.unit.task_spelling, record.unit.lag


def get_versions(record: Record) -> tuple[int, int]:
    """Return the versions of the task and the model."""
    return record.unit.task_version, record.unit.model_version


@dataclass(frozen=True)
class Block:
    """Models that share tasks and lags; ``others`` were measured on too few of them to be compared."""

    runs: dict[str, Runs]
    others: dict[str, Runs]

    @cached_property
    def common(self) -> list[TaskLag]:
        """Return the tasks and lags that all models have, in the order of the first model."""
        first, *rest = self.runs.values()
        return [at for at in first if all(at in runs for runs in rest)]


def find_blocks(models: Mapping[str, Runs], catalogue: Sequence[str]) -> list[Block]:
    """Return the blocks of models, in the order of the catalogue."""
    names = sorted(
        models, key=lambda name: (find_position(catalogue, name.partition(":")[0]), name)
    )
    found = []
    while names:
        reach = set(models[names[0]])
        while wider := [n for n in names if reach & set(models[n]) and set(models[n]) - reach]:
            reach = reach.union(*(models[n] for n in wider))
        group = {n: models[n] for n in names if reach & set(models[n])}
        names = [n for n in names if n not in group]
        most = max(map(len, group.values()))
        enough = {n: runs for n, runs in group.items() if 2 * len(runs) >= most}
        found.append(Block(enough, {n: runs for n, runs in group.items() if n not in enough}))
    return found


def mark_solved(runs: Iterable[Record]) -> list[bool]:
    """Return, for each run, whether it solved its task."""
    return [r.verdict == "solved" for r in runs]


def list_steps_to_solve(runs: Iterable[Record]) -> list[float]:
    """Return the steps to solve of each run; infinity for a run that did not solve."""
    return [float(r.steps_to_solve or r.steps) if r.verdict == "solved" else inf for r in runs]
