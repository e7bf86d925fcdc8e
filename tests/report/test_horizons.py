"""Horizons, read from folders in which models climbed ladders in made-up worlds."""

from math import inf

import pytest

from seqbench.errors import BadInput
from seqbench.protocol.climb import RULE
from seqbench.records.schema import LongerTest, Member, canonical
from seqbench.report.drawing import write_svg
from seqbench.report.facts import collect_facts
from seqbench.report.figures.horizons import plot_horizons, plot_retention
from seqbench.report.figures.runs import plot_solve_rate
from seqbench.report.folder import check_tables, write_tables
from seqbench.report.horizon_stats import (
    compare_horizons,
    compare_over_ladders,
    compute_ratio,
)
from seqbench.report.horizons import Range
from seqbench.report.page import Page
from seqbench.report.results import Results
from seqbench.report.table import FORMATS
from seqbench.report.tables import TABLES

from .ladders import RUNGS, climb_ladder, make_run, plan_ladder, solve_until

LSTM, RNN = plan_ladder("lstm"), plan_ladder("rnn")


@pytest.fixture
def read(make_store):
    """Return a function that gives the results of a folder with this plan and these records."""

    def results(plan, records, **manifest):
        return Results.read(make_store(records, [], plan=plan, **manifest))

    return results


def horizon_of(results, model="lstm"):
    (climb,) = [climb for climb in results.climbs if climb.model == model]
    return climb.horizon


def row_of(table, **keys):
    (found,) = [row for row in table.values if all(row[k] == v for k, v in keys.items())]
    return found


@pytest.mark.parametrize(
    ("world", "rungs", "words", "interval"),
    [
        (solve_until(50), None, "50 to 100 steps", (50, 100)),
        (solve_until(200), None, "at least 200 steps (the highest rung)", (200, inf)),
        (solve_until(0), None, "less than 25 steps", (0, 25)),
        (solve_until(200), 2, "at least 50 steps, not ended", (50, inf)),
        (solve_until(200), 0, "not known, not ended", (0, inf)),
        (lambda rung, rate, seed: 100 if rung == 25 or (rung == 50 and seed % 2) else None, None,
         "25 to 100 steps", (25, 100)),
        (lambda rung, rate, seed: 100 if rung < 100 or seed % 2 else None, None,
         "at least 50 steps (100 and 200 open)", (50, inf)),
        (lambda rung, rate, seed: 100 if seed % 2 else None, None,
         "not known (25, 50, 100 and 200 open)", (0, inf)),
    ],
)  # fmt: skip
def test_a_horizon_in_words(read, world, rungs, words, interval):
    records = climb_ladder(LSTM, world, rungs) if rungs != 0 else []
    horizon = horizon_of(read(LSTM, records))
    assert (str(horizon), horizon.range) == (words, interval)


def test_a_model_with_a_limit_is_not_run_above_it(read):
    limited = plan_ladder("transformer", RUNGS[:2])
    records = climb_ladder(limited, solve_until(200)) + climb_ladder(LSTM, solve_until(200))
    results = read(limited + LSTM, records)
    assert str(horizon_of(results, "transformer")) == "at least 50 steps (not run above)"
    assert str(horizon_of(results)) == "at least 200 steps (the highest rung)"
    said = {row["rung"]: row["verdict"] for row in results.table("T16").values
            if row["model"] == "transformer"}  # fmt: skip
    assert said == {25: "pass", 50: "pass", 100: "not run", 200: "not run"}


def test_options_are_part_of_the_model(read):
    chrono = plan_ladder("lstm", start="chrono")
    records = climb_ladder(LSTM, solve_until(25)) + climb_ladder(chrono, solve_until(100))
    results = read(chrono + LSTM, records)
    assert [(c.model, c.horizon.passed) for c in results.climbs] == [
        ("lstm", 25), ("lstm:start=chrono", 100),
    ]  # fmt: skip


def test_what_lies_above_a_failed_rung_is_beyond_the_horizon_and_not_missing(read):
    results = read(LSTM + RNN, climb_ladder(LSTM, solve_until(50)))
    status = {(r["model"], r["lag"]): r["status"] for r in results.table("T1").values}
    assert [status["lstm", rung] for rung in RUNGS] == [*["measured"] * 3, "beyond the horizon"]
    assert {status["rnn", rung] for rung in RUNGS} == {"missing"}
    verdicts = {(r["model"], r["rung"]): r["verdict"] for r in results.table("T16").values}
    assert [verdicts["lstm", rung] for rung in RUNGS] == [
        "pass",
        "pass",
        "fail",
        "beyond the horizon",
    ]
    assert {verdicts["rnn", rung] for rung in RUNGS} == {"missing"}
    assert "beyond the horizon" in results.table("T1").html()


