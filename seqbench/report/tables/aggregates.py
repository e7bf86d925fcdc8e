"""T8: models over all tasks."""

from collections.abc import Mapping

import numpy as np

from seqbench.records.schema import Record
from seqbench.report.blocks import SEED, TaskLag, find_blocks, group_by_model, mark_solved
from seqbench.report.overall import mean_rate, mean_rate_over_tasks, performance_profile
from seqbench.report.results import Results
from seqbench.report.table import Column, Content, Row, to_decimals
from seqbench.values.variants import strip_options

OVER_SEEDS = "95 % interval over seeds"
OVER_TASKS = "95 % interval over tasks"


def make_columns(earlier: bool) -> tuple[Column, ...]:
    """Return the columns of T8; forms 1 and 2 have no interval over tasks."""
    rate = to_decimals(3)
    key = (
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
        Column("runs", "Runs", "in these cells", css="number", files_only=not earlier),
    )
    seeds = (
        Column("solve_rate", "Mean solve rate", "mean over the cells", rate, css="number"),
        Column(
            "solve_rate_low",
            "from",
            "lower end, by a bootstrap of the runs of each cell: over seeds, with these tasks",
            rate,
            OVER_SEEDS,
            "number low",
        ),
        Column("solve_rate_high", "to", "upper end", rate, OVER_SEEDS, "number high"),
    )
    tasks = (
        Column(
            "over_tasks_low",
            "from",
            "lower end, by a bootstrap of the tasks: over tasks as a sample of others",
            rate,
            OVER_TASKS,
            "number low",
        ),
        Column("over_tasks_high", "to", "upper end", rate, OVER_TASKS, "number high"),
        Column("wider", "Wider", "which of the two intervals is wider", files_only=True),
    )
    shares = (
        Column(
            "half",
            "half the runs",
            "share of the cells that half the runs or more solved",
            rate,
            "Share of cells solved by",
            "number",
            files_only=not earlier,
        ),
        Column(
            "all",
            "all runs",
            "share of the cells that every run solved",
            rate,
            "Share of cells solved by",
            "number",
            files_only=not earlier,
        ),
    )
    return (*key, *seeds, *(() if earlier else tasks), *shares)


NOTES = (
    "Every cell, a task at a lag, has the same weight. The models of a block are compared on the cells that all "
    "of them were measured in; one that was measured in fewer than half as many as another is N/A.",
)
OF_INTERVALS = (
    "The interval over seeds holds for these tasks: other seeds would give means within it. The interval over tasks "
    "takes the tasks for a sample of others; a task's lags and options are drawn together. Models are ranked no more "
    "finely than the wider of the two allows."
)
OF_LADDERS = (
    "Of ladders only the rungs count that all models of the block were run at. What lies above a failed rung is left "
    "out, so that a mean says less than the horizons of T15 and T18."
)


def aggregates(results: Results) -> Content:
    """Return T8: each model over the tasks and lags of its block."""
    found = find_blocks(group_by_model(results.core), results.facts.models)
    rows: list[Row] = []
    for number, block in enumerate(found, start=1):
        for model, runs in (block.runs | block.others).items():
            row: Row = {"block": number, "model": model, "status": "N/A"}
            if block.common and model in block.runs:
                row |= make_aggregate_columns({at: runs[at] for at in block.common})
            rows.append(row)
    earlier = results.form <= 2
    notes = [
        *NOTES,
        *([] if earlier else [OF_INTERVALS]),
        *([OF_LADDERS] if results.climbs else []),
    ]
    return Content("Models over all tasks", make_columns(earlier), rows, notes)


def make_aggregate_columns(conditions: Mapping[TaskLag, list[Record]]) -> Row:
    """Return the columns of T8 from the runs of a model by condition."""
    outcomes = [mark_solved(runs) for runs in conditions.values()]
    rate = mean_rate(outcomes, np.random.default_rng(SEED))
    by_task: dict[str, list[float]] = {}
    for (task, _), solved in zip(conditions, outcomes, strict=True):
        by_task.setdefault(strip_options(task), []).append(sum(solved) / len(solved))
    sample = mean_rate_over_tasks(by_task, np.random.default_rng(SEED))
    half, every = performance_profile([sum(o) / len(o) for o in outcomes], (0.5, 1.0))
    return {
        "status": "measured",
        "cells": len(conditions),
        "runs": sum(map(len, outcomes)),
        "solve_rate": rate.value,
        "solve_rate_low": rate.low,
        "solve_rate_high": rate.high,
        "over_tasks_low": sample.low,
        "over_tasks_high": sample.high,
        "wider": "over tasks" if sample.high - sample.low > rate.high - rate.low else "over seeds",
        "half": half,
        "all": every,
    }
