"""Figures of diagnostics: gradient against lag, gate traces, attention maps, and accuracy against age."""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, NullLocator

from seqbench.models import MODELS
from seqbench.records.schema import Probe
from seqbench.report.drawing import (
    FAINT,
    WIDTH,
    get_look,
    label_ends,
    panels,
    parts,
    sort_names,
    tick_shares,
    use_style,
)
from seqbench.report.tables.diagnostics import MOMENTS, drop_missing
from seqbench.text import label

LEAST = 1e-12  # smallest drawn ratio of a gradient's norm to that at lag 0
STATES = {"by the state": ("hidden", "embedding", "input"), "by the cell": ("cell",)}


class Line(NamedTuple):
    """The line of a member: its model and coordinates."""

    model: str
    x: list[float]
    y: list[float]


def select_probes(probes: Iterable[Probe], instrument: str, task: str) -> list[Probe]:
    """Return the probes of an instrument on a task at its longest lag."""
    found = [p for p in probes if p.instrument == instrument and p.unit.task == task and p.series]
    longest = max((p.unit.lag for p in found), default=0)
    return [p for p in found if p.unit.lag == longest]


def plot_gradient_norms(probes: Sequence[Probe], task: str) -> Figure:
    """Return the norm of the gradient relative to lag 0, against the lag, before training (left) and after (right)."""
    found = select_probes(probes, "gradient", task)
    rows = {
        kind: {moment: list_gradient_lines(found, moment, ways) for moment in MOMENTS}
        for kind, ways in STATES.items()
    }
    drawn = [
        (kind, moment, models)
        for kind, lines in rows.items()
        for models in parts({line.model for each in lines.values() for line in each})
        for moment in MOMENTS
    ]
    heights = [
        y for lines in rows.values() for each in lines.values() for _, _, ys in each for y in ys
    ]
    shown = [y for y in heights if y > LEAST] or [1.0]
    with use_style():
        figure, axes = panels(drawn, len(MOMENTS), 2.5)
        for ax, (kind, moment, models) in zip(axes, drawn, strict=True):
            ax.set_yscale("log")
            ax.set_ylim(min(shown) / 2, max(shown) * 2)
            draw_lines(ax, [line for line in rows[kind][moment] if line.model in models])
            ax.set_title(f"{moment}, {kind}")
        figure.supxlabel("lag k, steps before the last answer", fontsize=8.5)
        figure.supylabel("norm of the gradient / that at lag 0", fontsize=8.5)
    return figure


def list_gradient_lines(probes: Iterable[Probe], moment: str, ways: Sequence[str]) -> list[Line]:
    """Return the lines of a panel: the norms of each member by each of these series that it has."""
    lines = []
    for probe in probes:
        for way in ways:
            norms = probe.series.get(way)
            if probe.moment == moment and norms and norms[0]:
                at = [(float(k), n / norms[0]) for k, n in enumerate(norms) if n is not None]
                lines.append(Line(probe.unit.model, *map(list, zip(*at, strict=True))))
    return lines


def plot_accuracy_by_age(probes: Sequence[Probe], task: str) -> Figure:
    """Return the accuracy after training against the age of the queried item."""
    found = [p for p in select_probes(probes, "age", task) if p.moment == "end"]
    lines = [
        Line(p.unit.model, drop_missing(p.series["age"]), drop_missing(p.series["accuracy"]))
        for p in found
    ]
    drawn = parts({line.model for line in lines})
    with use_style():
        figure, axes = panels(drawn, 2, 2.9)
        for ax, models in zip(axes, drawn, strict=True):
            ax.set_ylim(-0.03, 1.03)
            draw_lines(ax, [line for line in lines if line.model in models])
            tick_shares(ax)
            ax.set_xlabel("items that came after it")
        axes[0].set_ylabel("share of right answers")
    return figure


