r"""T11: what the instruments measured inside models.

The norm g_k of a gradient, k steps back, is summarised by the factor per step,

.. math::
    \left( g_K / g_1 \right)^{1 / (K - 1)}

from k = 1 on, since at k = 0 only the readout lies between a state and the loss: below 1 the gradient vanishes, above 1
it explodes. Each statistic is one number per member; a row has its median over the members and their range.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from math import isfinite
from statistics import median

from seqbench.errors import BadInput, describe
from seqbench.records.facts import Facts
from seqbench.records.schema import Probe
from seqbench.report import stats
from seqbench.report.results import Results, find_position
from seqbench.report.table import Column, Content, Row, to_significant
from seqbench.report.tables.accuracy import CONDITION

Series = dict[str, list[float | None]]
Statistics = dict[str, float]
INSTRUMENTS = ("gradient", "gates", "attention", "age")
MOMENTS = ("start", "end")
WAYS = ("hidden", "cell", "embedding", "input")  # what the gradient is taken by

DIAGNOSTICS = (
    Column("instrument", "Instrument", "what was looked with", css="label", key=True),
    *CONDITION,
    Column("moment", "Moment", "before training (start) or after (end)", css="label"),
    Column("statistic", "What", "what is measured", css="label"),
    Column("median", "median", "over the members", to_significant(3), "Seen", "number"),
    Column("min", "min", "smallest of them", to_significant(3), "Seen", "number low"),
    Column("max", "max", "largest of them", to_significant(3), "Seen", "number high"),
    Column("members", "Members", "that were looked at", css="number"),
    Column("solved", "Solved", "members among them that solved the task", css="number"),
    Column("unit", "Unit", "hash of all that was measured", files_only=True),
)


def diagnostics(results: Results) -> Content:
    """Return T11: statistics of what the instruments measured."""
    rows: list[Row] = []
    for probes in group_probes(results.probes, results.facts):
        first = probes[0]
        statistics = [summarise(probe) for probe in probes if probe.series]
        for statistic in dict.fromkeys(name for each in statistics for name in each):
            values = [each[statistic] for each in statistics if statistic in each]
            spread = stats.Spread(median(values), min(values), max(values))
            rows.append(
                {
                    "instrument": first.instrument,
                    "task": first.unit.task_spelling,
                    "lag": first.unit.lag,
                    "model": first.unit.model_spelling,
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
    notes = (
        "All members are looked at on the same sequences of the test set, before their training and after it.",
        "The area under the ROC is 1 where the value of a gate tells every relevant step from every distracting one, "
        "opening there or shutting, and 1/2 where it tells nothing. Random weights tell symbols apart, too, if by "
        "little: compare the end with the start, and see how far the gate moves.",
    )
    return Content("What happens inside", DIAGNOSTICS, rows, notes)


def group_probes(probes: Iterable[Probe], facts: Facts) -> Iterator[list[Probe]]:
    """Yield the probes of one instrument, unit and moment, in the order of the catalogues."""

    def key(p: Probe) -> tuple[object, ...]:
        unit = p.unit
        return (find_position(INSTRUMENTS, p.instrument), find_position(facts.tasks, unit.task), unit.lag,
                find_position(facts.models, unit.model), p.unit_id, MOMENTS.index(p.moment))  # fmt: skip

    ordered = sorted(probes, key=lambda p: (key(p), p.member.seed, p.member.learning_rate))
    for _, members in groupby(ordered, key=key):
        yield list(members)


def summarise(probe: Probe) -> Statistics:
    """Return the statistics of a probe; raise ``BadInput`` where it holds no such series as its instrument gives."""
    try:
        found = STATISTICS.get(probe.instrument, summarise_series)(probe.series)
        if not all(isfinite(number) for number in found.values()):
            raise ValueError("a statistic is not finite")
    except (LookupError, ArithmeticError, ValueError, TypeError) as error:  # a stranger's
        unit = probe.unit
        raise BadInput(
            f"the probe by {probe.instrument} of {unit.task_spelling} lag {unit.lag} {unit.model_spelling}, "
            f"seed {probe.member.seed}, has no such series as that instrument gives: {describe(error)}"
        ) from None
    return found


def summarise_gradient(series: Series) -> Statistics:
    """Return the factor per step for each quantity the gradient is taken by, where it is defined."""
    found = {}
    for way in WAYS:
        norms = series.get(way, [])
        near, far = (norms[1], norms[-1]) if len(norms) > 2 else (None, None)
        if near and far is not None:
            factor = (far / near) ** (1 / (len(norms) - 2))
            found[f"{way}: factor a step of the gradient"] = factor
    return found


def summarise_gates(series: Series) -> Statistics:
    """Return for each gate how well its units separate relevant steps, and how far they move there.

    A gate may open or close at relevant steps: areas above and below 1/2 count alike.
    """
    found: Statistics = {}
    for name in series:
        gate, _, what = name.partition("/")
        if what != "auc":
            continue
        areas = [max(area, 1 - area) for area in drop_missing(series[name])]
        on, off = (
            drop_missing(series[f"{gate}/relevant"]),
            drop_missing(series[f"{gate}/distracting"]),
        )
        moves = [abs(a - b) for a, b in zip(on, off, strict=True)]
        found |= {
            f"{gate} gate: area, best unit": max(areas),
            f"{gate} gate: area, median unit": median(areas),
            f"{gate} gate: |relevant − distracting|, widest unit": max(moves),
            f"{gate} gate: |relevant − distracting|, median unit": median(moves),
        }
    return found


def summarise_attention(series: Series) -> Statistics:
    """Return the share of the attention weight on relevant steps, and that of uniform attention."""
    share = drop_missing(series["share"])
    return {
        "weight on relevant steps, best head": max(share),
        "weight on relevant steps, mean head": mean(share),
        "weight on relevant steps, if even": mean(drop_missing(series["even"])),
    }


def summarise_age(series: Series) -> Statistics:
    """Return the accuracy on the oldest and on the newest item."""
    newest, *_, oldest = drop_missing(series["accuracy"])
    return {
        "accuracy, oldest item": oldest,
        "accuracy, newest item": newest,
        "newest − oldest": newest - oldest,
    }


def summarise_series(series: Series) -> Statistics:
    """Return the median of each series: for an instrument that has no statistics of its own."""
    finite = {name: drop_missing(values) for name, values in series.items()}
    return {name: median(values) for name, values in finite.items() if values}


STATISTICS: dict[str, Callable[[Series], Statistics]] = {
    "gradient": summarise_gradient,
    "gates": summarise_gates,
    "attention": summarise_attention,
    "age": summarise_age,
}


def drop_missing(values: Iterable[float | None]) -> list[float]:
    """Return the numbers that were finite."""
    return [value for value in values if value is not None]


def mean(values: Sequence[float]) -> float:
    """Return the mean."""
    return sum(values) / len(values)
