"""Common parts of all figures: colours, markers, sizes, labels beside lines, and the conversion to SVG."""

import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, NullLocator, PercentFormatter, StrMethodFormatter

from seqbench.models import MODELS
from seqbench.report.results import find_position
from seqbench.text import html, label
from seqbench.values.variants import strip_options

INK = "#1b1b1b"  # in a page it is replaced by the text colour
PAPER = "#fffffe"  # in a page it is replaced by the background colour
BLUE = "#0072b2"  # a page may replace it by a lighter one
FAINT = "#8c8c8c"
WIDTH = 9.0  # inches
AT_MOST = 6  # lines in a panel


THEMED = {  # the CSS colours that replace them in a page
    INK: "currentColor",
    PAPER: "var(--pst-color-background, #fff)",
    BLUE: f"var(--seqbench-blue, {BLUE})",
}


class Look(NamedTuple):
    """The colour and marker of a model."""

    colour: str
    marker: str | tuple[int, int, int]  # a star is (points, 1, angle)


LOOKS = {
    "rnn": Look(INK, "o"),
    "lstm": Look(BLUE, "s"),
    "lstm_peephole": Look("#56b4e9", "D"),
    "lstm_1997": Look("#cc79a7", "v"),
    "lstm_no_output": Look("#e69f00", "<"),
    "lstm_attention": Look("#d55e00", "*"),
    "bilstm": Look("#56b4e9", ">"),
    "gru": Look("#d55e00", "^"),
    "cnn_lstm": Look("#e69f00", "P"),
    "pixel_lstm": Look(BLUE, "p"),
    "frame_average": Look(INK, "d"),
    "transformer": Look("#009e73", "X"),
    "window_mlp": Look("#cc79a7", "8"),
    "echo_state": Look(INK, "H"),
    "block": Look(BLUE, (4, 1, 0)),
    "mingru": Look("#d55e00", (3, 1, 0)),
    "minlstm": Look(BLUE, (4, 1, 45)),
    "lru": Look("#009e73", (8, 1, 0)),
    "slstm": Look("#e69f00", (3, 1, 180)),
}
USER_DEFINED = Look(FAINT, "h")

SETTINGS: Any = {  # matplotlib has a type of its own for the keys
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "axes.labelsize": 8.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "grid.color": FAINT,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "hatch.color": FAINT,
    "hatch.linewidth": 0.6,
    "svg.fonttype": "none",  # text stays text
}


