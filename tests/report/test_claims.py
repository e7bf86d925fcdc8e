"""The claims: what was measured, made up so that each rule gives each verdict that it can give."""

from dataclasses import fields, replace
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, get_args

import made
import pytest

from seqbench.ledger.rows import ONLINE
from seqbench.protocol.profiles import PAPER
from seqbench.protocol.settings import FINER, GRID, TUNING_SEEDS
from seqbench.records.schema import LAYERS, Member, Planned, Record, Unit
from seqbench.report.claims import CLAIMS
from seqbench.report.claims.claim import Claim, ClaimVerdict, Finding, weigh
from seqbench.report.claims.evidence import (
    RUNS,
    Evidence,
    FinerRuns,
    FirstStep,
    Probes,
    Runs,
    StepTimes,
    TableRow,
    TrainingScores,
    TuningRuns,
    make_table_row,
)
from seqbench.report.claims.rates import compare_sides, compare_to_half
from seqbench.report.compare import Pair
from seqbench.report.facts import collect_facts
from seqbench.report.form import FORM
from seqbench.report.results import Results
from seqbench.report.tables.claims import list_first
from seqbench.values.variants import parse

IDS = """
short-memory vanishing long-memory displacement forget gates-readable peephole gru-cheaper gru-equal
no-output-gate lstm-costly tbptt transformer-no-forgetting bidirectional attention cnn-lstm window overfit depth search
gpu-needed loop-compile applications
""".split()  # noqa: SIM905


def results(**there: Any) -> Results:
    """Return results that hold this, and nothing else."""
    nothing: dict[str, Any] = {field.name: [] for field in fields(Results)}
    return Results(
        **(
            nothing
            | {"manifest": made.MANIFEST, "systems": {}, "facts": collect_facts(), "form": FORM}
            | there
        )
    )


@cache
def unit(place: TableRow) -> Unit:
    """Return the cell at a place."""
    (task, task_options), (model, options) = parse(place.task), parse(place.model)
    layers = options.pop("layers", LAYERS.get(model, 1))
    return Unit(
        task=task, task_version=1, lag=place.lag, task_options=task_options, model=model, model_version=1,
        parameters=5000, layers=layers, model_options=options, budget=made.BUDGET,
    )  # fmt: skip


def pick(table: dict[str, Any], name: str, otherwise: Any) -> Any:
    """Return what stands under the first pattern that a name matches."""
    return next((value for key, value in table.items() if fnmatchcase(name, key)), otherwise)


@cache
def ended(place: TableRow, solved: bool) -> Record:
    """Return a run of a cell that solved, or one that did not."""
    bad = {"verdict": "not_solved", "score": 0.5, "steps_to_solve": None}
    return made.record(0, 1e-3, unit(place), **({} if solved else bad))


def ran(
    place: TableRow, members: list[Member], solved: int, seconds: float, train: float | None = None
) -> list[Record]:
    """Return the runs of members of a cell, of which the first so many solved."""
    cost = made.record().cost.model_copy(update={"seconds": seconds})
    return [
        ended(place, n < solved).model_copy(
            update={"member": member, "cost": cost, "train_score": train}
        )
        for n, member in enumerate(members)
    ]


TEN = [Member(seed=seed, learning_rate=1e-3) for seed in range(RUNS)]


@cache
def fifteen(role: str, rates: tuple[float, ...]) -> list[Member]:
    """Return the tuning seeds at each rate."""
    pairs = [(seed, rate) for seed in TUNING_SEEDS for rate in rates]
    return [Member(seed=seed, learning_rate=rate, role=role) for seed, rate in pairs]


def gradient(left: float | None) -> dict[str, Any]:
    return {} if left == "diverged" else {"hidden": [9.0, 1.0, 1e-9], "cell": [9.0, 1.0, left]}