def test_a_rung_without_all_its_runs_is_partial(read):
    records = climb_ladder(LSTM, solve_until(200))
    records = [r for r in records if (r.unit.lag, r.member.seed) not in {(50, 3), (50, 4)}]
    records = [r for r in records if r.unit.lag <= 50]
    results = read(LSTM, records)
    assert row_of(results.table("T1"), lag=50)["status"] == "partial"
    row = row_of(results.table("T16"), rung=50)
    assert (row["verdict"], row["outcome"]) == ("unfinished", "3 of 3")
    assert str(horizon_of(results)) == "at least 25 steps, not ended"


def solve_at_second(rung, rate, seed):
    """The rate that is best in the tuning, 1e-3, fails all reporting seeds above 25; 3e-3 does not."""
    if rate == 1e-3:
        return 60 if seed >= 1000 or rung == 25 else None
    return 100 if rate == 3e-3 and rung <= 50 else None


def test_the_runs_that_decide_are_those_of_the_second_rate(read):
    results = read(LSTM, climb_ladder(LSTM, solve_at_second))
    there = [r for r in results.reporting if r.unit.lag == 50]
    assert {(r.member.role, r.member.learning_rate) for r in there} == {("second", 3e-3)}
    row = row_of(results.table("T1"), lag=50)
    assert (row["solved"], row["runs"], row["learning_rate"]) == (5, 5, 3e-3)
    row = row_of(results.table("T16"), rung=50)
    assert (row["verdict"], row["second"], row["remark"]) == ("pass", "yes", "second-best rate")
    assert row_of(results.table("T16"), rung=25)["second"] == "no"
    failed = [r for r in results.reporting if r.unit.lag == 100]  # at both: those at the best count
    assert {r.member.role for r in failed} == {"reporting"}


def test_the_runs_of_the_second_rate_are_drawn_where_they_decide(make_store):
    store = make_store(climb_ladder(LSTM, solve_at_second), [], plan=LSTM)
    (ax,) = plot_solve_rate(Page(store.path, "adding").runs, "adding").axes
    (line,) = [line for line in ax.lines if len(line.get_xdata()) == 3]
    assert line.get_xdata() == pytest.approx([25, 50, 100])
    assert line.get_ydata().tolist() == [1, 1, 0]


def test_horizons_by_hand(read):
    results = read(LSTM, climb_ladder(LSTM, solve_until(50)))
    (row,) = results.table("T15").values
    assert (row["ladder"], row["knob"], row["horizon"]) == (
        "adding-ladder",
        "length",
        "50 to 100 steps",
    )
    assert (row["passed"], row["failed"], row["open"], row["end"]) == (50, 100, None, "failed")
    assert (row["solved"], row["of"], row["steps"], row["seconds"]) == (5, 5, 100, 1)
    assert (row["state_size"], row["inner_parameters"]) == (50, 900)
    assert (row["learning_rate"], row["remark"]) == (1e-4, "at the edge of the grid")
    # 5 rates, then 2 twice, on 3 seeds; 5 + 5 reporting seeds, and 5 + 5 at the failed rung
    assert row["runs"] == (5 + 2 + 2) * 3 + 5 + 5 + 5 + 5


def test_a_model_that_passed_nothing_has_no_rate(read):
    (row,) = read(LSTM, climb_ladder(LSTM, solve_until(0))).table("T15").values
    assert (row["horizon"], row["learning_rate"], row["steps"]) == (
        "less than 25 steps",
        None,
        None,
    )
    assert row["state_size"] == 25


def test_seeds_that_disagree_are_counted_among_twelve(read):
    world = lambda rung, rate, seed: 100 if rung == 25 or seed % 2 or seed >= 1000 else None  # noqa: E731
    row = row_of(read(LSTM, climb_ladder(LSTM, world)).table("T16"), rung=50)
    assert (row["verdict"], row["outcome"], row["steps"]) == ("open", "6 of 12", 100)


def test_retention_by_hand(read):
    results = read(LSTM, climb_ladder(LSTM, solve_until(50)))
    rows = results.table("T17").values
    assert [(r["rung"], r["factor"], r["lag"]) for r in rows] == [
        (25, 2, 50), (25, 4, 100), (50, 2, 100), (50, 4, 200),
    ]  # fmt: skip
    assert [(r["held"], r["solved"], r["score_median"]) for r in rows[:2]] == [
        (5, 5, 1),
        (0, 5, 0.5),
    ]


def test_a_test_that_was_not_finite_did_not_hold(read):
    plan = LSTM[:1]
    records = [r for r in climb_ladder(plan, solve_until(25)) if r.member.role != "reporting"]
    records += [
        make_run(plan[0].unit, Member(seed=seed, learning_rate=1e-4), 100, (score, score))
        for seed, score in enumerate((None, 1.0, 0.95, 0.8, None))
    ]
    row = row_of(read(plan, records).table("T17"), factor=2)
    assert (row["held"], row["solved"], row["score_median"], row["score_min"]) == (2, 5, 0.95, 0.8)


