"""T12: what it takes to solve a task."""

from itertools import groupby
from statistics import median

from seqbench.report.results import Results
from seqbench.report.table import Column, Content, Row, to_significant
from seqbench.report.tables.accuracy import CONDITION

COST = (
    *CONDITION,
    Column("solved", "k", "runs that solved", css="number", group="Solved"),
    Column("runs", "of S", "runs, one a seed", css="number of", group="Solved"),
    Column(
        "steps",
        "Steps",
        "median steps to solve by Kaplan and Meier; empty where fewer than half solved",
        css="number",
    ),
    Column("sequences", "Sequences", "steps to solve × sequences a step", css="number"),
    Column(
        "milliseconds_per_step",
        "A step, ms",
        "median over the runs of wall time / steps, validations included, of a member among those beside it",
        to_significant(3),
        css="number",
    ),
    Column(
        "seconds", "Seconds", "steps to solve × time of a step", to_significant(3), css="number"
    ),
    Column("parameters", "Parameters", "numbers that are trained", css="number"),
    Column("system", "Machine", "id of the machine, described in T5", css="label"),
    Column("unit", "Unit", "hash of all that was measured", files_only=True),
)


def cost(results: Results) -> Content:
    """Return T12: what it takes to solve."""
    rows: list[Row] = []
    for unit, members in groupby(results.reporting, key=lambda r: r.unit_id):
        records = list(members)
        first = records[0]
        steps = results.find_median_steps(records)
        times = [r.cost.seconds / r.steps for r in records if r.steps]
        step = median(times) if times else None
        rows.append(
            {
                "task": first.unit.task_spelling,
                "lag": first.unit.lag,
                "model": first.unit.model_spelling,
                "solved": sum(r.verdict == "solved" for r in records),
                "runs": len(records),
                "steps": steps,
                "sequences": None if steps is None else steps * first.unit.budget.batch,
                "milliseconds_per_step": None if step is None else step * 1e3,
                "seconds": None if steps is None or step is None else steps * step,
                "parameters": first.parameters,
                "system": ", ".join(sorted({r.system_id for r in records})),
                "unit": unit,
            }
        )
    notes = (
        "Members are trained side by side and share the time of a step evenly, so a time is that of a member of a "
        "stack, on the machine named; step times of one model against another are in T2.",
        "A run is found solved at a validation, so steps to solve come in steps between two of them.",
    )
    return Content("Cost to solve", COST, rows, notes)
