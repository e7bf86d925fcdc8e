"""T13: which learning rates work."""

from collections.abc import Sequence
from itertools import groupby

from seqbench.records.schema import Record
from seqbench.report.results import Results
from seqbench.report.table import Column, Content, Row
from seqbench.report.tables.accuracy import CONDITION

WINDOW = (
    *CONDITION,
    Column("rates", "Rates", "learning rates that were tried", css="number"),
    Column("runs", "of S", "runs at each rate", css="number of"),
    Column("best", "Best", "most runs that solved at one rate", css="number"),
    Column("at_best", "at the best", "rates that solve as often", group="Rates", css="number"),
    Column(
        "near_best",
        "within one",
        "rates that solve as often, or one run less; empty where the best is one run or none",
        group="Rates",
        css="number",
    ),
    Column("low", "from", "lowest rate within one", group="Within one", css="number low"),
    Column("high", "to", "highest rate within one", group="Within one", css="number high"),
    Column("by_rate", "Solved by rate", "rate: runs that solved", css="label"),
    Column("unit", "Unit", "hash of all that was measured", files_only=True),
)


def window(results: Results) -> Content:
    """Return T13: how many rates of the tuning grid do as well as the best."""
    tuning = [r for r in results.records if r.member.role == "tuning"]
    rows = [
        make_window_row(unit, list(members))
        for unit, members in groupby(tuning, key=lambda r: r.unit_id)
    ]
    grid = ", ".join(f"{rate:g}" for rate in results.facts.rates)
    notes = (
        f"Of the grid {grid}, on the tuning seeds. A rate within one solves as "
        "often as the best or in one run less: a difference of one run says nothing. Rates that do need not be "
        "neighbours.",
    )
    return Content("Learning rates that do", WINDOW, rows, notes)


def make_window_row(unit: str, records: Sequence[Record]) -> Row:
    """Return a row of T13 from the tuning runs of one unit."""
    first = records[0]
    solved: dict[float, int] = {}
    for r in records:
        rate = r.member.learning_rate
        solved[rate] = solved.get(rate, 0) + (r.verdict == "solved")
    best = max(solved.values())
    near = [rate for rate, count in solved.items() if count >= best - 1] if best > 1 else []
    return {
        "task": first.unit.task_spelling,
        "lag": first.unit.lag,
        "model": first.unit.model_spelling,
        "rates": len(solved),
        "runs": max(sum(r.member.learning_rate == rate for r in records) for rate in solved),
        "best": best,
        "at_best": sum(count == best for count in solved.values()) if best else None,
        "near_best": len(near) or None,
        "low": min(near, default=None),
        "high": max(near, default=None),
        "by_rate": ", ".join(f"{rate:g}: {solved[rate]}" for rate in sorted(solved)),
        "unit": unit,
    }