def gates(away: float) -> dict[str, Any]:
    areas = [0.5 - away, 0.5 + away, 0.5 + away]
    return {f"{gate}/auc": areas for gate in ("input", "forget", "output")}


def age(pair: tuple[float, float]) -> dict[str, Any]:
    return {"age": [0.0, 1.0, 2.0], "accuracy": [pair[0], sum(pair) / 2, pair[1]]}


SERIES = {"gradient": gradient, "gates": gates, "age": age}


def given(
    claim: Claim,
    *,
    solved: dict[str, int] | None = None,
    gap: dict[str, float] | None = None,
    seen: dict[str, Any] | None = None,
    times: dict[str, float] | None = None,
    memory: dict[str, int] | None = None,
    spread: float = 0.01,
    tuned: dict[str, int] | None = None,
    finer: int = 3,
    seconds: float = 1.0,
    tuning_seconds: float = 1.0,
    first_step: dict[str, float] | None = None,
) -> Results:
    """Return results with all that a claim rests on.

    Parameters
    ----------
    solved, tuned
        By the pattern of a place: how many of its ten runs solved, of its fifteen tuning runs.
    gap
        By the pattern of a place: what its score on the training set has over .5.
    seen
        By the pattern of a place and a moment: what an instrument saw, in all of five members or in each.
    times, memory
        By the pattern of model, device, and ``True`` where the width is given: seconds a token, and bytes.
    spread
        Of the quartiles around a time, as a share of it.
    finer
        How many of the fifteen runs at finer rates solved.
    first_step
        Seconds by the pattern of how and length.
    """
    records, probes, throughput, comparisons = [], [], [], []
    have = set()
    for need in (*claim.needs, *claim.also):
        match need:
            case Runs(where) | TrainingScores(where) if ("runs", where) not in have:
                have.add(("runs", where))
                train_score = 0.5 + pick(gap or {}, str(where), 0.0)
                records += ran(where, TEN, pick(solved or {}, str(where), 10), seconds, train_score)
            case TuningRuns(where):
                count = pick(tuned or {}, str(where), 15)
                records += ran(where, fifteen("tuning", GRID), count, tuning_seconds)
            case FinerRuns(where):
                records += ran(where, fifteen("search", FINER), finer, tuning_seconds)
            case Probes(instrument, where, moments):
                for moment in moments:
                    value = pick(seen or {}, f"{where} {moment}", None)
                    each = value if isinstance(value, list) else [value] * 5
                    first_of = made.probe(0, unit(where), instrument=instrument, moment=moment)
                    probes += [
                        first_of.model_copy(
                            update={"member": TEN[n], "series": SERIES[instrument](one)}
                        )
                        for n, one in enumerate(each)
                    ]
            case StepTimes(model, device, width):
                name = f"{model} {device} {width}"
                t = pick(times or {}, name, 1e-6)
                throughput.append(
                    made.throughput(
                        model=model,
                        device=device,
                        hidden=32 if width else None,
                        seconds_per_token=t,
                        quartiles=(t * (1 - spread), t * (1 + spread)),
                        peak_memory=pick(memory or {}, name, 2**20),
                    )
                )
            case FirstStep(how, length):
                value = pick(first_step or {}, f"{how} {length}", 1.0)
                what, id_ = f"the first step by {how} at {length}", f"{how}-{length}"
                comparisons.append(
                    made.comparison(
                        goal="compile", what=what, id=id_, measured=value, interval=None, rounds=1
                    )
                )
    return results(records=records, probes=probes, throughput=throughput, comparisons=comparisons)


