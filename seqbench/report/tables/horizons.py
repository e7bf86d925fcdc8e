"""T15: how far each model climbs each ladder."""

from statistics import median

from seqbench.records.schema import Record
from seqbench.report.horizons import LadderClimb, join_numbers
from seqbench.report.results import Results
from seqbench.report.table import Column, Content, Row, to_significant

HORIZONS = (
    Column("ladder", "Ladder", "the task and its knob", css="label", key=True),
    Column("model", "Model", "the model, with its options", css="label", key=True),
    Column(
        "horizon",
        "Horizon",
        "from the last rung passed to the first failed, with the unit of the knob",
        css="label",
    ),
    Column(
        "learning_rate", "Rate", "learning rate of the runs at the last rung passed", css="number"
    ),
    Column(
        "remark",
        "Remark",
        "whether that rate is at the edge of the grid, and whether it was the second-best of the tuning",
        css="label",
    ),
    Column(
        "steps",
        "steps",
        "median steps to solve at the last rung passed, by Kaplan and Meier",
        group="To solve there",
        css="number",
    ),
    Column(
        "seconds",
        "seconds",
        "steps to solve × median time of a step, of a member among those beside it",
        to_significant(3),
        "To solve there",
        "number",
    ),
    Column(
        "state_size",
        "State",
        "numbers that a sequence has in the model's state, at the last rung passed, else the lowest run",
        css="number",
    ),
    Column("task", "Task", "the task at the last rung passed, else the lowest", files_only=True),
    Column("knob", "Knob", "what the ladder turns", files_only=True),
    Column("unit_of_knob", "Unit", "what the knob is counted in", files_only=True),
    Column("passed", "Passed", "last rung passed", files_only=True),
    Column("failed", "Failed", "first rung failed", files_only=True),
    Column("open", "Open", "open rungs between", files_only=True),
    Column(
        "end",
        "End",
        "why the climb ends: failed, top (of the ladder), or unfinished",
        files_only=True,
    ),
    Column("solved", "k", "runs that solved at the last rung passed", files_only=True),
    Column("of", "of S", "runs that decided there", files_only=True),
    Column("runs", "Runs", "runs of the climb, those of the tuning included", files_only=True),
    Column(
        "inner_parameters",
        "Parameters",
        "numbers that are trained, beyond embedding and readout",
        files_only=True,
    ),
    Column("parameters", "All parameters", "numbers that are trained", files_only=True),
)


def horizons(results: Results) -> Content:
    """Return T15: a row for each ladder and model."""
    rows = [make_horizon_row(results, climb) for climb in results.climbs]
    notes = [
        "A climb ends at the first rung that is failed: what lies above is beyond the horizon and is not run. "
        "The horizon lies between the last rung passed and the first failed; rungs between them are open.",
    ]
    if rule := results.facts.climbing:
        notes.append(
            f"A rung is run on {rule.first} seeds; it is passed if all of them solve, and failed if none does. "
            f"Otherwise it is run on {rule.all}, and passed if {rule.passes} or more solve, failed if {rule.fails} or "
            "fewer do, and open between. It is failed only if it is so at the two best learning rates."
        )
    return Content("How far each model climbs", HORIZONS, rows if has_runs(results) else [], notes)


def has_runs(results: Results) -> bool:
    """Return whether a rung of any ladder was run."""
    return any(rung.records for climb in results.climbs for rung in climb.rungs)


def make_horizon_row(results: Results, climb: LadderClimb) -> Row:
    """Return a row of T15."""
    horizon, there = climb.horizon, climb.last_passed
    rung = there or climb.rungs[0]
    row: Row = {
        "ladder": climb.ladder,
        "model": climb.model,
        "horizon": str(horizon),
        "task": rung.unit.task_spelling,
        "knob": rung.rung.knob,
        "unit_of_knob": rung.rung.unit,
        "passed": horizon.passed,
        "failed": horizon.failed,
        "open": join_numbers(horizon.open) if horizon.open else None,
        "end": horizon.end,
        "runs": sum(len(each.records) for each in climb.rungs),
    }
    if rung.records:
        row |= describe_size(rung.records[0])
    if there is None:
        return row
    steps = results.find_median_steps(there.deciding)
    times = [r.cost.seconds / r.steps for r in there.deciding if r.steps]
    return row | {
        "learning_rate": there.rate,
        "remark": there.remark(results.facts.rates),
        "steps": steps,
        "seconds": steps * median(times) if steps is not None and times else None,
        "solved": len(there.solved),
        "of": len(there.deciding),
    }


def describe_size(record: Record) -> Row:
    """Return the columns about the size of a model."""
    return {
        "state_size": record.state_size,
        "inner_parameters": record.inner_parameters,
        "parameters": record.parameters,
    }
