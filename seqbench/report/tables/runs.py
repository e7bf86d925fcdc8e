"""T4: every run."""

from seqbench.report.results import Results, make_row
from seqbench.report.table import Column, Content, to_decimals
from seqbench.report.tables.accuracy import CONDITION

RUNS = (
    *CONDITION,
    Column("seed", "Seed", "seed of weights and data", css="number"),
    Column("role", "Role", "reporting or tuning", css="label"),
    Column("learning_rate", "Rate", "learning rate", css="number"),
    Column("verdict", "Verdict", "what became of the run", css="label"),
    Column("score", "Score", "on the test set", to_decimals(4), css="number"),
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
    Column("steps", "Steps", "training steps taken", css="number"),
    Column(
        "steps_to_solve",
        "Solved at",
        "first of the validations that stood solved to the end",
        css="number",
    ),
    Column("parameters", "Parameters", "numbers that are trained", css="number"),
    Column(
        "seconds",
        "Seconds",
        "wall time of the stack, shared evenly by its members",
        to_decimals(1),
        css="number",
    ),
    Column("reason", "Reason", "why it failed", css="label"),
    Column("system", "Machine", "id of the machine, described in T5", css="label"),
    Column("unit", "Unit", "hash of all that was measured", files_only=True),
)


def runs(results: Results) -> Content:
    """Return T4."""
    rows = [{c.name: make_row(r)[c.name] for c in RUNS} for r in results.records]
    return Content("Every run", RUNS, rows)
