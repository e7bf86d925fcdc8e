"""Climbs that are really run: the folder, its plan, and what a second run, another order and other workers do."""

import pytest
import user_defined

from seqbench.errors import BadInput
from seqbench.measure import execute as executing
from seqbench.measure.plan import climbs_of, plan
from seqbench.measure.runs import run
from seqbench.measure.select import select, spec_of
from seqbench.records.spec import RunSpec
from seqbench.records.store import Store
from seqbench.report.results import Results

from .test_runs import Recorder

SPEC = RunSpec(profile="smoke-climb", models=["rnn"])


@pytest.fixture(scope="module")
def climbed(tmp_path_factory):
    """A folder in which the plain network has climbed to the end, in this process."""
    store = run(SPEC, out=tmp_path_factory.mktemp("climb") / "out", engine="serial")
    assert store.validate() == []
    return store


def contents(store: Store) -> list[str]:
    return sorted(record.serialise_reproducible() for record in store.records())


def test_it_ends_at_the_first_failed_rung_or_at_the_top(climbed):
    (found,) = climbs_of(select(SPEC), climbed.records())
    verdicts = [state.verdict for _, state in found.rungs]
    assert not found.lacking
    assert verdicts[0] == "pass"
    assert "fail" not in verdicts[:-1]
    begun = {rung.value for rung, _ in found.rungs}
    assert {record.unit.lag for record in climbed.records()} == begun


def test_the_plan_names_every_rung_with_its_knob(climbed):
    rungs = [planned.rung for planned in climbed.plan() if planned.unit.model == "rnn"]
    assert [(r.ladder, r.knob, r.unit) for r in rungs] == [("latch", "delay", "steps")] * 4
    assert [r.value for r in rungs] == [2, 4, 8, 300]


def test_reported_runs_are_tested_at_longer_lags_and_have_sizes(climbed):
    for record in climbed.records():
        lag = record.unit.lag
        tested = [test.lag for test in record.longer]
        assert tested == ([2 * lag, 4 * lag, 8 * lag, 16 * lag] if record.member.seed < 12 else [])
        assert record.unit.embedding == 4
        assert (
            record.parameters - record.inner_parameters == 10 * 4 + record.sizes["hidden"] * 2 + 2
        )
        unit = 0.05 * record.unit.parameters  # a hidden unit more or less of a net this small
        assert abs(record.inner_parameters - record.unit.parameters) <= unit
        assert record.state_size == record.sizes["hidden"]


def test_a_second_run_measures_nothing(climbed):
    heard = Recorder()
    run(SPEC, out=climbed.path, engine="serial", listen=heard)
    assert heard.jobs == []


class Impatient(Recorder):
    """Interrupts a run after its next job."""

    def done(self, job, records):
        raise KeyboardInterrupt


def test_worker_processes_and_interruptions_measure_the_same(climbed, tmp_path):
    for _ in range(9):
        with pytest.raises(KeyboardInterrupt):
            run(SPEC, out=tmp_path / "out", engine="serial", listen=Impatient())
    store = run(SPEC, out=tmp_path / "out", workers=2, listen=Recorder())
    assert contents(store) == contents(climbed)


def test_a_dry_run_says_how_far_a_climb_is(climbed):
    heard = Recorder()
    run(SPEC, out=climbed.path, dry_run=True, listen=heard)
    (line,) = [line for line in heard.lines if "latch, rnn" in line]
    assert "delay in steps: passed 2" in line
    assert line.endswith("ended")


def test_reporting_seeds_wait_only_while_a_rung_is_tuned(climbed):
    tuning = [r for r in climbed.records() if r.unit.lag == 2 and r.member.role == "tuning"]
    selection = select(SPEC)
    assert list(plan(selection, tuning[1:]).waiting.values()) == [5]
    ahead = plan(selection, tuning)
    assert {member.role for job in ahead.jobs for member in job.members} == {"reporting"}
    assert ahead.waiting == {}


