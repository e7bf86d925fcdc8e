"""T8: models over all tasks."""

import numpy as np

from seqbench.records.schema import Record
from seqbench.report.blocks import SEED, find_blocks, group_by_model, mark_solved
from seqbench.report.overall import mean_rate, performance_profile
from seqbench.report.results import Results
from seqbench.report.table import Column, Content, Row, to_decimals

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
        to_decimals(3),
        "Solve rate, 95 % interval",
        "number",
    ),
    Column(
        "solve_rate_low",
        "from",
        "lower end, by a bootstrap of the runs of each cell",
        to_decimals(3),
        "Solve rate, 95 % interval",
        "number low",
    ),
    Column(
        "solve_rate_high",
        "to",
        "upper end",
        to_decimals(3),
        "Solve rate, 95 % interval",
        "number high",
    ),
    Column(
        "half",
        "half the runs",
        "share of the cells that half the runs or more solved",
        to_decimals(3),
        "Share of cells solved by",
        "number",
    ),
    Column(
        "all",
        "all runs",
        "share of the cells that every run solved",
        to_decimals(3),
        "Share of cells solved by",
        "number",
    ),
)


def aggregates(results: Results) -> Content:
    """Return T8: each model over the tasks and lags of its block."""
    found = find_blocks(group_by_model(results.core), results.facts.models)
    rows: list[Row] = []
    for number, block in enumerate(found, start=1):
        for model, runs in (block.runs | block.others).items():
            row: Row = {"block": number, "model": model, "status": "N/A"}
            if block.common and model in block.runs:
                row |= make_aggregate_columns([runs[at] for at in block.common])
            rows.append(row)
    notes = (
        "Every cell, a task at a lag, has the same weight. The models of a block are compared on the cells that all "
        "of them were measured in; one that was measured in fewer than half as many as another is N/A.",
    )
    return Content("Models over all tasks", AGGREGATES, rows, notes)


def make_aggregate_columns(conditions: list[list[Record]]) -> Row:
    """Return the columns of T8 from the runs of a model by condition."""
    outcomes = [mark_solved(runs) for runs in conditions]
    rate = mean_rate(outcomes, np.random.default_rng(SEED))
    half, every = performance_profile([sum(o) / len(o) for o in outcomes], (0.5, 1.0))
    return {
        "status": "measured",
        "cells": len(conditions),
        "runs": sum(map(len, conditions)),
        "solve_rate": rate.value,
        "solve_rate_low": rate.low,
        "solve_rate_high": rate.high,
        "half": half,
        "all": every,
    }
