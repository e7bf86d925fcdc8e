"""T3: the solve rate of the tuning runs by learning rate."""

from itertools import groupby

from seqbench.report.results import Results
from seqbench.report.table import Column, Content, Row
from seqbench.report.tables.accuracy import ACCURACY, CONDITION, make_accuracy_row

SENSITIVITY = (
    *CONDITION,
    Column("learning_rate", "Rate", "learning rate", css="number"),
    *(c for c in ACCURACY if c.group in ("Solved", "Solve rate, 95 % interval")),
    Column("chosen", "Chosen", "whether the reporting runs use it", css="label"),
)


def sensitivity(results: Results) -> Content:
    """Return T3; without a row where nothing was tuned."""
    tuning = [r for r in results.records if r.member.role == "tuning"]
    chosen = {(r.unit_id, r.member.learning_rate) for r in results.reporting}
    rates = results.facts.rates
    rows: list[Row] = []
    for (unit, rate), members in groupby(tuning, key=lambda r: (r.unit_id, r.member.learning_rate)):
        records = list(members)
        row = make_accuracy_row(results, unit, records)
        edge = ", at the edge of the grid" if rate in (rates[0], rates[-1]) else ""
        row["chosen"] = f"yes{edge}" if (unit, rate) in chosen else "no"
        rows.append({c.name: row[c.name] for c in SENSITIVITY})
    notes = (
        "Tuning seeds only: they are never used for reporting. The rate is chosen on validation, not on these.",
    )
    return Content("Solve rate by learning rate", SENSITIVITY, rows, notes)
