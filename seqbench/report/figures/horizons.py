"""Figures of ladders: horizons as intervals, and what trained models hold beyond the lag of their training."""

from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import NullLocator

from seqbench.models import MODELS
from seqbench.report.drawing import (
    PAPER,
    get_look,
    label_ends,
    panels,
    parts,
    sort_names,
    tick_shares,
    use_style,
)
from seqbench.text import label
from seqbench.values.variants import strip_options

NARROW = 4.8  # inches: text stays readable where the page is as narrow as a telephone
LINE = 0.21  # inches a model
SHIFT = 1.02  # between models, so that equal shares remain visible


def plot_horizons(found: pd.DataFrame) -> Figure:
    """Return the interval of every horizon, one panel a ladder, one line a model.

    A line goes from the last rung passed (the marker) to the first failed (the bar). It has an arrow to the right where
    no rung was failed, and to the left where none was passed.

    Parameters
    ----------
    found
        The frame of table T15.
    """
    ladders = list(dict.fromkeys(found["ladder"]))
    rows = {ladder: found[found["ladder"] == ladder] for ladder in ladders}
    heights = [LINE * len(rows[ladder]) + 0.35 for ladder in ladders]
    with use_style():
        mpl.rcParams["axes.grid.axis"] = "x"
        figure = Figure(
            figsize=(NARROW, sum(heights) + 0.35 * len(ladders)),
            layout=ConstrainedLayoutEngine(hspace=0.03),
        )
        grid = figure.subplots(len(ladders), 1, squeeze=False, height_ratios=heights).flatten()
        for ax, ladder in zip(grid, ladders, strict=True):
            draw_ladder(ax, rows[ladder])
            first = rows[ladder].iloc[0]
            ax.set_title(label(f"{ladder}: {first['knob']}, {first['unit_of_knob']}"))
    return figure


def draw_ladder(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw the horizons on one ladder, the first model at the top."""
    models = sort_names(MODELS, rows["model"])
    ends = [end for name in ("passed", "failed") for end in rows[name].dropna()] or [1.0]
    low, high = min(ends) / 1.6, max(ends) * 1.6
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ax.set_ylim(len(models) - 0.4, -0.6)
    for _, row in rows.iterrows():
        draw_horizon(ax, models.index(row["model"]), row, low, high)
    ticks = sorted(set(ends))
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_yticks(range(len(models)), [label(model) for model in models])
    ax.tick_params(axis="y", length=0)


def draw_horizon(ax: Axes, at: int, row: pd.Series, low: float, high: float) -> None:
    """Draw one horizon as a line between its ends; nothing where neither end is known."""
    passed, failed = row["passed"], row["failed"]
    if pd.isna(passed) and pd.isna(failed):
        return
    look = get_look(row["model"])
    start, end = low if pd.isna(passed) else passed, high if pd.isna(failed) else failed
    ax.plot([start, end], [at, at], color=look.colour, solid_capstyle="butt")
    plain: dict[str, Any] = {"color": look.colour, "linestyle": "", "clip_on": False}
    if pd.isna(passed):
        ax.plot(start, at, marker="<", **plain)
    else:
        face = PAPER if is_variant(row["model"]) else look.colour
        ax.plot(start, at, marker=look.marker, markerfacecolor=face, **plain)
    ax.plot(end, at, marker=">" if pd.isna(failed) else "|", markersize=7, **plain)


def is_variant(model: str) -> bool:
    """Return whether a model has options: it is drawn hollow, or dashed, in the colour of the model without them."""
    return strip_options(model) != model


def select_last_solved(found: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of T17 at the highest rung of each ladder and model."""
    return found[found["rung"] == found.groupby(["ladder", "model"])["rung"].transform("max")]


def plot_retention(found: pd.DataFrame) -> Figure:
    """Return the share of solved runs that still solve at a multiple of their lag, by model, at its highest rung.

    Parameters
    ----------
    found
        The frame of table T17.
    """
    rows = select_last_solved(found[found["factor"].notna()])
    ladders = list(dict.fromkeys(rows["ladder"]))
    by_ladder = {ladder: rows[rows["ladder"] == ladder] for ladder in ladders}
    drawn = [(ladder, models) for ladder in ladders for models in parts(by_ladder[ladder]["model"])]
    with use_style():
        figure, axes = panels(drawn, 1, 2.3)
        for ax, (ladder, models) in zip(axes, drawn, strict=True):
            draw_retention(ax, by_ladder[ladder], models)
            ax.set_title(label(ladder))
        figure.supxlabel("lag of the test / lag of the training", fontsize=8.5)
        figure.supylabel("share of solved runs that still solve", fontsize=8.5)
    return figure


def draw_retention(ax: Axes, rows: pd.DataFrame, models: list[str]) -> None:
    """Draw the share that still solves of one ladder; at the lag of the training all do."""
    factors = sorted({1, *rows["factor"]})
    ax.set_xscale("log")
    ax.set_ylim(-0.04, 1.04)
    ends = {}
    for i, model in enumerate(models):
        own = rows[rows["model"] == model].sort_values("factor")
        shift = SHIFT ** (i - (len(models) - 1) / 2)
        x = [factor * shift for factor in (1.0, *own["factor"].astype(float))]
        y = [1.0, *(own["held"] / own["solved"])]
        look = get_look(model)
        ax.plot(
            x,
            y,
            color=look.colour,
            marker=look.marker,
            linestyle="--" if is_variant(model) else "-",
            markeredgewidth=0,
            clip_on=False,
        )
        ends[model] = (x[-1], y[-1])
    ax.set_xticks(factors, [f"{factor:g}" for factor in factors])
    ax.xaxis.set_minor_locator(NullLocator())
    tick_shares(ax)
    label_ends(ax, ends)