NEAR = {"latch 10 *": 10, "temporal-order 15 *": 10, "adding 10 *": 10, "copy 1 *": 10}
NONE = {"*": 0}
KEPT, LOST = 1.0, 1e-6
CASES: dict[str, dict[str, dict[str, Any]]] = {
    "short-memory": {
        "supported": {"solved": NEAR | {"*": 1}},
        "contradicted": {"solved": {"*": 9}},
        "depends": {"solved": NEAR | {"latch 50 *": 10, "copy *": 5, "*": 0}},
        "not settled": {"solved": NEAR | {"copy 20 *": 5, "*": 0}},
    },
    "vanishing": {
        "supported": {"seen": {"* rnn *": LOST, "*": KEPT}},
        "contradicted": {"seen": {"* rnn *": KEPT, "*": 1e6}},
        "depends": {"seen": {"* rnn *": "diverged", "* start": LOST, "*": KEPT}},
        "not settled": {"seen": {"* rnn start": [LOST, LOST, LOST, LOST, KEPT], "* rnn *": LOST, "*": KEPT}},
    },
    "long-memory": {
        "supported": {"solved": {"* rnn": 2, "*": 10}},
        "contradicted": {"solved": NONE},
        "depends": {"solved": {"latch * rnn": 0, "*": 10}},
        "not settled": {"solved": {"latch * rnn": 6, "* rnn": 0, "*": 9}},
    },
    "displacement": {
        "supported": {"seen": {"*": (1.0, 0.7)}},
        "contradicted": {"seen": {"*": (0.5, 0.5)}},
        "depends": {"seen": {"copy *": (0.3, 0.9), "*": (0.9, 0.3)}},
        "not settled": {"seen": {"copy *": (1.0, 1.0), "*": (0.1, 0.0)}},
    },
    "forget": {
        "supported": {"solved": {"* lstm_1997": 0}},
        "contradicted": {"solved": {"* gru": 0}},
        "depends": {"solved": {"* 100 lstm_1997": 0}},
        "not settled": {"solved": {"* 50 lstm_1997": 7, "* lstm_1997": 0}},
    },
    "gates-readable": {
        "supported": {"seen": {"* start": 0.1, "*": 0.3}},
        "contradicted": {"seen": {"* start": 0.29, "*": 0.3}},
        "depends": {"seen": {"* start": 0.1, "adding *": 0.2, "*": 0.3}},
        "not settled": {"seen": {"* start": 0.1, "adding *": [0.3, 0.3, 0.3, 0.1, 0.1], "*": 0.3}},
    },
    "peephole": {
        "supported": {"solved": {"* lstm": 0}},
        "contradicted": {"solved": NONE},
        "depends": {"solved": {"timed-spikes * lstm": 0}},
        "not settled": {"solved": {"counting * lstm": 7, "* lstm": 0}},
    },
    "gru-cheaper": {
        "supported": {"times": {"gru *": 5e-7}, "memory": {"gru *": 2**19}},
        "contradicted": {},
        "depends": {"times": {"gru * True": 5e-7}},
        "not settled": {"times": {"gru *": 9e-7}, "memory": {"gru *": 2**19}, "spread": 0.2},
    },
    "gru-equal": {
        "supported": {"solved": {"adding 10 lstm": 9, "adding 10 gru": 9}},
        "contradicted": {"solved": {"* gru*": 0}},
        "depends": {"solved": {"counting * gru": 0, "adding * lstm": 0}},
        "not settled": {"solved": {"adding * gru*": 7, "copy 20 gru*": 8}},
    },
    "no-output-gate": {
        "supported": {"solved": {"* lstm": 0}},
        "contradicted": {"solved": {"* lstm_no_output": 0}},
        "depends": {"solved": {"copy * lstm_no_output": 0, "adding * lstm": 0}},
        "not settled": {},  # all alike
    },
    "lstm-costly": {
        "supported": {"times": {"lstm *": 2e-6}, "tuned": {"* lstm": 5}},
        "contradicted": {},
        "depends": {"times": {"lstm *": 2e-6}},
        "not settled": {"times": {"lstm *": 2e-6}, "tuned": {"[acpr]* lstm": 14}},
    },
    "tbptt": {
        "supported": {"solved": {"* lstm": 10, "*": 0}},
        "contradicted": {},
        "depends": {"solved": {"*=10": 0, "*": 10}},
        "not settled": {"solved": {"*=50": 10, "*": 0}},  # which holds some dependencies whole
    },
    "transformer-no-forgetting": {
        "supported": {},
        "contradicted": {"solved": NONE},
        "depends": {"solved": {"parity *": 0, "induction 128 *": 0}},
        "not settled": {"solved": {"parity *": 5}},
    },
    "bidirectional": {
        "supported": {"solved": {"* bilstm": 10, "*": 0}},
        "contradicted": {"solved": {"* bilstm": 0}},
        "depends": {"solved": {"* lstm": 0}},
        "not settled": {"solved": {"* bilstm": 10, "* transformer": 7, "*": 0}},
    },
    "attention": {
        "supported": {"solved": {"copy *": 10, "* lstm": 0}},
        "contradicted": {"solved": NONE},
        "depends": {"solved": {"date* lstm": 0, "copy *": 0}},
        "not settled": {"solved": {"* lstm": 9}},  # there is no bottleneck
    },
    "cnn-lstm": {
        "supported": {"solved": {"moving-shapes 5 frame*": 0, "* pixel_lstm": 0}},
        "contradicted": {"solved": NONE},
        "depends": {"solved": {"moving-shapes 5 frame*": 0}},
        "not settled": {"solved": {"moving-shapes 5 frame*": 0, "*shape * pixel*": 7, "* pixel*": 0}},
    },
    "window": {
        "supported": {"solved": {"* lstm": 10, "*": 0}},
        "contradicted": {},
        "depends": {"solved": {"* lstm": 10, "*=64": 10, "*": 0}},
        "not settled": {"solved": NONE},
    },
    "overfit": {
        "supported": {"gap": {"* lstm": 0.6}, "solved": NONE},
        "contradicted": {},
        "depends": {"gap": {"*": 0.6}, "solved": NONE},
        "not settled": {"gap": {"* lstm": 0.2}, "solved": {"* lstm": 4, "*": 0}},
    },
    "depth": {
        "supported": {"solved": {"* lstm": 0}},
        "contradicted": {},
        "depends": {"solved": {"* lstm": 0, "*=4": 0}},
        "not settled": {"solved": {"* lstm": 0, "copy *=4": 3}},
    },
    "search": {
        "supported": {"finer": 15, "tuning_seconds": 2.0},
        "contradicted": {"tuned": NONE, "finer": 15, "tuning_seconds": 0.1},
        "depends": {"tuned": NONE, "finer": 15},
        "not settled": {"tuned": NONE, "finer": 1},
    },
    "gpu-needed": {
        "supported": {"times": {"* cuda *": 1e-7}, "seconds": 7400.0},  # solved halfway
        "contradicted": {"times": {"* cuda *": 6e-7}, "seconds": 7000.0},
        "depends": {"times": {"* cuda *": 1e-7}},
        "not settled": {"times": {"* cuda *": 1e-7}, "solved": {"*": 4}},
    },
    "loop-compile": {
        "supported": {"first_step": {"loop 16": 10.0, "loop 64": 40.0}},
        "contradicted": {"first_step": {"scan 64": 10.0}},
        "depends": {"first_step": {"loop 64": 2.0}},
    },
    "applications": {
        "supported": {"solved": {"* frame_average": 0}},
        "contradicted": {"solved": NONE},
        "depends": {"solved": {"* frame_average": 0, "anomaly *": 0}},
        "not settled": {"solved": {"* frame_average": 0, "anomaly *": 6}},
    },
}  # fmt: skip


