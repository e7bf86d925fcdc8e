"""T8 and T9, by hand."""

import made
import pytest

from seqbench.records.schema import Curve
from seqbench.report.results import Results
from seqbench.report.stats import zero_event_bound


def runs(task, model, at, **unit):
    """Return the runs of a cell, solved at these steps; None: not."""
    unit = made.UNIT.model_copy(update={"task": task, "model": model, **unit})
    bad = {"verdict": "not_solved", "score": 0.1, "steps_to_solve": None}
    curve = Curve(step=[20, 40, 60, 80], loss=[0.1] * 4, score=[0.5] * 4)
    return [
        made.record(seed, unit=unit, curve=curve, **(bad if step is None else {"steps_to_solve": step}))
        for seed, step in enumerate(at)
    ]  # fmt: skip


@pytest.fixture
def results(make_store):
    def read(*cells):
        return Results.read(make_store([r for cell in cells for r in cell], []))

    return read


def diverged(seed, task, model):
    """Return a run that ended early and without a score."""
    unit = made.UNIT.model_copy(update={"task": task, "model": model})
    bad = {"verdict": "diverged", "score": None, "test_loss": None, "steps_to_solve": None}
    curve = Curve(step=[20], loss=[None], score=[None])
    return made.record(seed, unit=unit, curve=curve, steps=20, **bad)


TWO = [
    runs("adding", "lstm", [20, 40, 40]),
    runs("adding", "gru", [None, 60, None]),
    runs("copy", "lstm", [20, 20, 20]),
    runs("copy", "gru", [20, 20, 20]),
]


def test_models_over_all_tasks_by_hand(results):
    rows = {row["model"]: row for row in results(*TWO).table("T8").values}
    assert list(rows) == ["lstm", "gru"]  # as in the catalogue
    lstm, gru = rows.values()
    assert (lstm["cells"], lstm["runs"], lstm["solve_rate"]) == (2, 6, 1)
    assert lstm["solve_rate_low"] == pytest.approx(1 - zero_event_bound(6), abs=1e-3)
    assert (lstm["half"], lstm["all"]) == (1, 1)
    assert gru["solve_rate"] == 0.667
    assert (gru["half"], gru["all"]) == (0.5, 0.5)
    assert (gru["over_tasks_low"], gru["over_tasks_high"], gru["wider"]) == (0.333, 1, "over seeds")


def test_the_interval_over_tasks_takes_the_lags_of_a_task_together(results):
    rows = results(
        *TWO, runs("adding", "lstm", [20] * 3, lag=9), runs("adding", "gru", [None] * 3, lag=9)
    )
    gru = rows.table("T8").values[1]
    assert gru["solve_rate"] == pytest.approx((1 / 3 + 0 + 1) / 3, abs=1e-3)
    assert (gru["over_tasks_low"], gru["over_tasks_high"]) == (0.167, 1)


def test_editions_of_earlier_forms_have_one_interval(make_store):
    records = [r for cell in TWO for r in cell]
    for form, there in ((2, False), (3, True)):
        store = make_store(records, [], name=f"form{form}", edition="2025.1", form=form)
        names = [column.name for column in Results.read(store).table("T8").columns]
        assert ("over_tasks_low" in names) == there


def test_pairs_by_hand(results):
    whole, adding, copy = results(*TWO).table("T9").values
    assert [row["task"] for row in (whole, adding, copy)] == ["all", "adding", "copy"]
    assert (whole["lag"], adding["lag"]) == (None, 8)
    assert (whole["model"], whole["other"]) == ("lstm", "gru")
    assert (adding["solved"], adding["runs"], adding["other_solved"]) == (3, 3, 1)
    assert (adding["difference"], whole["difference"]) == (0.667, 0.333)
    assert adding["difference_low"] < 0 < adding["difference_high"]
    assert adding["improvement"] == 1  # every solved run was earlier
    assert (copy["p"], copy["p_holm"], copy["improvement"]) == (1, 1, 0.5)
    assert whole["improvement"] == 0.75
    # given t = 4 of 6 in adding, 3/3 against 1/3 or the mirror image: 2 · 3 of 15 ways
    assert whole["p"] == pytest.approx(6 / 15)