OWN = RunSpec(
    profile="experiment",
    tasks=["latch"],
    models=["rnn"],
    knob="lag",
    rungs=[2, 4],
    steps=40,
    batch=4,
    parameters=200,
    grid=[3e-2],
)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder in which a climb of two rungs is planned, and nothing of it is measured."""
    out = tmp_path_factory.mktemp("begun") / "out"
    return run(OWN, out=out, engine="serial", budget=1e-9, listen=Recorder())


def test_a_climb_has_no_parts():
    with pytest.raises(BadInput, match=r"a climb has no parts; got \['core'\]"):
        select(OWN.change({"parts": ["core"]}))


@pytest.mark.parametrize("rungs", [[4], [2, 3, 4], [1, 2, 4], [3]])
def test_another_climb_of_a_ladder_has_another_folder(begun, rungs):
    before = (begun.path / "plan.jsonl").read_bytes()
    with pytest.raises(BadInput, match=r"'latch' with rnn at rungs \[2, 4\], this run asks for"):
        run(OWN, out=begun.path, rungs=rungs, budget=1e-9, listen=Recorder())
    assert (begun.path / "plan.jsonl").read_bytes() == before


@pytest.mark.parametrize("rungs", [[2], [2, 4], [2, 4, 8]])
def test_a_climb_is_continued_upwards(begun, rungs):
    heard = Recorder()
    run(OWN, out=begun.path, rungs=rungs, dry_run=True, listen=heard)
    assert any("next 2 (3 runs, tuning)" in line for line in heard.lines)


def test_a_rung_is_no_tuned_row_of_the_same_folder(begun, tmp_path):
    tuned = OWN.change({"knob": "", "rungs": [], "lags": [4]})
    with pytest.raises(BadInput, match=r"as rung 4 of ladder 'latch', .* as no rung of a ladder"):
        run(tuned, out=begun.path, budget=1e-9, listen=Recorder())
    store = run(tuned, out=tmp_path / "out", engine="serial", budget=1e-9, listen=Recorder())
    with pytest.raises(BadInput, match=r"as no rung of a ladder, .* as rung 4 of ladder 'latch'"):
        run(OWN, out=store.path, budget=1e-9, listen=Recorder())


def test_an_option_at_another_lag_is_another_ladder(tmp_path):
    by_symbols = {"tasks": ["copy"], "knob": "symbols", "rungs": [1, 2]}
    for lag in (3, 5, 10):  # the edition's lag is 10
        what = OWN.change(by_symbols | {"lags": [lag]})
        store = run(what, out=tmp_path / "out", budget=1e-9, listen=Recorder())
    climbs = Results.read(store).climbs
    assert {(c.ladder, rung.unit.lag) for c in climbs for rung in c.rungs} == {
        ("copy-symbols-lag3", 3),
        ("copy-symbols-lag5", 5),
        ("copy-symbols", 10),
    }


def test_a_climb_that_ran_out_of_time_between_two_stages_says_so(tmp_path, monkeypatch):
    clock = [0.0]

    class Slow(Recorder):
        """Lets more time pass with each job than the run has."""

        def done(self, job, records):
            clock[0] += 10

    monkeypatch.setattr(executing, "monotonic", lambda: clock[0])
    heard = Slow()
    store = run(OWN, out=tmp_path / "out", engine="serial", budget=5, listen=heard)
    assert {record.member.role for record in store.records()} == {"tuning"}
    assert heard.lines == ["the time is up: 1 jobs were not started; run again to go on"]


def test_a_model_that_reads_no_longer_sequences_keeps_its_result(tmp_path):
    what = {"models": [user_defined.Short], "rungs": [1], "out": tmp_path / "out"}
    with pytest.warns(UserWarning, match="short has no test at lag 16: ValueError: at most 9"):
        store = run(OWN, **what, engine="serial", listen=Recorder())
    runs = [record for record in store.records() if record.member.role == "reporting"]
    assert runs
    for record in runs:
        assert record.verdict in ("solved", "not_solved")
        assert [test.lag for test in record.longer] == [2, 4, 8, 16]
        assert [test.score is None for test in record.longer] == [False, False, False, True]
    assert store.validate() == []


def test_a_task_of_ones_own_may_have_no_longer_lags():
    asked = spec_of(OWN, {"tasks": [user_defined.Brief], "rungs": [1, 2]}, run)
    selection = select(asked)
    assert [unit.budget.longer for unit in selection.units] == [(2, 4), (4,)]