def draw_lines(ax: Axes, lines: Sequence[Line]) -> None:
    """Draw a thin line per member, and label each model at the median of the ends of its lines."""
    low, high = ax.get_ylim()
    ends = {}
    for model in sort_names(MODELS, {line.model for line in lines}):
        of_model = [line for line in lines if line.model == model]
        for _, x, y in of_model:
            ax.plot(x, y, color=get_look(model).colour, linewidth=0.9)
        last = median(line.y[-1] for line in of_model)
        ends[model] = (of_model[0].x[-1], min(max(last, low), high))
    ax.margins(x=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_minor_locator(NullLocator())
    label_ends(ax, ends)


def plot_gate_traces(probes: Sequence[Probe], task: str) -> Figure:
    """Return every gate of every model at each step of one sequence, after training, on one time axis.

    For each model a member that solved is shown, if there is one; relevant steps are shaded.
    """
    found = [p for p in select_probes(probes, "gates", task) if p.moment == "end"]
    shown = [choose_example(found, m) for m in sort_names(MODELS, {p.unit.model for p in found})]
    drawn = [
        (probe, name.removesuffix("/best"))
        for probe in shown
        for name in probe.series
        if name.endswith("/best")
    ]
    with use_style():
        figure = Figure(figsize=(WIDTH, 0.62 * len(drawn) + 0.5), layout="constrained")
        grid = figure.subplots(len(drawn), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
        for ax, (probe, gate) in zip(grid, drawn, strict=True):
            colour = get_look(probe.unit.model).colour
            for t, relevant in enumerate(probe.series["relevant"]):
                if relevant:
                    ax.axvspan(t - 0.5, t + 0.5, color=FAINT, alpha=0.25, linewidth=0)
            for which, tint, width in (("median", FAINT, 1.0), ("best", colour, 1.6)):
                values = drop_missing(probe.series[f"{gate}/{which}"])
                ax.step(range(len(values)), values, where="mid", color=tint, linewidth=width)
            ax.set_ylim(-0.05, 1.05)
            ax.set_xlim(-0.5, len(probe.series["relevant"]) - 0.5)
            ax.set_yticks([0, 1])
            name = f"{label(probe.unit.model)}\n{label(gate)}"
            beside = {"va": "center", "fontsize": 7.5, "transform": ax.transAxes}
            ax.text(1.01, 0.5, name, color=colour, **beside)
        grid[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
        grid[-1].set_xlabel("step t")
        figure.supylabel("value of the gate", fontsize=8.5)
    return figure


def choose_example(probes: Iterable[Probe], model: str) -> Probe:
    """Return the first member of a model that solved, or the first where none did."""
    members = sorted((p for p in probes if p.unit.model == model), key=lambda p: p.member.seed)
    return next((p for p in members if p.verdict == "solved"), members[0])


def plot_attention_map(probes: Sequence[Probe], task: str) -> Figure:
    """Return the weights of the best head for the first answers: one row per model, before and after training.

    Relevant steps are framed.
    """
    found = select_probes(probes, "attention", task)
    ended = [p for p in found if p.moment == "end"]
    shown = [choose_example(ended, m) for m in sort_names(MODELS, {p.unit.model for p in ended})]
    drawn = [
        p
        for end in shown
        for moment in MOMENTS
        for p in found
        if (p.unit_id, p.member, p.moment) == (end.unit_id, end.member, moment)
    ]
    with use_style():
        mpl.rcParams["axes.grid"] = False
        figure, axes = panels(drawn, len(MOMENTS), 2.4)
        for ax, probe in zip(axes, drawn, strict=True):
            draw_map(ax, probe)
            model = probe.unit.model
            ax.set_title(label(f"{model}, {probe.moment}"), color=get_look(model).colour)
        colours = axes[0].collections[0]
        figure.colorbar(colours, ax=axes, label="weight", shrink=0.7)
        figure.supxlabel("step t", fontsize=8.5)
        figure.supylabel("answer", fontsize=8.5)
    return figure


def draw_map(ax: Axes, probe: Probe) -> None:
    """Draw the attention weights of some answers, the first on top, and frame the relevant steps."""
    rows = int(probe.series["rows"][0] or 0)
    weights, framed = (
        np.array(probe.series[name], dtype=float).reshape(rows, -1) for name in ("map", "relevant")
    )
    at = np.arange(weights.shape[1] + 1) - 0.5, np.arange(rows + 1)
    ax.pcolormesh(*at, weights, cmap="cividis", vmin=0, vmax=1)
    for a, t in np.argwhere(framed == 1):
        ax.add_patch(Rectangle((t - 0.5, a), 1, 1, fill=False, edgecolor="#d55e00", linewidth=0.9))
    ax.invert_yaxis()
    ax.set_yticks([])
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