TASKS = ("adding", "copy", "latch")


def test_pairs_by_hand(read):
    plan = [
        each
        for task in TASKS
        for model in ("rnn", "lstm")
        for each in plan_ladder(model, task=task)
    ]
    reach = {"adding": (25, 100), "copy": (25, 200), "latch": (50, 50)}
    records = [
        record
        for task, horizons in reach.items()
        for model, horizon in zip(("rnn", "lstm"), horizons, strict=True)
        for record in climb_ladder(plan_ladder(model, task=task), solve_until(horizon))
    ]
    whole, adding, copy, latch = read(plan, records).table("T18").values
    assert (whole["ladder"], whole["further"]) == ("all", "A 0, B 2, neither 1")
    assert (whole["wins"], whole["losses"], whole["ties"], whole["p"]) == (0, 2, 1, 0.5)
    assert (adding["model"], adding["other"], adding["further"]) == ("rnn", "lstm", "B")
    assert (adding["ratio_low"], adding["ratio_high"]) == (0.125, 0.5)  # 25 / 200, 50 / 100
    assert (copy["ratio_low"], copy["ratio_high"]) == (0, 0.25)
    assert (latch["further"], latch["ratio_low"], latch["ratio_high"]) == ("not told apart", 0.5, 2)


@pytest.mark.parametrize(
    ("a", "b", "ratio", "further"),
    [
        ((100, 200), (25, 50), (2, 8), "A"),
        ((100, 200), (50, 100), (1, 4), "A"),  # A passed what B failed
        ((100, 200), (100, 200), (0.5, 2), "not told apart"),
        ((100, 400), (200, 400), (0.25, 2), "not told apart"),
        ((100, inf), (25, 50), (2, inf), "A"),
        ((100, inf), (25, inf), (0, inf), "not told apart"),
        ((0, 25), (25, 50), (0, 1), "B"),
        ((0, 25), (0, 25), (0, inf), "not told apart"),
    ],
)
def test_the_ratio_of_two_horizons(a, b, ratio, further):
    assert compute_ratio(Range(*a), Range(*b)) == ratio
    assert compare_horizons(Range(*a), Range(*b)) == further
    swapped = {"A": "B", "B": "A"}.get(further, further)
    assert compare_horizons(Range(*b), Range(*a)) == swapped


def test_the_sign_test_drops_and_counts_ties():
    further, tie = (Range(100, 200), Range(25, 50)), (Range(25, 50), Range(25, 50))
    assert compare_over_ladders([further] * 5 + [tie] * 3) == (5, 0, 3, pytest.approx(2 / 32))
    assert compare_over_ladders([further, further[::-1], tie]) == (1, 1, 1, 1)
    assert compare_over_ladders([tie]) == (0, 0, 1, 1)
    assert compare_over_ladders([]) == (0, 0, 0, 1)


def test_the_folder_s_own_rule_decides(make_store):
    """A folder that says that six of twelve fail is read so, whatever the code says today."""
    world = lambda rung, rate, seed: 100 if rung < 50 or seed % 2 or seed >= 1000 else None  # noqa: E731
    store = make_store(climb_ladder(LSTM, world), [], plan=LSTM)
    facts = collect_facts()
    strict = facts.climbing.model_copy(update={"fails": 6})
    assert facts.climbing.model_dump() == {
        "first": RULE.first, "all": RULE.all, "passes": RULE.passes, "fails": RULE.fails,
    }  # fmt: skip
    assert str(horizon_of(Results.read(store))) == "at least 25 steps (50, 100 and 200 open)"
    store.write_facts(facts.model_copy(update={"climbing": strict}))
    assert str(horizon_of(Results.read(store))) == "at least 25 steps, not ended"  # the second rate
    store.write_facts(facts.model_copy(update={"climbing": None}))
    assert Results.read(store).climbs == []
    assert "climbing" not in (store.path / "facts.json").read_text()


