"""How figures are drawn: one place for colours, markers, sizes, direct labels, and for turning them into SVG."""

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

from seqbench.models import MODELS
from seqbench.report.frame import place
from seqbench.text import html, label
from seqbench.values.variants import bare

INK = "#1b1b1b"  # in a page it takes the colour of the text around it
PAPER = "#fffffe"  # in a page, that of its background
BLUE = "#0072b2"  # a page may lighten it
FAINT = "#8c8c8c"
WIDTH = 9.0  # inches
AT_MOST = 6  # lines a panel


THEMED = {  # what a colour becomes in a page
    INK: "currentColor",
    PAPER: "var(--pst-color-background, #fff)",
    BLUE: f"var(--seqbench-blue, {BLUE})",
}


class Look(NamedTuple):
    """How a model is drawn."""

    colour: str
    marker: str


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
}
GUEST = Look(FAINT, "h")

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
def settings() -> Iterator[None]:
    """Hold the settings of all figures."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def look(model: str) -> Look:
    """Return how a model is drawn."""
    return LOOKS.get(bare(model), GUEST)


def panels(names: Sequence[Any], columns: int, height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with a panel a name, all of one width, and the unused ones taken away."""
    columns = min(columns, max(1, len(names)))
    rows = -(-len(names) // columns)
    width = WIDTH if columns > 1 else WIDTH * 0.62
    layout = ConstrainedLayoutEngine(wspace=0.04, hspace=0.06)
    figure = Figure(figsize=(width, height * rows), layout=layout)
    axes = figure.subplots(rows, columns, squeeze=False).flatten().tolist()
    for ax in axes[len(names) :]:
        ax.remove()
    return figure, axes[: len(names)]


def in_order(catalogue: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return the names in the order of a catalogue."""
    return sorted(set(names), key=lambda name: place(catalogue, name))


def parts(names: Iterable[str]) -> list[list[str]]:
    """Return the models panel by panel: those that read video apart, and never too many lines in one."""
    models = in_order(MODELS, names)
    kinds = [[m for m in models if reads_video(m) == video] for video in (False, True)]
    return [kind[i : i + AT_MOST] for kind in kinds for i in range(0, len(kind), AT_MOST)]


def reads_video(model: str) -> bool:
    """Return whether a built-in model reads video; of another the code may not be here."""
    name = bare(model)
    return name in MODELS.builtin and MODELS.facts(name).reads == "video"


def label_ends(ax: Axes, ends: dict[str, tuple[float, float]], gap: float = 0.085) -> None:
    """Write each model's name right of the end of its line, spread so that no two names touch.

    Parameters
    ----------
    ends
        Where each line ends, in the coordinates of the data.
    gap
        The least distance of two names, as a share of the height of the panel.
    """
    to_axes = ax.transData + ax.transAxes.inverted()
    heights = {model: float(to_axes.transform(end)[1]) for model, end in ends.items()}
    ordered = sorted(heights, key=lambda model: (-heights[model], place(MODELS, model)))
    spots = spaced([heights[model] for model in ordered], gap)
    for model, spot in zip(ordered, spots, strict=True):
        colour = look(model).colour
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


def spaced(heights: Sequence[float], gap: float) -> list[float]:
    """Return falling heights moved apart by at least the gap, as near to where they were as that allows."""
    clusters: list[list[float]] = []  # of the heights themselves; a cluster stands around its mean
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


def svg(figure: Figure, name: str, title: str) -> str:
    """Return a figure as an SVG element to stand in a page: same figure, same bytes.

    Its text is text, in the page's own type; its ink takes the colour of the page's text, so that it can be read on
    white and on black.

    Parameters
    ----------
    name
        One a page: it salts the ids, which would clash otherwise.
    title
        What the figure shows, for those who can't see it.
    """
    out = StringIO()
    with settings(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")  # the page's font draws it
        mpl.rcParams["svg.hashsalt"] = f"seqbench {name}"
        figure.savefig(
            out,
            format="svg",
            metadata={"Date": None, "Creator": None, "Type": None, "Format": None},
        )
        figure.set_layout_engine("none")  # laying out again would move things a little
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    page_wide = r"<defs>\s*<style.*?</style>\s*</defs>"
    text = re.sub(page_wide, "", text, flags=re.DOTALL)
    tags = r"<[^>]*>"  # what stands between them is text, and stays as it is
    used = set(re.findall(r"(?:href=\"|url\()#([^)\"]+)", "".join(re.findall(tags, text))))
    text = re.sub(tags, lambda m: for_a_page(m[0], used), text)
    head = f'<svg role="img" aria-label="{html(title)}" class="seqbench-figure" '
    head += 'style="stroke-linejoin: round; stroke-linecap: butt" '
    return text.replace("<svg ", head, 1)


def for_a_page(tag: str, used: Collection[str]) -> str:
    """Return a tag of SVG with ids that are used only, without a font of its own, in the colours of the page."""
    tag = re.sub(r' id="([^"]+)"', lambda m: m[0] if m[1] in used else "", tag)
    tag = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", tag)
    for colour, themed in THEMED.items():
        tag = tag.replace(colour, themed)
    return tag