def test_they_are_those_that_were_written_down():
    assert list(CLAIMS) == IDS == [claim.id for claim in CLAIMS.values()]
    assert set(CASES) == set(IDS)


def test_all_that_they_rest_on_is_planned():
    planned = {
        TableRow(cell.setting.task, lag, cell.model): cell.setting
        for cell in PAPER.list_conditions()
        for lag in (cell.lag, *cell.setting.tested)
    }
    for name, claim in CLAIMS.items():
        at = [
            need
            for need in (*claim.needs, *claim.also)
            if not isinstance(need, StepTimes | FirstStep)
        ]
        for need in at:
            assert need.row in planned, name
            assert need.row == make_table_row(unit(need.row)), "not the one spelling of its options"
        budgets: dict[tuple[str, int], set[str]] = {}
        for need in at:
            setting = planned[need.row]
            budgets.setdefault(need.row[:2], set()).add(setting.make_budget(True).canonical())
        assert all(len(alike) == 1 for alike in budgets.values()), name
    searched = {
        TableRow(c.setting.task, c.lag, c.model) for c in PAPER.list_conditions() if c.setting.finer
    }
    assert {n.row for n in CLAIMS["search"].needs if isinstance(n, FinerRuns)} == searched


def test_the_core_comes_first_and_a_cell_has_one_budget():
    assert PAPER.parts[:2] == ("core", "claims")
    budgets: dict[TableRow, set[str]] = {}
    for cell in PAPER.list_conditions():
        where = TableRow(cell.setting.task, cell.lag, cell.model)
        budgets.setdefault(where, set()).add(cell.setting.make_budget(True).canonical())
    assert all(len(each) == 1 for each in budgets.values())


