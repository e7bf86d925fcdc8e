"""T9: pairs of models, over all tasks and on each."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from seqbench.records.schema import Record
from seqbench.report.blocks import (
    SEED,
    Runs,
    TaskLag,
    find_blocks,
    get_task_lag,
    group_by_model,
    list_steps_to_solve,
    mark_solved,
)
from seqbench.report.compare import (
    Pair,
    boschloo,
    exact_stratified_test,
    holm,
    mean_difference,
    newcombe,
)
from seqbench.report.overall import probability_of_improvement
from seqbench.report.results import Results
from seqbench.report.stats import LEVEL
from seqbench.report.table import Column, Content, Row, to_decimals, to_significant
from seqbench.report.tables.accuracy import LAG

PAIRS = (
    Column("task", "Task", "the task, or all cells that the block has in common", css="label", key=True),
    LAG,
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
        to_decimals(3),
        "Difference, 95 % interval",
        "number",
    ),
    Column(
        "difference_low",
        "from",
        "lower end, by Newcombe; over all cells, by the standard error of the mean difference",
        to_decimals(3),
        "Difference, 95 % interval",
        "number low",
    ),
    Column(
        "difference_high", "to", "upper end", to_decimals(3), "Difference, 95 % interval", "number high"
    ),
    Column(
        "p",
        "p",
        "that rates are equal: Boschloo's exact test; over all cells, the exact conditional test",
        to_significant(2),
        css="number",
    ),
    Column(
        "p_holm",
        "Holm",
        "p adjusted for all pairs of this task and lag",
        to_significant(2),
        css="number",
    ),
    Column(
        "improvement",
        "P(A beats B)",
        "probability that a run of A solves where B does not, or in fewer steps; ties count half",
        to_decimals(3),
        "Improvement, 95 % interval",
        "number",
    ),
    Column(
        "improvement_low",
        "from",
        "lower end, by a bootstrap of the runs of each cell",
        to_decimals(3),
        "Improvement, 95 % interval",
        "number low",
    ),
    Column(
        "improvement_high",
        "to",
        "upper end",
        to_decimals(3),
        "Improvement, 95 % interval",
        "number high",
    ),
)  # fmt: skip


def pairs(results: Results) -> Content:
    """Return T9: pairs of models."""
    models = group_by_model(results.core)
    rows: list[Row] = []
    for block in find_blocks(models, results.facts.models):
        if block.common:
            rows += make_pair_rows("all", None, block.runs, block.common)
    for task, lag in dict.fromkeys(map(get_task_lag, results.core)):
        there = {model: runs for model, runs in models.items() if (task, lag) in runs}
        rows += make_pair_rows(task, lag, there, [(task, lag)])
    return Content("Models in pairs", PAIRS, rows)


def make_pair_rows(
    task: str, lag: int | None, models: Mapping[str, Runs], conditions: list[TaskLag]
) -> list[Row]:
    """Return the rows of T9 of all pairs of models on one task and lag, or over all (then there is no lag)."""
    found = [
        (a, b, [(models[a][at], models[b][at]) for at in conditions])
        for a, b in combinations(models, 2)
    ]
    tables = [[make_pair(*runs) for runs in shared] for *_, shared in found]
    ps = [exact_stratified_test(own) if lag is None else boschloo(*own) for own in tables]
    rows: list[Row] = []
    for (a, b, shared), own, p, p_holm in zip(found, tables, ps, holm(ps), strict=True):
        d = mean_difference(own, LEVEL) if lag is None else newcombe(*own, LEVEL)
        better = probability_of_improvement(
            [(list_steps_to_solve(x), list_steps_to_solve(y)) for x, y in shared],
            np.random.default_rng(SEED),
        )
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


def make_pair(a: list[Record], b: list[Record]) -> Pair:
    """Return the counts of two models; the difference is that of the first minus the second."""
    return Pair(sum(mark_solved(b)), len(b), sum(mark_solved(a)), len(a))
