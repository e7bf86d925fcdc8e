import re
import xml.etree.ElementTree as ET
from itertools import chain, pairwise

import pytest
from made import throughput
from matplotlib.figure import Figure

from seqbench.models import MODELS
from seqbench.report.drawing import AT_MOST, LOOKS, parts, space_apart, write_svg
from seqbench.report.figures.runs import (
    plot_heat_map,
    plot_learning_curves,
    plot_scores,
    plot_solve_rate,
    plot_steps_to_solve,
)
from seqbench.report.figures.throughput import plot_scans, plot_throughput
from seqbench.report.results import Results, make_frame

from .conftest import record


@pytest.fixture
def drawn(store):
    """Return every figure, made anew at each call. Warnings are errors, so a figure that warns fails here."""
    runs = make_frame(Results.read(store).reporting)

    def draw() -> dict[str, Figure]:
        return {
            "all rates": plot_solve_rate(runs),
            "rates": plot_solve_rate(runs, "adding"),
            "scores": plot_scores(runs, "adding"),
            "curves": plot_learning_curves(runs, "adding"),
            "steps": plot_steps_to_solve(runs, "adding"),
            "map": plot_heat_map(Results.read(store).table("T1").frame),
            "times": plot_throughput(Results.read(store).table("T2").frame),
        }

    return draw


def test_every_figure_is_drawn_and_drawn_alike(drawn):
    first, second = (
        {n: write_svg(f, n, f"title of {n}") for n, f in drawn().items()} for _ in range(2)
    )
    assert first == second
    for name, text in first.items():
        root = ET.fromstring(text)  # well-formed
        assert root.attrib["aria-label"] == f"title of {name}"
        assert "date" not in text
        assert not re.search(r"<style|<script|https?://(?!www\.w3\.org/)", text)


def test_ids_are_of_one_figure_only(drawn):
    ids = [set(re.findall(r' id="([^"]+)"', write_svg(f, n, n))) for n, f in drawn().items()]
    assert sum(map(len, ids)) == len(set.union(*ids))


def test_the_ink_is_that_of_the_page(drawn):
    text = write_svg(drawn()["rates"], "rates", "rates")
    assert "currentColor" in text
    assert LOOKS["rnn"].colour not in text


def test_no_line_is_a_mean_and_every_seed_is_seen(drawn):
    found = drawn()
    lines = [line for ax in found["curves"].axes for line in ax.lines if len(line.get_xdata()) > 2]
    assert len(lines) == 7  # one a run; the one that failed was never validated
    points = [
        line for ax in found["scores"].axes for line in ax.lines if len(line.get_xdata()) == 1
    ]
    assert len(points) == 8
    assert sum(line.get_marker() == "x" for line in points) == 2  # diverged and failed


def test_a_run_that_diverged_early_is_drawn_as_unsolved_to_the_end(make_store):
    """It is one of two that never solve, though at the end nobody else is left."""
    two = [record(seed=0, score=0.95, at=300), record(seed=1, verdict="diverged", end=100)]
    runs = make_frame(Results.read(make_store(two)).reporting)
    (ax,) = plot_steps_to_solve(runs, "adding").axes
    (line,) = ax.lines
    assert line.get_xdata().tolist() == [0, 300, 500]
    assert line.get_ydata().tolist() == [1, 0.5, 0.5]


def test_a_model_is_drawn_by_its_fastest_scan(make_store):
    times = {
        (50, "native"): 3e-6,
        (50, "reference"): 2e-6,
        (100, "native"): 4e-6,
        (100, "reference"): 5e-6,
    }
    rows = [
        throughput(length=length, scan=scan, seconds_per_token=s, quartiles=(s, s), phase=phase)
        for (length, scan), s in times.items()
        for phase in ("training", "streaming")
    ]
    figure = plot_throughput(Results.read(make_store(step_times=rows)).table("T2").frame)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["training", "streaming"]
    for ax in figure.axes:
        drawn = ax.containers[0].lines[0]
        assert drawn.get_xdata().tolist() == [50, 100]
        assert drawn.get_ydata().tolist() == [2, 4]


def test_a_scan_is_drawn_over_the_loop(make_store):
    times = {"native": 3e-6, "ensemble": 1e-6, "reference": 2e-6}
    rows = [
        throughput(scan=scan, length=length, members=members, seconds_per_token=s, quartiles=(s, s))
        for scan, s in times.items()
        for length in (50, 100)
        for members in (1, 3)
    ]
    rows.append(throughput(model="gru", scan="native"))  # whose loop was not timed
    figure = plot_scans(Results.read(make_store(step_times=rows)).table("T2").frame)
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        "training, E = 1",
        "training, E = 3",
    ]
    for ax in figure.axes:
        drawn = [points.get_offsets().tolist() for points in ax.collections]
        assert drawn == [[[0, 1.5], [0, 1.5]], [[0, 0.5], [0, 0.5]], []]  # native, ensemble, fused
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["native", "ensemble"]
    write_svg(figure, "scans", "scans")  # without a warning


def test_every_scan_has_a_marker():
    from seqbench.scan import SCANS

    assert set(SCANS) - {"reference"} <= set(SCANS)


def test_widths_that_were_given_have_panels_of_their_own(make_store):
    rows = [throughput(hidden=hidden, sizes={"hidden": hidden or 14}) for hidden in (None, 8, 64)]
    figure = plot_throughput(Results.read(make_store(step_times=rows)).table("T2").frame)
    labels = [ax.get_ylabel().partition("E = 3")[2] for ax in figure.axes]
    assert labels == ["", ", H = 8", ", H = 64"]


def test_the_map_has_the_counts_and_says_what_is_missing(drawn):
    (ax, _) = drawn()["map"].axes
    texts = [text.get_text() for text in ax.texts]
    assert texts.count("1/2") == 2
    assert texts.count("2/2") == texts.count("0/2") == texts.count("missing") == 1
    assert sum(patch.get_hatch() is not None for patch in ax.patches) == 4


def test_every_model_has_a_look_of_its_own():
    assert set(LOOKS) == set(MODELS.builtin)
    assert len({look.marker for look in LOOKS.values()}) == len(LOOKS)


def test_models_of_one_panel_have_colours_of_their_own():
    for panel in parts(MODELS.builtin):
        assert len({LOOKS[model].colour for model in panel}) == len(panel)


def test_panels_hold_few_lines_and_video_apart():
    assert parts(["cnn_lstm", "lstm", "rnn"]) == [["rnn", "lstm"], ["cnn_lstm"]]
    assert max(map(len, parts([*MODELS.builtin, "a", "b"]))) <= AT_MOST
    assert sorted(chain(*parts(["a", *MODELS.builtin]))) == sorted(["a", *MODELS.builtin])


def test_labels_keep_their_distance():
    assert space_apart([0.9, 0.5, 0.1], 0.1) == pytest.approx([0.9, 0.5, 0.1])
    assert space_apart([0.5, 0.5], 0.1) == pytest.approx([0.55, 0.45])
    assert space_apart([1.0, 1.0, 1.0], 0.1) == pytest.approx([1.0, 0.9, 0.8])
    assert space_apart([0.0, 0.0], 0.1) == pytest.approx([0.1, 0.0])
    for heights in ([1.0, 0.99, 0.5, 0.49, 0.48, 0.0], [0.2, 0.15, 0.14, 0.01, 0.0, 0.0]):
        spots = space_apart(heights, 0.085)
        assert all(a - b >= 0.085 - 1e-9 for a, b in pairwise(spots))
