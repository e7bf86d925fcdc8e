"""Figures of runs: solve rate against lag, every seed's score, learning curves, and steps to solve.

The frames that they are drawn from have a row for each run that is reported (``Results.reporting``).
"""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter

from seqbench.models import MODELS
from seqbench.report import stats
from seqbench.report.drawing import (
    INK,
    PAPER,
    WIDTH,
    Look,
    get_look,
    label_ends,
    panels,
    parts,
    sort_names,
    tick_models,
    tick_shares,
    use_style,
)
from seqbench.report.horizons import BEYOND
from seqbench.tasks import TASKS
from seqbench.text import label

# What the heat map says of a condition without runs, by its status in T1.
WORDS: dict[str, str] = {"missing": "missing", BEYOND: "beyond"}


def spell_lag(task: str, lag: int) -> str:
    """Return the lag of a task in words: ``delay of 50 steps``."""
    return label(TASKS.knob(task).spell(lag))


def compute_solve_rates(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the solve rate of each task, lag and model, with its interval."""
    rows = []
    for key, group in runs.groupby(["task", "lag", "model"], sort=False):
        rows.append((*key, *stats.wilson(int(group["solved"].sum()), len(group))))
    return pd.DataFrame(rows, columns=["task", "lag", "model", "rate", "low", "high"])


def plot_solve_rate(runs: pd.DataFrame, task: str | None = None) -> Figure:
    """Return the solve rate against the lag with Wilson's intervals, one panel per task."""
    found = compute_solve_rates(runs if task is None else runs[runs["task"] == task])
    names = sort_names(TASKS, found["task"])
    by_task = {name: found[found["task"] == name] for name in names}
    drawn = [(name, models) for name in names for models in parts(by_task[name]["model"])]
    columns = 3 if task is None else 1
    with use_style():
        figure, axes = panels(drawn, columns, 1.9 if task is None else 2.9)
        for ax, (name, models) in zip(axes, drawn, strict=True):
            draw_rates(ax, by_task[name], models)
            ax.set_title(label(name))
            ax.set_xlabel(label(TASKS.knob(name).label))
        for ax in axes[::columns]:
            ax.set_ylabel("share of seeds solved")
    return figure


def draw_rates(ax: Axes, found: pd.DataFrame, models: Sequence[str]) -> None:
    """Draw the solve rates of one task; models are shifted slightly so that equal rates remain visible."""
    lags = sorted(set(found["lag"]))
    shift = [max(lag, 1) for lag in lags]  # on the logarithmic axis a lag of 0 is drawn at 1
    step = 1.035 if len(lags) > 1 else 1.02
    ax.set_xscale("log")
    ax.set_ylim(-0.04, 1.04)
    reach = (shift[-1] / shift[0]) ** 0.1 if len(lags) > 1 else 1.15
    ax.set_xlim(shift[0] / reach, shift[-1] * reach)
    ends = {}
    for i, model in enumerate(models):
        rows = found[found["model"] == model].sort_values("lag")
        x = np.array([max(lag, 1) for lag in rows["lag"]]) * step ** (i - (len(models) - 1) / 2)
        reaches = [rows["rate"] - rows["low"], rows["high"] - rows["rate"]]
        ax.errorbar(
            x,
            rows["rate"],
            yerr=np.array(reaches).clip(min=0),
            color=get_look(model).colour,
            marker=get_look(model).marker,
            elinewidth=0.7,
            markeredgewidth=0,
            clip_on=False,
        )
        ends[model] = (float(x[-1]), float(rows["rate"].iloc[-1]))
    ax.xaxis.set_major_locator(FixedLocator(shift))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(shift, [str(lag) for lag in lags])
    tick_shares(ax)
    label_ends(ax, ends)


def plot_scores(runs: pd.DataFrame, task: str) -> Figure:
    """Return every seed's test score with chance and threshold, one panel per lag; a run without a score is a cross."""
    found = select_task(runs, task)
    lags = sorted(set(found["lag"]))
    models = sort_names(MODELS, found["model"])
    with use_style():
        figure, axes = panels(lags, 3, 2.9)
        for ax, lag in zip(axes, lags, strict=True):
            at_lag = found[found["lag"] == lag]
            for i, model in enumerate(models):
                draw_scores(ax, i, at_lag[at_lag["model"] == model], get_look(model))
            for name, style in (("chance", ":"), ("threshold", "--")):
                level = float(at_lag[name].iloc[0])
                ax.axhline(level, color=INK, linewidth=0.9, linestyle=style)
                ax.annotate(
                    name,
                    (1.01, level),
                    xycoords=("axes fraction", "data"),
                    fontsize=7.5,
                    va="center",
                    annotation_clip=False,
                )
            ax.set_title(spell_lag(task, lag))
            tick_models(ax, models)
            ax.set_xlim(-0.6, len(models) - 0.4)
            ax.margins(y=0.08)
        axes[0].set_ylabel(label(found["measure"].iloc[0]))
    return figure


def draw_scores(ax: Axes, at: int, rows: pd.DataFrame, style: Look) -> None:
    """Draw the scores of the seeds of one condition side by side, in their order."""
    spread = np.linspace(-0.22, 0.22, len(rows)) if len(rows) > 1 else np.zeros(len(rows))
    for dx, (_, row) in zip(spread, rows.sort_values("seed").iterrows(), strict=True):
        if pd.notna(row["score"]):
            ax.plot(
                at + dx,
                row["score"],
                marker=style.marker,
                ls="",
                color=style.colour,
                markeredgewidth=0,
            )
        else:
            height = 0.02 if row["higher_is_better"] else 0.98
            axis = ax.get_xaxis_transform()
            ax.plot(at + dx, height, "x", color=style.colour, transform=axis, clip_on=False)


def plot_learning_curves(runs: pd.DataFrame, task: str) -> Figure:
    """Return the validation score against the steps: one panel per lag and model, one thin line per seed."""
    found = select_task(runs, task)
    lags, models = sorted(set(found["lag"])), sort_names(MODELS, found["model"])
    width = WIDTH if len(models) > 1 else WIDTH * 0.62
    with use_style():
        figure = Figure(figsize=(width, 1.75 * len(lags) + 0.2), layout="constrained")
        grid = figure.subplots(len(lags), len(models), squeeze=False, sharex=True, sharey=True)
        for line, lag in zip(grid, lags, strict=True):
            for ax, model in zip(line, models, strict=True):
                condition = found[(found["lag"] == lag) & (found["model"] == model)]
                for _, row in condition.iterrows():
                    scores = [np.nan if s is None else s for s in row["curve_score"]]
                    ax.plot(row["curve_step"], scores, color=get_look(model).colour, linewidth=0.9)
                for name, style in (("chance", ":"), ("threshold", "--")):
                    level = float(found[found["lag"] == lag][name].iloc[0])
                    ax.axhline(level, color=INK, linewidth=0.8, linestyle=style)
                if lag == lags[0]:
                    ax.set_title(label(model), color=get_look(model).colour)
            where = {"rotation": -90, "va": "center", "transform": line[-1].transAxes}
            line[-1].text(1.06, 0.5, spell_lag(task, lag), weight="bold", **where)
        figure.supxlabel("training steps", fontsize=8.5)
        figure.supylabel(label(found["measure"].iloc[0]), fontsize=8.5)
    return figure


def plot_steps_to_solve(runs: pd.DataFrame, task: str) -> Figure:
    """Return the share of seeds not yet solved against the steps: one panel per lag, one line per model."""
    found = select_task(runs, task)
    by_lag = {lag: found[found["lag"] == lag] for lag in sorted(set(found["lag"]))}
    drawn = [(lag, models) for lag, rows in by_lag.items() for models in parts(rows["model"])]
    with use_style():
        figure, axes = panels(drawn, 2, 2.5)
        for ax, (lag, models) in zip(axes, drawn, strict=True):
            draw_survival(ax, by_lag[lag], models)
            ax.set_title(spell_lag(task, lag))
        axes[0].set_ylabel("share of seeds not yet solved")
    return figure


def draw_survival(ax: Axes, found: pd.DataFrame, models: Sequence[str]) -> None:
    """Draw the survival curves of one lag."""
    budget = int(found["budget"].max())
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlim(0, budget)
    ends = {}
    for model in models:
        rows = found[found["model"] == model]
        solved = rows[rows["solved"]]
        at = solved["steps_to_solve"].fillna(solved["steps"]).astype(int).tolist()
        steps, share = stats.survival(at, rows[~rows["solved"]]["budget"].tolist())
        x, y = [0, *steps, budget], [1.0, *share, share[-1] if share else 1.0]
        ax.step(
            x,
            y,
            where="post",
            color=get_look(model).colour,
            marker=get_look(model).marker,
            markevery=list(range(1, len(x) - 1)),
            markeredgewidth=0,
            clip_on=False,
        )
        ends[model] = (float(x[-1]), y[-1])
    ax.set_xlabel("training steps")
    tick_shares(ax)
    label_ends(ax, ends)


def plot_heat_map(accuracy: pd.DataFrame) -> Figure:
    """Return the solve rates of table T1 as a heat map, with k/S in each entry.

    Parameters
    ----------
    accuracy
        The frame of table T1, which also lists what is missing or not applicable.
    """
    tasks = sort_names(TASKS, accuracy["task"])
    lines = [(t, lag) for t in tasks for lag in sorted(set(accuracy[accuracy["task"] == t]["lag"]))]
    models = sort_names(MODELS, accuracy["model"])
    keys = ["task", "lag", "model"]
    conditions = accuracy.drop_duplicates(keys, keep="last").set_index(keys)
    shape = (len(lines), len(models))
    grid = pd.MultiIndex.from_tuples([(*line, model) for line in lines for model in models])
    conditions = conditions.reindex(grid)
    rates = conditions["solve_rate"].to_numpy(float).reshape(shape)
    status = conditions["status"].to_numpy().reshape(shape)
    counts = [
        f"{k:.0f}/{n:.0f}" if pd.notna(k) else ""
        for k, n in zip(conditions["solved"], conditions["runs"], strict=True)
    ]
    with use_style():
        mpl.rcParams["axes.grid"] = False
        size = (min(WIDTH, 1.8 + 0.95 * len(models)), 0.7 + 0.29 * len(lines))
        figure = Figure(figsize=size, layout="constrained")
        ax = figure.subplots()
        sns.heatmap(
            rates,
            ax=ax,
            annot=np.array(counts).reshape(shape),
            fmt="",
            cmap="cividis",
            vmin=0,
            vmax=1,
            linewidths=1.5,
            linecolor=PAPER,
            annot_kws={"fontsize": 8.5},
            cbar_kws={
                "label": "share of seeds solved",
                "shrink": 0.6,
                "format": PercentFormatter(1.0),
            },
            xticklabels=[label(model) for model in models],
            yticklabels=[label(f"{task}  {lag}") for task, lag in lines],
        )
        for text in ax.texts:  # seaborn chooses white where it is hard to read
            i, j = int(text.get_position()[1]), int(text.get_position()[0])
            text.set_color("#f4f4f4" if rates[i, j] < 0.5 else "#0b0b0b")
        for i, j in np.ndindex(shape):
            if (why := str(status[i, j])) in WORDS:
                word = ax.text(j + 0.5, i + 0.5, WORDS[why], ha="center", va="center")
                word.set(fontsize=7.5, fontstyle="italic")
            elif np.isnan(rates[i, j]):
                corner = (j + 0.04, i + 0.04)
                ax.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, hatch="////", linewidth=0))
        ax.tick_params(length=0)
        ax.tick_params(axis="y", rotation=0)
        ax.xaxis.tick_top()
    return figure


def select_task(runs: pd.DataFrame, task: str) -> pd.DataFrame:
    """Return the runs of a task."""
    return runs[runs["task"] == task]
