"""Figures of step times, from table T2."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from seqbench.models import MODELS
from seqbench.report.drawing import (
    INK,
    get_look,
    label_ends,
    panels,
    parts,
    sort_names,
    tick_models,
    tick_plainly,
    use_style,
)

SCANS = {"native": "s", "ensemble": "o", "fused": "^"}  # markers; the loop is a horizontal line


def plot_throughput(steps: pd.DataFrame) -> Figure:
    """Return the time per token against the length, from table T2: one line per model, by its fastest scan.

    A row of panels has one batch size, number of members and width; a column has one phase. All panels share one scale.
    """
    phases = list(dict.fromkeys(steps["phase"]))
    given = steps["hidden"].where(steps["width"] == "given", 0)
    drawn = [
        (kind, models, rows)
        for kind, rows in steps.groupby(["batch", "members", given, "precision"], sort=True)
        for models in parts(rows["model"])
    ]
    times = steps["microseconds_per_token"]
    with use_style():
        figure, axes = panels(drawn * len(phases), len(phases), 2.5)
        grid = np.array(axes).reshape(len(drawn), len(phases))
        for line, ((batch, members, hidden, precision), models, rows) in zip(
            grid, drawn, strict=True
        ):
            more = f", H = {hidden:.0f}" if hidden else ""
            more += f", {precision}" if precision != "float32" else ""
            line[0].set_ylabel(f"µs a token;  B = {batch}, E = {members}{more}")
            for ax, phase in zip(line, phases, strict=True):
                ax.set_title(phase)
                ax.set_yscale("log")
                ax.set_ylim(times.min() / 1.3, times.max() * 1.3)
                draw_times(ax, rows[rows["phase"] == phase], models)
        figure.supxlabel("length T", fontsize=8.5)
    return figure


def select_fastest(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the fastest scan at each length."""
    best = rows.groupby("length")["microseconds_per_token"].idxmin()
    return rows.loc[best].sort_values("length")


def draw_times(ax: Axes, rows: pd.DataFrame, models: Sequence[str]) -> None:
    """Draw the median times of one panel, with their quartiles."""
    ax.set_xscale("log")
    ends = {}
    for model in models:
        line = select_fastest(rows[rows["model"] == model])
        if line.empty:
            continue
        middle = line["microseconds_per_token"]
        low, high = line["microseconds_per_token_q1"], line["microseconds_per_token_q3"]
        ax.errorbar(
            line["length"],
            middle,
            yerr=np.array([middle - low, high - middle]).clip(min=0),
            color=get_look(model).colour,
            marker=get_look(model).marker,
            elinewidth=0.8,
            markeredgewidth=0,
        )
        ends[model] = (float(line["length"].iloc[-1]), float(middle.iloc[-1]))
    lengths = sorted(set(rows["length"]))
    ax.set_xticks(lengths, [str(length) for length in lengths])
    ax.xaxis.set_minor_locator(NullLocator())
    tick_plainly(ax)
    label_ends(ax, ends)


def compare_to_reference(steps: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the other scans with the ratio of their time to that of the loop, where both were timed."""
    same = [
        "phase",
        "device",
        "model",
        "length",
        "batch",
        "members",
        "hidden",
        "precision",
        "system",
    ]
    loop = steps[steps["scan"] == "reference"][[*same, "microseconds_per_token"]]
    others = steps[steps["scan"] != "reference"]
    found = others.merge(loop, on=same, suffixes=("", "_reference"))
    ratio = found["microseconds_per_token"] / found["microseconds_per_token_reference"]
    return found.assign(ratio=ratio)


def plot_scans(steps: pd.DataFrame) -> Figure:
    """Return the time of each scan over that of the loop, from table T2: one panel per phase and number of members."""
    found = compare_to_reference(steps)
    drawn = list(found.groupby(["phase", "members", "precision"], sort=False))
    models = sort_names(MODELS, found["model"])
    with use_style():
        figure, axes = panels(drawn, 2, 2.5)
        for ax, ((phase, members, precision), rows) in zip(axes, drawn, strict=True):
            ax.set_yscale("log")
            ax.set_ylim(found["ratio"].min() / 1.3, max(1, found["ratio"].max()) * 1.3)
            ax.axhline(1, color=INK, linewidth=0.9, linestyle=":")
            kind = f", {precision}" if precision != "float32" else ""
            ax.set_title(f"{phase}, E = {members}{kind}")
            for scan, marker in SCANS.items():
                part = rows[rows["scan"] == scan]
                at = [models.index(model) for model in part["model"]]
                colours = [get_look(model).colour for model in part["model"]]
                ax.scatter(at, part["ratio"], s=20, c=colours, marker=marker)
            tick_models(ax, models)
            ax.set_xlim(-0.5, len(models) - 0.5)
            tick_plainly(ax)
        keys = [
            Line2D([], [], color=INK, marker=SCANS[scan], linestyle="", label=scan)
            for scan in SCANS
            if scan in set(found["scan"])
        ]
        figure.legend(handles=keys, loc="outside upper right", ncols=len(keys), frameon=False)
        figure.supylabel("time / time of the loop", fontsize=8.5)
    return figure