@pytest.mark.parametrize(
    ("name", "verdict"), [(name, verdict) for name in CASES for verdict in CASES[name]]
)
def test_every_verdict_that_a_rule_can_give(name, verdict):
    found = CLAIMS[name].judge(given(CLAIMS[name], **CASES[name][verdict]))
    assert found.verdict == verdict, found
    assert found.because
    assert found.evidence
    assert found.missing == ()


@pytest.mark.parametrize("name", CLAIMS)
def test_without_results_nothing_is_settled_and_what_is_missing_is_named(name):
    claim = CLAIMS[name]
    found = claim.judge(results())
    assert found.verdict == "not settled"
    assert len(found.missing) == len(claim.needs)
    assert f"{len(claim.needs)} of {len(claim.needs)}" in found.because
    assert claim.sentence.endswith(".")
    assert claim.rule_in_words
    assert claim.experiment


@pytest.mark.parametrize("name", CLAIMS)
def test_one_thing_missing_of_each_kind_settles_nothing(name):
    claim = CLAIMS[name]
    whole = given(claim, **CASES[name]["supported"])
    for field in ("records", "probes", "throughput", "comparisons"):
        rows = getattr(whole, field)
        if not rows:
            continue
        last = [row for row in rows if unlike(row, rows[0])]
        found = claim.judge(replace(whole, **{field: last}))
        if field == "throughput" and claim.also:
            assert found.missing
            continue
        assert found.verdict == "not settled", field
        (missing,) = found.missing[:1]
        assert any(word in missing for word in (" of ", "times", "seconds"))


def unlike(row: Any, other: Any) -> bool:
    """Return whether a row is not of the same member, model or goal as another."""
    if hasattr(row, "member"):
        return (row.unit_id, row.member, getattr(row, "moment", "")) != (
            other.unit_id, other.member, getattr(other, "moment", ""),
        )  # fmt: skip
    return row is not other


def test_a_verdict_says_what_else_was_missing():
    cheaper = CLAIMS["gru-cheaper"]
    there = given(cheaper, **CASES["gru-cheaper"]["supported"])
    on_cpu = replace(there, throughput=[t for t in there.throughput if t.device == "cpu"])
    found = cheaper.judge(on_cpu)
    assert found.verdict == "supported"
    assert len(found.missing) == 4
    assert all("cuda" in line for line in found.missing)


