"""T16: every rung of every ladder, with its verdict."""

from collections.abc import Iterator

from seqbench.report.horizons import LadderClimb, RungResult
from seqbench.report.results import Results, find_position
from seqbench.report.table import Column, Content, Row
from seqbench.report.tables.horizons import has_runs

NOT_RUN = "not run"

RUNGS = (
    Column("ladder", "Ladder", "the task and its knob", css="label", key=True),
    Column("rung", "Rung", "the value of the knob", css="number", key=True),
    Column("model", "Model", "the model, with its options", css="label", key=True),
    Column(
        "verdict",
        "Verdict",
        "pass, fail or open; unfinished or missing; beyond the horizon (above a failed rung); "
        "not run (above what is planned for the model)",
        css="label",
    ),
    Column("outcome", "Solved", "runs that solved, of those that decided", css="number"),
    Column("learning_rate", "Rate", "learning rate of these runs", css="number"),
    Column(
        "remark",
        "Remark",
        "whether the rate is at the edge of the grid, and whether it was the second-best of the tuning",
        css="label",
    ),
    Column(
        "steps",
        "Steps",
        "median steps to solve by Kaplan and Meier; empty where fewer than half solved",
        css="number",
    ),
    Column("solved", "k", "runs that solved", files_only=True),
    Column("runs", "of S", "runs that decided, one a seed", files_only=True),
    Column("task", "Task", "the task at this rung", files_only=True),
    Column("knob", "Knob", "what the ladder turns", files_only=True),
    Column("unit_of_knob", "Unit", "what the knob is counted in", files_only=True),
    Column("edge", "Edge", "whether the rate is at the edge of the grid", files_only=True),
    Column("second", "Second", "whether the second-best rate decided", files_only=True),
    Column("budget", "Budget", "training steps that a run is given", files_only=True),
    Column("unit", "Unit", "hash of all that was measured", files_only=True),
)


def rungs(results: Results) -> Content:
    """Return T16: a row for each ladder, rung and model, those not run included."""
    rows = [row for climb in results.climbs for row in make_rung_rows(results, climb)]
    ladders = list(dict.fromkeys(str(row["ladder"]) for row in rows))
    rows.sort(
        key=lambda row: (
            ladders.index(str(row["ladder"])),
            row["rung"],
            find_position(results.facts.models, str(row["model"])),
        )
    )
    return Content("Every rung of every ladder", RUNGS, rows if has_runs(results) else [])


def make_rung_rows(results: Results, climb: LadderClimb) -> Iterator[Row]:
    """Yield the rows of one model on one ladder."""
    there = {rung.rung.value for rung in climb.rungs}
    yield from (make_rung_row(results, climb, rung) for rung in climb.rungs)
    for rung in list_rungs(results, climb.ladder):
        if rung.rung.value not in there:
            yield make_keys(climb, rung) | {"verdict": NOT_RUN}


def list_rungs(results: Results, ladder: str) -> list[RungResult]:
    """Return the rungs of a ladder that are planned for any model, each of the last model that has it."""
    found = {
        rung.rung.value: rung
        for climb in results.climbs
        if climb.ladder == ladder
        for rung in climb.rungs
    }
    return [found[value] for value in sorted(found)]


def make_keys(climb: LadderClimb, rung: RungResult) -> Row:
    """Return the columns that name a row of T16: of a model, at a rung that may be planned for others only."""
    return {
        "ladder": climb.ladder,
        "rung": rung.rung.value,
        "model": climb.model,
        "task": rung.unit.task_spelling,
        "knob": rung.rung.knob,
        "unit_of_knob": rung.rung.unit,
    }


def make_rung_row(results: Results, climb: LadderClimb, rung: RungResult) -> Row:
    """Return a row of T16."""
    row = make_keys(climb, rung) | {
        "verdict": rung.status,
        "budget": rung.unit.budget.steps,
        "unit": rung.unit.id,
    }
    if rung.state is None or not rung.deciding:
        return row
    rates = results.facts.rates
    return row | {
        "outcome": f"{len(rung.solved)} of {len(rung.deciding)}",
        "learning_rate": rung.rate,
        "remark": rung.remark(rates),
        "steps": results.find_median_steps(rung.deciding),
        "solved": len(rung.solved),
        "runs": len(rung.deciding),
        "edge": "yes" if rung.is_at_edge(rates) else "no",
        "second": "yes" if rung.second else "no",
    }
