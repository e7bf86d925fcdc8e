"""T8: models over all tasks. T9: models in pairs, over all tasks and in each.

A mean over tasks is fair only over the same tasks. Models that share a cell form a block (a model of video shares none
with a model of sequences), and are compared on the cells that all of them were measured in, each with the same weight.
A model that was measured in fewer than half as many cells as another of its block would leave too few: it is N/A here,
and so is a model without a common cell. What was not measured is never counted as 0.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import inf

import numpy as np

from seqbench.models import MODELS
from seqbench.records import Record
from seqbench.report.compare import (
    Pair,
    boschloo,
    holm,
    mean_difference,
    newcombe,
    stratified,
)
from seqbench.report.frame import Results, place
from seqbench.report.overall import improvement, mean_rate, performance_profile
from seqbench.report.stats import LEVEL
from seqbench.report.table import Column, Row, Table, fixed, significant

SEED = 0  # of every bootstrap: the same records give the same bytes

Place = tuple[str, int]  # a task at a lag
Runs = dict[Place, list[Record]]  # of a model


def runs_by_model(records: Iterable[Record]) -> dict[str, Runs]:
    """Return the runs of each model in each cell, in their order; of several versions the newest counts."""
    found: dict[str, Runs] = {}
    for record in records:
        unit = record.unit
        cells = found.setdefault(unit.model_spelled, {})
        runs = cells.setdefault(place_of(record), [])
        if runs and runs[0].unit_id != unit.id:
            if version(record) < version(runs[0]):
                continue
            runs.clear()
        runs.append(record)
    return found


def place_of(record: Record) -> Place:
    """Return the task, with its options, and the lag."""
    return record.unit.task_spelled, record.unit.lag


def version(record: Record) -> tuple[int, int]:
    """Return the versions of the task and the model."""
    return record.unit.task_version, record.unit.model_version


@dataclass(frozen=True)
class Block:
    """Models that share cells; ``others`` were measured in too few to be compared over all."""

    runs: dict[str, Runs]
    others: dict[str, Runs]

    @cached_property
    def common(self) -> list[Place]:
        """Return the cells of all models, in the order of the first."""
        first, *rest = self.runs.values()
        return [at for at in first if all(at in runs for runs in rest)]


def blocks(models: Mapping[str, Runs]) -> list[Block]:
    """Return the blocks of models, all in the order of the catalogue."""
    names = sorted(models, key=lambda name: (place(MODELS, name.partition(":")[0]), name))
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


def solved(runs: Iterable[Record]) -> list[bool]:
    """Return which runs solved."""
    return [r.verdict == "solved" for r in runs]


def steps(runs: Iterable[Record]) -> list[float]:
    """Return the steps to solve of each run, infinite where it did not."""
    return [float(r.steps_to_solve or r.steps) if r.verdict == "solved" else inf for r in runs]


AGGREGATES = (
    Column(
        "block",
        "Block",
        "models of one block are compared on the same cells",
        css="number",
        key=True,
    ),
    Column("model", "Model", "the model", css="label", key=True),
    Column("status", "Status", "measured, or N/A (too few cells)", files_only=True),
    Column("cells", "Cells", "tasks at a lag, the same for all of the block", css="number"),
    Column("runs", "Runs", "in these cells", css="number"),
    Column(
        "solve_rate",
        "mean",
        "mean over the cells",
        fixed(3),
        "Solve rate, 95 % interval",
        "number",
    ),
    Column(
        "solve_rate_low",
        "from",
        "lower end, by a bootstrap of the runs of each cell",
        fixed(3),
        "Solve rate, 95 % interval",
        "number low",
    ),
    Column(
        "solve_rate_high", "to", "upper end", fixed(3), "Solve rate, 95 % interval", "number high"
    ),
    Column(
        "half",
        "half the runs",
        "share of the cells that half the runs or more solved",
        fixed(3),
        "Share of cells solved by",
        "number",
    ),
    Column(
        "all",
        "all runs",
        "share of the cells that every run solved",
        fixed(3),
        "Share of cells solved by",
        "number",
    ),
)


def aggregates(results: Results) -> Table | None:
    """Return T8: each model over the cells of its block, or None if nothing was measured."""
    rows: list[Row] = []
    for number, block in enumerate(blocks(runs_by_model(results.core)), start=1):
        for model, runs in (block.runs | block.others).items():
            row: Row = {"block": number, "model": model, "status": "N/A"}
            if block.common and model in block.runs:
                row |= aggregate_row([runs[at] for at in block.common])
            rows.append(row)
    if not rows:
        return None
    notes = (
        "Every cell, a task at a lag, has the same weight. The models of a block are compared on the cells that all "
        "of them were measured in; one that was measured in fewer than half as many as another is N/A.",
    )
    title = "Models over all tasks"
    return Table("T8", "aggregates", title, AGGREGATES, tuple(rows), results.manifest, notes)


def aggregate_row(cells: list[list[Record]]) -> Row:
    """Return what T8 says of a model's cells."""
    outcomes = [solved(runs) for runs in cells]
    rate = mean_rate(outcomes, np.random.default_rng(SEED))
    half, every = performance_profile([sum(o) / len(o) for o in outcomes], (0.5, 1.0))
    return {
        "status": "measured",
        "cells": len(cells),
        "runs": sum(map(len, cells)),
        "solve_rate": rate.value,
        "solve_rate_low": rate.low,
        "solve_rate_high": rate.high,
        "half": half,
        "all": every,
    }


