"""T1: for every task, lag and model, how many runs solved, their scores, and their steps to solve."""

from collections.abc import Collection, Iterable
from itertools import groupby
from typing import Any

from seqbench.errors import BadInput
from seqbench.records.schema import Record
from seqbench.report import stats
from seqbench.report.horizons import BEYOND
from seqbench.report.results import Results, find_position, make_row
from seqbench.report.table import Column, Content, Row, Value, to_decimals

LAG = Column(
    "lag",
    "Lag",
    "the task's delay, length or the like (its page says which)",
    css="number",
    key=True,
)
CONDITION = (
    Column("task", "Task", "the task", css="label", key=True),
    LAG,
    Column("model", "Model", "the model", css="label", key=True),
)

ACCURACY = (
    *CONDITION,
    Column(
        "status",
        "Status",
        "measured, partial (some seeds), missing, N/A (the model can't read the task), or beyond the horizon (a rung "
        "of a ladder above one that was failed: it is not run)",
        files_only=True,
    ),
    Column(
        "solved",
        "k",
        "runs that reached the threshold on the test set",
        css="number",
        group="Solved",
    ),
    Column("runs", "of S", "runs, one a seed", css="number of", group="Solved"),
    Column(
        "solve_rate", "rate", "solved / runs", to_decimals(3), "Solve rate, 95 % interval", "number"
    ),
    Column(
        "solve_rate_low",
        "from",
        "lower end of Wilson's 95 % interval",
        to_decimals(3),
        "Solve rate, 95 % interval",
        "number low",
    ),
    Column(
        "solve_rate_high",
        "to",
        "upper end of Wilson's 95 % interval",
        to_decimals(3),
        "Solve rate, 95 % interval",
        "number high",
    ),
    Column(
        "score_median",
        "median",
        "median of the test scores of the runs that ended with one",
        to_decimals(4),
        "Score",
        "number",
    ),
    Column("score_min", "min", "smallest of them", to_decimals(4), "Score", "number low"),
    Column("score_max", "max", "largest of them", to_decimals(4), "Score", "number high"),
    Column(
        "chance",
        "Chance",
        "score of the best answer that ignores the input",
        to_decimals(4),
        css="number",
    ),
    Column(
        "threshold",
        "Threshold",
        "score from which a run counts as solved",
        to_decimals(4),
        css="number",
    ),
    Column(
        "steps_to_solve",
        "median",
        "median steps to solve by Kaplan and Meier; empty where fewer than half solved",
        group="Steps to solve",
        css="number",
    ),
    Column(
        "budget",
        "of",
        "training steps that a run is given",
        css="number of",
        group="Steps to solve",
    ),
    Column("parameters", "Parameters", "numbers that are trained", css="number"),
    Column("learning_rate", "Rate", "learning rate", css="number"),
    Column(
        "diverged", "diverged", "runs that were no longer finite", css="number", group="Ended early"
    ),
    Column(
        "out_of_memory", "memory", "runs that ran out of memory", css="number", group="Ended early"
    ),
    Column("failed", "failed", "runs that failed", css="number", group="Ended early"),
    Column("measure", "Measure", "what the score is", css="label"),
    Column("sizes", "Sizes", "widths that give the number of parameters", files_only=True),
    Column("part", "Part", "the part of the profile", files_only=True),
    Column("unit", "Unit", "hash of all that was measured", files_only=True),
)