@contextmanager
def use_style() -> Iterator[None]:
    """Use the Matplotlib settings of all figures within a ``with`` block."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def get_look(model: str) -> Look:
    """Return the colour and marker of a model."""
    return LOOKS.get(strip_options(model), USER_DEFINED)


def panels(names: Sequence[Any], columns: int, height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with one panel per name, all of the same width; unused panels are removed."""
    columns = min(columns, max(1, len(names)))
    rows = -(-len(names) // columns)
    width = WIDTH if columns > 1 else WIDTH * 0.62
    layout = ConstrainedLayoutEngine(wspace=0.04, hspace=0.06)
    figure = Figure(figsize=(width, height * rows), layout=layout)
    axes = figure.subplots(rows, columns, squeeze=False).flatten().tolist()
    for ax in axes[len(names) :]:
        ax.remove()
    return figure, axes[: len(names)]


def sort_names(catalogue: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return the names in the order of a catalogue."""
    return sorted(set(names), key=lambda name: find_position(catalogue, name))


def parts(names: Iterable[str]) -> list[list[str]]:
    """Return the models of each panel: models of video are separate, and no panel has more than ``AT_MOST`` lines."""
    models = sort_names(MODELS, names)
    kinds = [[m for m in models if reads_video(m) == video] for video in (False, True)]
    return [kind[i : i + AT_MOST] for kind in kinds for i in range(0, len(kind), AT_MOST)]


def reads_video(model: str) -> bool:
    """Return whether a built-in model reads video; of another the code may not be here."""
    name = strip_options(model)
    return name in MODELS.builtin and MODELS.facts(name).reads == "video"


def tick_models(ax: Axes, models: Sequence[str]) -> None:
    """Let the x axis of a panel have a place for each model, with its name."""
    names = [label(model) for model in models]
    ax.set_xticks(range(len(models)), names, rotation=30, ha="right", rotation_mode="anchor")


def tick_shares(ax: Axes) -> None:
    """Let the y axis of a panel of shares have ticks at 0, 50 and 100 %."""
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_yticks([0, 0.5, 1])


def tick_plainly(ax: Axes) -> None:
    """Let a logarithmic y axis have ticks at 1, 2 and 5 of each power of ten, written as plain numbers."""
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_locator(NullLocator())


def label_ends(ax: Axes, ends: dict[str, tuple[float, float]], gap: float = 0.085) -> None:
    """Write each model's name right of the end of its line, spread so that no two names touch.

    Parameters
    ----------
    ends
        Where each line ends, in the coordinates of the data.
    gap
        The smallest distance of two names, as a share of the height of the panel.
    """
    to_axes = ax.transData + ax.transAxes.inverted()
    heights = {model: float(to_axes.transform(end)[1]) for model, end in ends.items()}
    ordered = sorted(heights, key=lambda model: (-heights[model], find_position(MODELS, model)))
    spots = space_apart([heights[model] for model in ordered], gap)
    for model, spot in zip(ordered, spots, strict=True):
        colour = get_look(model).colour
        beside: dict[str, Any] = {"fontsize": 7.5, "va": "center", "transform": ax.transAxes}
        ax.text(1.05, spot, label(model), color=colour, **beside)
        leader = {"arrowstyle": "-", "color": colour, "alpha": 0.45, "linewidth": 0.6, "shrinkA": 0}
        line = ax.annotate(
            "",
            xy=ends[model],
            xytext=(1.045, spot),
            textcoords="axes fraction",
            annotation_clip=False,
            arrowprops=leader | {"shrinkB": 4},
        )
        line.set_in_layout(False)


def space_apart(heights: Sequence[float], gap: float) -> list[float]:
    """Return decreasing heights moved apart by at least the gap, as close to the originals as possible."""
    clusters: list[list[float]] = []  # of heights; a cluster is centred on its mean
    for height in heights:
        clusters.append([height])
        while len(clusters) > 1 and bottom(clusters[-2], gap) - top(clusters[-1], gap) < gap:
            last = clusters.pop()
            clusters[-1] += last
    return [top(c, gap) - i * gap for c in clusters for i in range(len(c))]


def top(cluster: Sequence[float], gap: float) -> float:
    """Return the highest spot of a cluster, kept inside the panel."""
    extent = gap * (len(cluster) - 1)
    middle = sum(cluster) / len(cluster)
    return float(np.clip(middle + extent / 2, extent, 1.0)) if extent < 1 else 1.0


def bottom(cluster: Sequence[float], gap: float) -> float:
    """Return the lowest spot of a cluster."""
    return top(cluster, gap) - gap * (len(cluster) - 1)


def write_svg(figure: Figure, name: str, title: str) -> str:
    """Return a figure as an SVG element for a page; the same figure gives the same bytes.

    Text remains text, in the font of the page, and ink has the text colour of the page, so that the figure is readable
    on light and dark backgrounds.

    Parameters
    ----------
    name
        A name that is unique on the page: it salts the ids, which would clash otherwise.
    title
        The text alternative of the figure.
    """
    out = StringIO()
    with use_style(), warnings.catch_warnings():
        # The font of the page has the glyphs that this one may lack.
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")
        mpl.rcParams["svg.hashsalt"] = f"seqbench {name}"
        figure.savefig(
            out,
            format="svg",
            metadata={"Date": None, "Creator": None, "Type": None, "Format": None},
        )
        figure.set_layout_engine("none")  # a second layout would move things a little
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    page_wide = r"<defs>\s*<style.*?</style>\s*</defs>"
    text = re.sub(page_wide, "", text, flags=re.DOTALL)
    tags = r"<[^>]*>"  # the text between tags is left unchanged
    used = set(re.findall(r"(?:href=\"|url\()#([^)\"]+)", "".join(re.findall(tags, text))))
    text = re.sub(tags, lambda m: adapt_to_page(m[0], used), text)
    head = f'<svg role="img" aria-label="{html(title)}" class="seqbench-figure" '
    head += 'style="stroke-linejoin: round; stroke-linecap: butt" '
    return text.replace("<svg ", head, 1)


def adapt_to_page(tag: str, used: Collection[str]) -> str:
    """Return an SVG tag without unused ids and without fonts, in the colours of the page."""
    tag = re.sub(r' id="([^"]+)"', lambda m: m[0] if m[1] in used else "", tag)
    tag = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", tag)
    for colour, themed in THEMED.items():
        tag = tag.replace(colour, themed)
    return tag
