"""Step times by asv: what is read of its results, and what becomes of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from seqbench import machine
from seqbench.measure import throughput
from seqbench.measure.step import PHASES, Case, Timed
from seqbench.protocol.profiles import SMOKE, TIMINGS
from seqbench.records.store import Store

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools"))

import step_times  # noqa: E402

AXES = [
    ["'rnn'", "'lstm'"],
    ["'training'", "'streaming'"],
    ["'auto'"],
    ["'float32'"],
    ["12"],
    ["4"],
    ["1"],
    ["None"],
]
ASV = {  # as asv 0.6.6 writes it, but for the bare NaN, which Python's json writes and reads, too
    "version": 2,
    "commit_hash": "0" * 40,
    "date": 0,
    "env_name": "existing",
    "env_vars": {},
    "params": {"machine": "a-machine", "python": "3.11"},
    "python": "3.11",
    "requirements": {},
    "result_columns": ["result", "params", "version", "started_at", "duration", "stats_ci_99_a",
                       "stats_ci_99_b", "stats_q_25", "stats_q_75", "stats_number", "stats_repeat", "samples"],
    "results": {
        "step.Step.track_compile_seconds": [[float("nan"), None, float("nan"), 0.5], AXES, "da40", 1, 10.1],
        "step.Step.track_peak_memory": [[4096, 2048, float("nan"), 1024], AXES, "da40", 1, 10.1],
        "step.Step.track_seconds_per_token": [
            [2e-6, 1e-6, float("nan"), 3e-6], AXES,
            "6dad", 2, 7.9, [None] * 4, [None] * 4, [None] * 4, [None] * 4, [1, 1, None, 1], [3, 3, None, 3],
            [[2e-6, 1e-6, 3e-6], [1e-6, 1e-6, 1e-6], None, [3e-6, 3e-6, 3e-6]],
        ],
    },
}  # fmt: skip
MEASURED = {
    (Case("rnn", 12, 4, 1), "training"): Timed([2e-6, 1e-6, 3e-6], 4096, None),
    (Case("rnn", 12, 4, 1), "streaming"): Timed([1e-6, 1e-6, 1e-6], 2048, None),
    (Case("lstm", 12, 4, 1), "streaming"): Timed([3e-6, 3e-6, 3e-6], 1024, 0.5),
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "out").create(SMOKE.make_manifest())


@pytest.fixture
def committed(monkeypatch):
    """Let the code be that of a commit, and return it."""
    monkeypatch.setattr(machine, "read_commit", lambda: ("1" * 40, False))
    return "1" * 40


def time_smoke(store, *models, force=False):
    return step_times.time_missing_steps(SMOKE, store, models, "cpu", force)


def test_results_of_asv_are_read(tmp_path):
    folder = tmp_path / "a-machine"
    folder.mkdir()
    (folder / "machine.json").write_text('{"machine": "a-machine", "version": 1}')
    (folder / "00000000-existing.json").write_text(json.dumps(ASV))
    assert "NaN" in (folder / "00000000-existing.json").read_text()
    assert dict(step_times.read_results(tmp_path)) == MEASURED


def test_what_asv_measured_becomes_rows(store, committed, monkeypatch):
    calls = []
    monkeypatch.setattr(step_times, "measure", lambda *what: calls.append(what) or MEASURED)
    assert time_smoke(store, "rnn", "lstm") == []
    system = machine.describe_system("cpu")
    assert calls == [(system.id, committed, "smoke", "cpu", ("rnn", "lstm"))]
    rows = {row.phase: row for row in store.throughput() if row.model == "rnn"}
    assert rows["training"].seconds_per_token == 2e-6
    assert rows["training"].quartiles == pytest.approx((1.5e-6, 2.5e-6))
    assert rows["training"].rounds == 3
    assert rows["training"].peak_memory == 4096
    assert rows["training"].commit == committed
    assert (rows["training"].length, rows["training"].batch, rows["training"].members) == (12, 4, 1)
    assert rows["training"].sizes == {"hidden": 30}
    assert rows["training"].compile_seconds is None
    assert rows["streaming"].scan == "step"
    (other,) = [row for row in store.throughput() if row.model == "lstm"]
    assert (other.phase, other.compile_seconds) == ("streaming", 0.5)
    assert 0 < other.floor_per_token < 1e-6
    assert store.validate() == []


def test_steps_that_are_there_are_not_timed_again(store, monkeypatch):
    plan = throughput.plan(["rnn", "lstm"], TIMINGS["smoke"], SMOKE.parameters, "cpu")
    everything = {throughput.identify(facts) for facts in plan.values()}
    assert len(everything) == 2 * 2 * len(PHASES)
    monkeypatch.setattr(throughput, "list_timed", lambda *_: everything)
    monkeypatch.setattr(step_times, "measure", lambda *_: pytest.fail("asv was run"))
    assert time_smoke(store, "rnn", "lstm") == []


def test_steps_that_are_there_are_timed_again_by_force(store, committed, monkeypatch):
    calls = []
    monkeypatch.setattr(step_times, "measure", lambda *what: calls.append(what) or MEASURED)
    plan = throughput.plan(["rnn"], TIMINGS["smoke"], SMOKE.parameters, "cpu")
    everything = {throughput.identify(facts) for facts in plan.values()}
    monkeypatch.setattr(throughput, "list_timed", lambda *_: everything)
    assert time_smoke(store, "rnn", force=True) == []
    assert len(calls) == 1
    assert {row.model for row in store.throughput()} == {"rnn"}  # the other was not asked for


def test_asv_s_failure_is_told_and_fails_the_run(store, committed, monkeypatch, capsys):
    def fail(*_):
        raise step_times.AsvFailed("asv says why")

    monkeypatch.setattr(step_times, "measure", fail)
    assert time_smoke(store, "rnn") == [1]
    assert "asv says why" in capsys.readouterr().err
    assert store.throughput() == []


def test_without_a_commit_the_steps_are_timed_without_asv(store, monkeypatch):
    monkeypatch.setattr(machine, "read_commit", lambda: ("unknown", False))
    monkeypatch.setattr(step_times, "measure", lambda *_: pytest.fail("asv was run"))
    assert time_smoke(store, "rnn") == []
    assert len(store.throughput()) == 6


def test_asv_finds_the_benchmarks_without_torch():
    program = (
        "import sys; sys.path.insert(0, 'benchmarks/asv/benchmarks'); import step\n"
        "assert 'torch' not in sys.modules\n"
        "print(dict(zip(step.Step.param_names, step.Step.params, strict=True)))"
    )
    environment = os.environ | {"SEQBENCH_PROFILE": "smoke", "SEQBENCH_MODELS": "rnn,gru"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(
        {
            "model": ["rnn", "gru"],
            "phase": ("training", "inference", "streaming"),
            "scan": ("auto",),
            "precision": ("float32",),
            "length": (12,),
            "batch": (4,),
            "members": (1, 2),
            "hidden": (None,),
        }
    )


def files_below(folder):
    return {file for file in folder.rglob("*") if "__pycache__" not in file.parts}


@pytest.mark.slow
def test_asv_runs_and_leaves_nothing_behind(tmp_path, monkeypatch, capfd):
    commit, _ = machine.read_commit()
    if commit == "unknown":
        pytest.skip("asv needs a git commit")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    before = files_below(step_times.SUITE)
    measured = step_times.measure("a-test", commit, "smoke", "cpu", ["rnn"])
    assert len(measured) == 6
    for (case, _), timed in measured.items():
        assert (case.model, case.length) == ("rnn", 12)
        assert timed.compiling is None
        assert len(timed.seconds) == 3
        assert min(timed.seconds) > 0
        assert timed.memory >= 0
    assert list(home.iterdir()) == []
    assert files_below(step_times.SUITE) == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_suite_that_fails_says_what_asv_printed(monkeypatch):
    commit, _ = machine.read_commit()
    if commit == "unknown":
        pytest.skip("asv needs a git commit")
    with pytest.raises(step_times.AsvFailed, match="unknown profile 'quik'"):
        step_times.measure("a-test", commit, "quik", "cpu", ["rnn"])