def test_every_table_is_made_of_a_folder_with_ladders(make_store):
    second = climb_ladder(LSTM, solve_at_second)
    chrono = plan_ladder("lstm", start="chrono")
    half = lambda rung, rate, seed: 60 if rung == 25 or seed % 2 or seed >= 1000 else None  # noqa: E731
    records = second + climb_ladder(RNN, half) + climb_ladder(chrono, solve_until(200))
    store = make_store(records, [], plan=LSTM + RNN + chrono)
    results = Results.read(store)
    made = {table.id for table in results.tables}
    assert made >= {"T1", "T3", "T8", "T9", "T12", "T13", "T14", "T15", "T16", "T17", "T18"}
    for table in results.tables:
        assert all(form.write(table) for form in FORMATS.values())
        if int(table.id[1:]) >= 15:
            assert len(table.displayed_columns) <= 8
    assert {row["model"] for row in results.table("T8").values} == {
        "rnn",
        "lstm",
        "lstm:start=chrono",
    }
    write_tables(store)
    assert check_tables(store) == []
    page = Page(store.path)
    assert len(page.runs) == len(results.reporting)
    assert page.heat_map().html.count(">beyond<") == 1  # of the LSTM above 100
    assert repr(page.missing()) == "- **adding-ladder**: 0 of 12 conditions."


def test_a_folder_without_ladders_has_none_of_their_tables(store):
    results = Results.read(store)
    assert results.climbs == []
    assert not any(results.table(id_) for id_ in ("T15", "T16", "T17", "T18"))
    assert {"T15", "T16", "T17", "T18"} <= set(TABLES)


def test_a_page_of_a_task_shows_its_ladders(make_store):
    copy = plan_ladder("lstm", task="copy")
    records = climb_ladder(LSTM, solve_until(50)) + climb_ladder(copy, solve_until(100))
    store = make_store(records, [], plan=LSTM + copy)
    for page, ladders in ((Page(store.path), 2), (Page(store.path, "copy"), 1)):
        assert len(page.horizons().rows) == ladders
        assert len(page.rungs().rows) == 4 * ladders
        for chart in (page.horizon_chart(), page.retention_curves()):
            assert chart.html.count("<svg") == 1
            assert ("adding-ladder" in chart.html) == (ladders == 2)
            assert "copy-ladder" in chart.html
    other = Page(store.path, "latch")
    assert [other.horizons(), other.rungs(), other.retention()] == [None] * 3
    assert [other.horizon_chart(), other.retention_curves()] == [None] * 2


def test_a_horizon_is_drawn_from_the_last_pass_to_the_first_fail(read):
    chrono = plan_ladder("lstm", start="chrono")
    records = climb_ladder(LSTM, solve_until(50)) + climb_ladder(chrono, solve_until(200))
    records += climb_ladder(RNN, solve_until(0))
    figure = plot_horizons(read(LSTM + RNN + chrono, records).table("T15").frame)
    (ax,) = figure.axes
    low, high = ax.get_xlim()
    lines = {line.get_ydata()[0]: line for line in ax.lines if len(line.get_xdata()) == 2}
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == ["rnn", "lstm", "lstm:start=chrono"]
    ends = [lines[at].get_xdata().tolist() for at in range(3)]
    assert ends == [[low, 25], [50, 100], [200, high]]
    markers = {(p.get_ydata()[0], p.get_marker()) for p in ax.lines if len(p.get_xdata()) == 1}
    assert {(0, "<"), (1, "|"), (2, ">")} <= markers
    assert write_svg(figure, "a", "b") == write_svg(figure, "a", "b")


def test_nothing_is_drawn_of_a_climb_that_decided_nothing(read):
    records = climb_ladder(RNN, solve_until(50), 1) + climb_ladder(LSTM, solve_until(50), 1)[:3]
    (ax,) = plot_horizons(read(RNN + LSTM, records).table("T15").frame).axes
    assert {line.get_ydata()[0] for line in ax.lines} == {0}


def test_retention_is_drawn_at_the_highest_rung(read):
    """At the lower one, which held at both lags, nothing is drawn."""
    held = tuple(LongerTest(lag=lag, score=1.0, loss=0.1) for lag in (50, 100))
    records = [
        r.model_copy(update={"longer": held}) if r.unit.lag == 25 and r.longer else r
        for r in climb_ladder(LSTM, solve_until(50))
    ]
    (ax,) = plot_retention(read(LSTM, records).table("T17").frame).axes
    (line,) = ax.lines
    assert line.get_xdata().tolist() == [1, 2, 4]
    assert line.get_ydata().tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"first": 10**15, "all": 10**16}, "less than or equal to 1000"),
        ({"first": 13}, "the first 13 seeds of a rung are more than all 12"),
        ({"passes": 2}, "2 can't pass a rung while 2 fail it"),
        ({"passes": 13}, "13 can't pass a rung while 2 fail it"),
    ],
)
def test_a_rule_that_no_climb_could_follow_is_refused(make_store, rule, why):
    store = make_store(climb_ladder(LSTM, solve_until(0)), [], plan=LSTM)
    facts = collect_facts()
    odd = facts.model_dump(mode="json")
    odd["climbing"] |= rule
    (store.path / "facts.json").write_text(canonical(odd) + "\n")
    with pytest.raises(BadInput, match=why):
        Results.read(store)
    assert any(why in sentence for sentence in store.validate())