def test_holm_is_over_the_pairs_of_a_cell(results):
    cells = [
        runs("adding", m, [20] * 9 if m == "lstm" else [None] * 9) for m in ("rnn", "lstm", "gru")
    ]
    rows = [row for row in results(*cells).table("T9").values if row["task"] == "adding"]
    assert len(rows) == 3
    by_pair = {(row["model"], row["other"]): row for row in rows}
    assert by_pair["rnn", "lstm"]["p_holm"] == pytest.approx(
        3 * by_pair["rnn", "lstm"]["p"], rel=0.1
    )
    assert by_pair["rnn", "gru"]["p_holm"] == 1


def test_what_a_model_was_not_measured_in_counts_for_nobody(results):
    more = runs("latch", "lstm", [None] * 3)  # the GRU has none
    rows = {row["model"]: row for row in results(*TWO, more).table("T8").values}
    assert (rows["lstm"]["cells"], rows["lstm"]["solve_rate"]) == (2, 1)
    assert len(results(*TWO, more).table("T9").rows) == 3


def test_a_run_that_diverged_is_a_run_that_did_not_solve(results):
    half = [*runs("adding", "rnn", [20]), diverged(1, "adding", "rnn")]
    read = results(half, runs("adding", "lstm", [20, 20]))
    rnn, lstm = read.table("T8").values
    assert (rnn["model"], rnn["runs"], rnn["solve_rate"], rnn["all"]) == ("rnn", 2, 0.5, 0)
    assert (lstm["model"], lstm["runs"], lstm["solve_rate"]) == ("lstm", 2, 1)
    for pair in read.table("T9").values:  # over all cells, and in the one
        assert (pair["model"], pair["solved"], pair["runs"]) == ("rnn", 1, 2)
        assert (pair["other"], pair["other_solved"], pair["other_runs"]) == ("lstm", 2, 2)
        assert pair["difference"] == -0.5


def test_video_is_a_block_of_its_own_and_never_0(results):
    rows = results(*TWO, runs("moving-shapes", "cnn_lstm", [20] * 3)).table("T8").values
    assert {row["model"]: row["block"] for row in rows} == {"lstm": 1, "gru": 1, "cnn_lstm": 2}
    assert {row["model"]: row["cells"] for row in rows}["cnn_lstm"] == 1


def test_a_model_with_too_few_cells_is_not_applicable(results):
    tasks = ("latch", "parity", "recall")
    more = [runs(task, model, [20] * 3) for task in tasks for model in ("lstm", "gru")]
    table = results(*TWO, *more, runs("adding", "rnn", [20] * 3)).table("T8")
    rows = {row["model"]: row for row in table.values}
    assert (rows["rnn"]["status"], rows["rnn"]["solve_rate"]) == ("N/A", None)
    assert rows["lstm"]["cells"] == 5
    assert "N/A" in table.html()


def test_models_without_a_common_cell_are_not_applicable(results):
    places = {"rnn": "adding", "lstm": "copy", "gru": "latch"}
    chain = [runs("parity", "rnn", [20]), runs("parity", "lstm", [20]),
             runs("recall", "lstm", [20]), runs("recall", "gru", [20])]  # fmt: skip
    found = results(*chain, *(runs(task, model, [20]) for model, task in places.items()))
    assert {row["status"] for row in found.table("T8").values} == {"N/A"}
    assert {row["task"] for row in found.table("T9").values} == {"parity", "recall"}


def test_a_variant_is_a_model_of_its_own_and_the_newest_version_counts(results):
    old = runs("adding", "lstm", [None] * 3)
    new = runs("adding", "lstm", [20] * 3, model_version=2)
    deep = runs("adding", "lstm", [40] * 3, model_options={"layers": 2})
    rows = {row["model"]: row for row in results(old, new, deep).table("T8").values}
    assert rows["lstm"]["solve_rate"] == 1
    assert rows["lstm:layers=2"]["solve_rate"] == 1


def test_one_model_has_no_pair_and_nothing_has_no_table(results, make_store):
    alone = results(TWO[0])
    assert len(alone.table("T8").rows) == 1
    assert not alone.table("T9")
    nothing = Results.read(make_store([], [], name="empty"))
    assert not nothing.table("T8")
    assert not nothing.table("T9")