PAIRS = (
    Column("task", "Task", "the task, or all cells that the block has in common", css="label", key=True),
    Column("lag", "Lag", "the setting of the task's knob", css="number", key=True),
    Column("model", "Model A", "the one model", css="label", key=True),
    Column("other", "Model B", "the other", css="label", key=True),
    Column("solved", "k", "runs of A that solved", css="number", group="Solved by A"),
    Column("runs", "of n", "runs of A", css="number of", group="Solved by A"),
    Column("other_solved", "k", "runs of B that solved", css="number", group="Solved by B"),
    Column("other_runs", "of n", "runs of B", css="number of", group="Solved by B"),
    Column(
        "difference",
        "A − B",
        "difference of the solve rates; over all cells, of their means",
        fixed(3),
        "Difference, 95 % interval",
        "number",
    ),
    Column(
        "difference_low",
        "from",
        "lower end, by Newcombe; over all cells, by the standard error of the mean difference",
        fixed(3),
        "Difference, 95 % interval",
        "number low",
    ),
    Column(
        "difference_high", "to", "upper end", fixed(3), "Difference, 95 % interval", "number high"
    ),
    Column(
        "p",
        "p",
        "that rates are equal: Boschloo's exact test; over all cells, the exact conditional test",
        significant(2),
        css="number",
    ),
    Column(
        "p_holm",
        "Holm",
        "p adjusted for all pairs of this task and lag",
        significant(2),
        css="number",
    ),
    Column(
        "improvement",
        "P(A beats B)",
        "probability that a run of A solves where B does not, or in fewer steps; ties count half",
        fixed(3),
        "Improvement, 95 % interval",
        "number",
    ),
    Column(
        "improvement_low",
        "from",
        "lower end, by a bootstrap of the runs of each cell",
        fixed(3),
        "Improvement, 95 % interval",
        "number low",
    ),
    Column(
        "improvement_high",
        "to",
        "upper end",
        fixed(3),
        "Improvement, 95 % interval",
        "number high",
    ),
)  # fmt: skip


def pairs(results: Results) -> Table | None:
    """Return T9: models in pairs, or None if there is no pair."""
    models = runs_by_model(results.core)
    rows: list[Row] = []
    for block in blocks(models):
        if block.common:
            rows += pair_rows("all", None, block.runs, block.common)
    for task, lag in dict.fromkeys(map(place_of, results.core)):
        there = {model: runs for model, runs in models.items() if (task, lag) in runs}
        rows += pair_rows(task, lag, there, [(task, lag)])
    if not rows:
        return None
    return Table("T9", "pairs", "Models in pairs", PAIRS, tuple(rows), results.manifest)


def pair_rows(
    task: str, lag: int | None, models: Mapping[str, Runs], cells: list[Place]
) -> list[Row]:
    """Return the rows of T9 of all pairs of models in a cell, or over all (then there is no lag)."""
    found = [
        (a, b, [(models[a][at], models[b][at]) for at in cells]) for a, b in combinations(models, 2)
    ]
    tables = [[pair_of(*runs) for runs in shared] for *_, shared in found]
    ps = [stratified(own) if lag is None else boschloo(*own) for own in tables]
    rows: list[Row] = []
    for (a, b, shared), own, p, p_holm in zip(found, tables, ps, holm(ps), strict=True):
        d = mean_difference(own, LEVEL) if lag is None else newcombe(*own, LEVEL)
        better = improvement([(steps(x), steps(y)) for x, y in shared], np.random.default_rng(SEED))
        rows.append(
            {
                "task": task,
                "lag": lag,
                "model": a,
                "other": b,
                "solved": sum(pair.k2 for pair in own),
                "runs": sum(pair.n2 for pair in own),
                "other_solved": sum(pair.k1 for pair in own),
                "other_runs": sum(pair.n1 for pair in own),
                "difference": d.value,
                "difference_low": d.low,
                "difference_high": d.high,
                "p": p,
                "p_holm": p_holm,
                "improvement": better.value,
                "improvement_low": better.low,
                "improvement_high": better.high,
            }
        )
    return rows


def pair_of(a: list[Record], b: list[Record]) -> Pair:
    """Return the runs of two models in a cell, so that the difference is that of the first less the second."""
    return Pair(sum(solved(b)), len(b), sum(solved(a)), len(a))