@pytest.mark.parametrize(
    ("says", "verdict"),
    [
        ("for for", "supported"),
        ("for aside", "supported"),
        ("for open", "not settled"),
        ("against", "contradicted"),
        ("against open", "not settled"),
        ("for against", "depends"),
        ("for against open", "depends"),
        ("aside", "not settled"),
        ("", "not settled"),
    ],
)
def test_findings_are_weighed_alike(says, verdict):
    findings = [Finding(f"place {n}", say, "seen") for n, say in enumerate(says.split())]
    found = weigh(findings)
    assert found.verdict == verdict
    assert verdict in get_args(ClaimVerdict)
    assert all(f"place {n}" in found.because for n in range(len(findings)))


@pytest.mark.parametrize(
    ("pair", "how"),
    [
        (Pair(0, 10, 10, 10), "more"),
        (Pair(10, 10, 0, 10), "less"),
        (Pair(10, 10, 10, 10), "equal"),
        (Pair(0, 10, 0, 10), "equal"),
        (Pair(5, 10, 5, 10), "open"),
        (Pair(90, 100, 100, 100), "equal"),  # the interval excludes 0, and nobody cares
    ],
)
def test_when_a_difference_counts(pair, how):
    assert compare_sides(pair) == how


@pytest.mark.parametrize(
    ("hits", "of", "says"),
    [(9, 10, True), (8, 10, None), (2, 10, None), (1, 10, False), (5, 5, True), (4, 5, None)],
)
def test_when_it_is_most(hits, of, says):
    assert compare_to_half(hits, of) is says


def test_a_run_that_failed_is_no_evidence():
    claim = CLAIMS["long-memory"]
    there = given(claim, solved={"* rnn": 0})
    (broken, *others) = there.records
    failed = broken.model_copy(
        update={"verdict": "failed", "reason": "no", "score": None, "test_loss": None}
    )
    found = claim.judge(replace(there, records=[failed, *others]))
    assert found.verdict == "not settled"
    assert found.missing == ("runs of latch 50 rnn: 9 of 10",)


def test_of_two_units_at_a_place_the_planned_one_counts():
    place = TableRow("latch", 50, "rnn")
    older = unit(place).model_copy(update={"model_version": 2})
    records = [made.record(0, 1e-3, older), *ran(place, TEN, 3, 1.0)]
    plan = [Planned(unit=unit(place), part="core", seeds=10)]
    assert len(Evidence(results(records=records, plan=plan)).runs(place)) == 10
    assert len(Evidence(results(records=records)).runs(place)) == 1


def test_an_instrument_counts_where_it_looked_at_the_unit_that_runs():
    place, other = TableRow("latch", 50, "rnn"), unit(TableRow("latch", 50, "rnn"))
    looked = made.probe(0, other.model_copy(update={"model_version": 2}), instrument="age")
    there = Evidence(results(records=ran(place, TEN, 3, 1.0), probes=[looked]))
    assert there.probes("age", place, looked.moment) == []
    assert len(Evidence(results(probes=[looked])).probes("age", place, looked.moment)) == 1


def test_a_task_is_solved_on_a_cpu_by_runs_on_a_cpu():
    claim = CLAIMS["gpu-needed"]
    there = given(claim, **CASES["gpu-needed"]["contradicted"])
    elsewhere = there.records[0].provenance.model_copy(update={"device": "cuda"})
    moved = [r.model_copy(update={"provenance": elsewhere}) for r in there.records[1:]]
    found = claim.judge(replace(there, records=[there.records[0], *moved]))
    assert "not decided for solving latch 50" in found.because


def test_endless_streams_stand_beside_the_short_ones_where_all_trials_were_run():
    claim = CLAIMS["forget"]
    there = given(claim, **CASES["forget"]["contradicted"])
    trials = [
        made.trial(ONLINE[row], seed, success=success, sequences=ONLINE[row].budget)
        for row, success in (("gers2000-stream", True), ("gers2000-stream-1997", False))
        for seed in range(10)
    ]
    found = claim.judge(replace(there, trials=trials))
    assert found.verdict == "contradicted"
    assert "endless streams (T10)" in found.because.partition("without a say")[2]
    assert any("with forget gates 10/10, without forget gates 0/10" in e for e in found.evidence)
    assert "endless" not in claim.judge(replace(there, trials=trials[:-1])).because