def accuracy(results: Results) -> Content:
    """Return T1."""
    rows: list[Row] = []
    for unit, members in groupby(results.reporting, key=lambda r: r.unit_id):
        row = make_accuracy_row(results, unit, list(members))
        rows.append(row | {"part": results.find_part(unit)})
    check_one_specification(rows)
    there = {row["unit"] for row in rows}
    rows += [
        {
            "task": condition.unit.task_spelling,
            "lag": condition.unit.lag,
            "model": condition.unit.model_spelling,
            "status": find_empty_status(results, unit),
            "part": condition.part,
            "unit": unit,
        }
        for unit, condition in results.plan_by_unit.items()
        if unit not in there
    ]
    core = [row for row in rows if results.is_core(str(row["part"]))]
    there_too = {(str(r["task"]), int(r["lag"] or 0), str(r["model"])) for r in core}
    rows += list_not_applicable(there_too, results.facts.video_models)
    rows.sort(
        key=lambda r: (
            find_position(results.facts.tasks, str(r["task"])),
            r["lag"],
            find_position(results.facts.models, str(r["model"])),
            r.get("unit"),
        )
    )
    partial = [f"{r['task']} {r['lag']} {r['model']}" for r in rows if r["status"] == "partial"]
    notes = [
        "A run is solved when its score on the test set, taken once with its last weights, reaches the threshold. "
        "Scores are those of runs that ended with one; the columns under “Ended early” count the others. "
        "A run that is not solved is censored at its budget."
    ]
    if partial:
        notes.append(f"Measured with fewer seeds than planned: {', '.join(partial)}.")
    return Content("Accuracy by task, lag and model", ACCURACY, rows, notes)


def find_empty_status(results: Results, unit: str) -> str:
    """Return why a planned unit has no runs: it is missing, or a rung above a failed one."""
    rung = results.rungs.get(unit)
    return rung.status if rung is not None and rung.status == BEYOND else "missing"


def is_complete(results: Results, unit: str, runs: int) -> bool:
    """Return whether a unit has all its runs; a rung of a ladder has them when it is decided."""
    if (rung := results.rungs.get(unit)) is not None:
        return rung.decided or rung.status == BEYOND
    return runs >= results.count_seeds(unit)


def make_accuracy_row(results: Results, unit: str, records: list[Record]) -> Row:
    """Return a row of T1 from the runs of one unit."""
    first = records[0]
    solved = sum(r.verdict == "solved" for r in records)
    rate = stats.wilson(solved, len(records))
    rates = sorted({r.member.learning_rate for r in records})
    score = stats.spread([r.score for r in records if r.score is not None])
    return {
        "task": first.unit.task_spelling,
        "lag": first.unit.lag,
        "model": first.unit.model_spelling,
        "status": "measured" if is_complete(results, unit, len(records)) else "partial",
        "solved": solved,
        "runs": len(records),
        "solve_rate": rate.rate,
        "solve_rate_low": rate.low,
        "solve_rate_high": rate.high,
        "score_median": score and score.median,
        "score_min": score and score.low,
        "score_max": score and score.high,
        "chance": first.scale.chance,
        "threshold": first.scale.threshold,
        "steps_to_solve": results.find_median_steps(records),
        "budget": first.unit.budget.steps,
        "parameters": first.parameters,
        "learning_rate": rates[0] if len(rates) == 1 else ", ".join(f"{r:g}" for r in rates),
        "diverged": sum(r.verdict == "diverged" for r in records),
        "out_of_memory": sum(r.verdict == "out_of_memory" for r in records),
        "failed": sum(r.verdict == "failed" for r in records),
        "measure": first.scale.measure,
        "sizes": make_row(first)["sizes"],
        "unit": unit,
    }


def check_one_specification(rows: Iterable[Row]) -> None:
    """Raise if a condition was measured under two specifications: they can't be in one table."""
    units: dict[tuple[Any, ...], Value] = {}
    for row in rows:
        condition = (row["task"], row["lag"], row["model"])
        if units.setdefault(condition, row["unit"]) != row["unit"]:
            task, lag, model = condition
            raise BadInput(
                f"{task} at lag {lag} with {model} was measured under two specifications, "
                f"{units[condition]} and {row['unit']}: they can't stand in one table; "
                "keep them in folders of their own"
            )


def list_not_applicable(there: set[tuple[str, int, str]], of_video: Collection[str]) -> list[Row]:
    """Return a row for each model that can't read a task: a model reads either video or sequences."""
    video = {task for task, _, model in there if model in of_video}
    models = {model for _, _, model in there}
    return [
        {"task": task, "lag": lag, "model": model, "status": "N/A"}
        for task, lag in {(task, lag) for task, lag, _ in there}
        for model in models
        if (task, lag, model) not in there and (model in of_video) != (task in video)
    ]
