r"""T11 to T13: what was seen inside of models, what it costs to solve a task, and which learning rates do.

Of a gradient, g_k against the lag k, T11 gives the scale of a factor,

.. math::
    \left( g_K / g_1 \right)^{1 / (K - 1)}

from lag 1 on, since at lag 0 the readout alone stands between a state and the loss: below 1 the gradient fades, above
1 it grows. What is seen is a number for each member, so a row is a median over members, and their range.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from statistics import median

from seqbench.models import MODELS
from seqbench.protocol import GRID
from seqbench.records import Probe, Record
from seqbench.report import stats
from seqbench.report.frame import Results, place, times_to_solve
from seqbench.report.table import Column, Row, Table, significant
from seqbench.tasks import TASKS

Series = dict[str, list[float | None]]
Statistics = dict[str, float]
INSTRUMENTS = ("gradient", "gates", "attention", "age")
MOMENTS = ("start", "end")
WAYS = ("hidden", "cell", "embedding", "input")  # that a gradient takes

CELL = (
    Column("task", "Task", "the task", css="label", key=True),
    Column("lag", "Lag", "the setting of the task's knob", css="number", key=True),
    Column("model", "Model", "the model", css="label", key=True),
)

SEEN = (
    Column("instrument", "Instrument", "what was looked with", css="label", key=True),
    *CELL,
    Column("moment", "Moment", "before training (start) or after (end)", css="label"),
    Column("statistic", "What", "what is measured", css="label"),
    Column("median", "median", "over the members", significant(3), "Seen", "number"),
    Column("min", "min", "smallest of them", significant(3), "Seen", "number low"),
    Column("max", "max", "largest of them", significant(3), "Seen", "number high"),
    Column("members", "Members", "that were looked at", css="number"),
    Column("solved", "Solved", "members among them that solved the task", css="number"),
    Column("unit", "Unit", "hash of all that was measured", files_only=True),
)


def seen(results: Results) -> Table | None:
    """Return T11: what instruments saw, or None if nobody looked."""
    rows: list[Row] = []
    for probes in looks(results.probes):
        first = probes[0]
        told = [STATISTICS[first.instrument](probe.series) for probe in probes if probe.series]
        for statistic in dict.fromkeys(name for each in told for name in each):
            values = [each[statistic] for each in told if statistic in each]
            spread = stats.Spread(median(values), min(values), max(values))
            rows.append(
                {
                    "instrument": first.instrument,
                    "task": first.unit.task_spelled,
                    "lag": first.unit.lag,
                    "model": first.unit.model_spelled,
                    "moment": first.moment,
                    "statistic": statistic,
                    "median": spread.median,
                    "min": spread.low,
                    "max": spread.high,
                    "members": len(values),
                    "solved": sum(probe.verdict == "solved" for probe in probes),
                    "unit": first.unit_id,
                }
            )
    if not rows:
        return None
    notes = (
        "All members are looked at on the same sequences of the test set, before their training and after it.",
        "The area under the ROC is 1 where the value of a gate tells every relevant step from every distracting one, "
        "opening there or shutting, and 1/2 where it tells nothing. Random weights tell symbols apart, too, if by "
        "little: compare the end with the start, and see how far the gate moves.",
    )
    title = "What happens inside"
    return Table("T11", "inside", title, SEEN, tuple(rows), results.manifest, notes)


def looks(probes: Iterable[Probe]) -> Iterator[list[Probe]]:
    """Yield the probes of one instrument, unit and moment, in the order of the catalogues."""

    def key(p: Probe) -> tuple[object, ...]:
        unit = p.unit
        return (place(INSTRUMENTS, p.instrument), place(TASKS, unit.task), unit.lag,
                place(MODELS, unit.model), p.unit_id, MOMENTS.index(p.moment))  # fmt: skip

    ordered = sorted(probes, key=lambda p: (key(p), p.member.seed, p.member.learning_rate))
    for _, members in groupby(ordered, key=key):
        yield list(members)


def of_gradient(series: Series) -> Statistics:
    """Return the factor a step on each way back, where it can be told."""
    found = {}
    for way in WAYS:
        norms = series.get(way, [])
        near, far = (norms[1], norms[-1]) if len(norms) > 2 else (None, None)
        if near and far is not None:
            factor = (far / near) ** (1 / (len(norms) - 2))
            found[f"{way}: factor a step of the gradient"] = factor
    return found


def of_gates(series: Series) -> Statistics:
    """Return for each gate how well its units tell relevant steps, and how far they move there.

    A gate may open where it should or shut: either side of 1/2 counts alike.
    """
    found: Statistics = {}
    for name in series:
        gate, _, what = name.partition("/")
        if what != "auc":
            continue
        areas = [max(area, 1 - area) for area in finite(series[name])]
        on, off = finite(series[f"{gate}/relevant"]), finite(series[f"{gate}/distracting"])
        moves = [abs(a - b) for a, b in zip(on, off, strict=True)]
        found |= {
            f"{gate} gate: area, best unit": max(areas),
            f"{gate} gate: area, median unit": median(areas),
            f"{gate} gate: |relevant − distracting|, widest unit": max(moves),
            f"{gate} gate: |relevant − distracting|, median unit": median(moves),
        }
    return found


def of_attention(series: Series) -> Statistics:
    """Return the share of the weight on relevant steps, and that of whoever looks at all alike."""
    share = finite(series["share"])
    return {
        "weight on relevant steps, best head": max(share),
        "weight on relevant steps, mean head": mean(share),
        "weight on relevant steps, if even": mean(finite(series["even"])),
    }


def of_age(series: Series) -> Statistics:
    """Return the accuracy on the oldest and on the newest item."""
    newest, *_, oldest = finite(series["accuracy"])
    return {
        "accuracy, oldest item": oldest,
        "accuracy, newest item": newest,
        "newest − oldest": newest - oldest,
    }


STATISTICS: dict[str, Callable[[Series], Statistics]] = {
    "gradient": of_gradient,
    "gates": of_gates,
    "attention": of_attention,
    "age": of_age,
}


def finite(values: Iterable[float | None]) -> list[float]:
    """Return the numbers that were finite."""
    return [value for value in values if value is not None]


def mean(values: Sequence[float]) -> float:
    """Return the mean."""
    return sum(values) / len(values)


COST = (
    *CELL,
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
        significant(3),
        css="number",
    ),
    Column("seconds", "Seconds", "steps to solve × time of a step", significant(3), css="number"),
    Column("parameters", "Parameters", "numbers that are trained", css="number"),
    Column("system", "Machine", "id of the machine, described in T5", css="label"),
    Column("unit", "Unit", "hash of all that was measured", files_only=True),
)


def cost(results: Results) -> Table | None:
    """Return T12: what it takes to solve, or None if nothing was measured."""
    rows: list[Row] = []
    for unit, members in groupby(results.reporting, key=lambda r: r.unit_id):
        records = list(members)
        first = records[0]
        steps = stats.median_survival(*times_to_solve(records))
        times = [r.cost.seconds / r.steps for r in records if r.steps]
        step = median(times) if times else None
        rows.append(
            {
                "task": first.unit.task_spelled,
                "lag": first.unit.lag,
                "model": first.unit.model_spelled,
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
    if not rows:
        return None
    notes = (
        "Members are trained side by side and share the time of a step evenly, so a time is that of a member of a "
        "stack, on the machine named; step times of one model against another are in T2.",
        "A run is found solved at a validation, so steps to solve come in steps between two of them.",
    )
    title = "Cost to solve"
    return Table("T12", "cost", title, COST, tuple(rows), results.manifest, notes)


WINDOW = (
    *CELL,
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


def window(results: Results) -> Table | None:
    """Return T13: how many of the rates of the tuning grid do as well as the best, or None if nothing was tuned."""
    tuning = [r for r in results.records if r.member.role == "tuning"]
    rows = [
        window_row(unit, list(members))
        for unit, members in groupby(tuning, key=lambda r: r.unit_id)
    ]
    if not rows:
        return None
    notes = (
        f"Of the grid {', '.join(f'{rate:g}' for rate in GRID)}, on the tuning seeds. A rate within one solves as "
        "often as the best or in one run less: a difference of one run says nothing. Rates that do need not be "
        "neighbours.",
    )
    title = "Learning rates that do"
    return Table("T13", "window", title, WINDOW, tuple(rows), results.manifest, notes)


def window_row(unit: str, records: Sequence[Record]) -> Row:
    """Return a row of T13 from the tuning runs of one unit."""
    first = records[0]
    solved: dict[float, int] = {}
    for r in records:
        rate = r.member.learning_rate
        solved[rate] = solved.get(rate, 0) + (r.verdict == "solved")
    best = max(solved.values())
    near = [rate for rate, count in solved.items() if count >= best - 1] if best > 1 else []
    return {
        "task": first.unit.task_spelled,
        "lag": first.unit.lag,
        "model": first.unit.model_spelled,
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