def test_members_that_did_not_solve_have_no_gates_to_read():
    claim = CLAIMS["gates-readable"]
    there = given(claim, **CASES["gates-readable"]["supported"])
    unsolved = [p.model_copy(update={"verdict": "not_solved"}) for p in there.probes]
    assert claim.judge(replace(there, probes=unsolved)).verdict == "not settled"


def test_the_fastest_scan_stands_for_a_model():
    claim = CLAIMS["gru-cheaper"]
    there = given(claim, **CASES["gru-cheaper"]["supported"])
    slow = [
        t.model_copy(update={"scan": "reference", "seconds_per_token": 1e-4, "peak_memory": 2**30})
        for t in there.throughput
        if t.model == "gru"
    ]
    both = replace(there, throughput=[*there.throughput, *slow])
    assert claim.judge(both).verdict == "supported"


def test_only_like_steps_are_set_against_each_other():
    claim = CLAIMS["gru-cheaper"]
    there = given(claim, **CASES["gru-cheaper"]["supported"])
    longer = [
        t.model_copy(update={"length": 1000, "seconds_per_token": 2e-6}) for t in there.throughput
    ]
    unlike = [
        t if t.model == "lstm" else other for t, other in zip(there.throughput, longer, strict=True)
    ]
    assert claim.judge(replace(there, throughput=unlike)).verdict == "not settled"
    dearer = replace(there, throughput=[*there.throughput, *longer])
    found = claim.judge(dearer)
    assert found.verdict == "depends"
    assert "it holds for time, cpu, equal parameters at T = 50 E = 3" in found.because
    assert "time, cpu, equal parameters at T = 1000 E = 3" in found.because.partition("not hold")[2]


def test_the_table_has_every_claim_and_tells_all_that_is_missing(make_store):
    store = make_store()
    table = Results.read(store).table("T14")
    assert (table.id, [row["claim"] for row in table.values]) == ("T14", IDS)
    assert {row["verdict"] for row in table.values} == {"not settled"}
    row = table.values[IDS.index("long-memory")]
    assert row["missing"].endswith("; and 2 more")
    assert row["all_missing"].count(" of 10") == 8
    assert row["rests_on"].startswith("runs: latch 50 (rnn, lstm); runs: temporal-order 60")
    assert "T14" in table.html()


def test_the_table_shows_a_verdict():
    claim = CLAIMS["depth"]
    row = next(
        r
        for r in given(claim, **CASES["depth"]["depends"]).table("T14").values
        if r["claim"] == "depth"
    )
    assert row["verdict"] == "depends"
    assert row["because"] == (
        "it holds for 2 layers on temporal-order 60, 2 layers on adding 50, 2 layers on copy 20; "
        "it does not hold for 4 layers on temporal-order 60, 4 layers on adding 50, 4 layers on copy 20"
    )
    assert "lstm:layers=2 10/10, lstm 0/10: +1.00" in row["evidence"]
    assert row["missing"] is None
    assert list_first(("a", "b")) == "a; b"


def test_first_steps_of_an_edition_without_ids_are_found_by_what_they_say():
    said = "loop, T = 64: seconds of the first step of an LSTM, H = 32, beyond a later one"
    rows = [
        made.comparison(goal="compile", what=what, measured=value, interval=None, rounds=1)
        for what, value in ((said, 17.0), ("loop, T = 64: something else", 1.0))
    ]
    seen = Evidence(results(comparisons=rows))
    assert seen.find_first_step("loop", 64).measured == 17.0
    assert seen.find_first_step("loop", 16) is None
    assert '"id"' not in rows[0].model_dump_json()
