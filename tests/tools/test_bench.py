"""The driver of ``nox -s bench``, and what it makes of asv's results."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from made import PROVENANCE, SYSTEM

from seqbench import cli, machine
from seqbench.measure import throughput
from seqbench.measure.job import Job, failed
from seqbench.measure.select import unit_of
from seqbench.measure.throughput import PHASES
from seqbench.models import MODELS
from seqbench.protocol.profiles import SMOKE, TIMINGS
from seqbench.records.schema import Member
from seqbench.records.spec import RunSpec
from seqbench.records.store import Store, write

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "tools"), str(ROOT / "benchmarks")]

import bench  # noqa: E402
import collect  # noqa: E402
import frames  # noqa: E402
import overhead  # noqa: E402
import paired  # noqa: E402

AXES = [
    ["'rnn'", "'lstm'"],
    ["'training'", "'streaming'"],
    ["'auto'"],
    ["12"],
    ["4"],
    ["1"],
    ["None"],
]
ASV = {  # as asv 0.6.6 writes it, but for the bare NaN, which Python's json writes and reads, too
    "commit_hash": "0" * 40,
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


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def call(capfd):
    """Return a function that runs the driver, and returns its code, its output and its errors."""

    def called(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.obey(bench.app, [str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return ended.value.code or 0, out, err

    return called


# asv


def test_asv_s_file_is_read(tmp_path):
    file = tmp_path / "asv.json"
    file.write_text(json.dumps(ASV))
    assert "NaN" in file.read_text()
    shape = ("auto", 12, 4, 1, None)
    assert collect.steps(file) == {
        ("rnn", "training", *shape): ([2e-6, 1e-6, 3e-6], 4096, None),
        ("rnn", "streaming", *shape): ([1e-6, 1e-6, 1e-6], 2048, None),
        ("lstm", "streaming", *shape): ([3e-6, 3e-6, 3e-6], 1024, 0.5),
    }


def test_what_asv_measured_becomes_rows(tmp_path, monkeypatch):
    file = tmp_path / "asv.json"
    file.write_text(json.dumps(ASV))
    asked = RunSpec(device="cpu", models=("rnn", "lstm"))
    calls = []
    monkeypatch.setattr(collect, "run_asv", lambda *what: calls.append(what) or file)
    monkeypatch.setattr(machine, "commit", lambda: ("1" * 40, False))
    store = Store(tmp_path / "out").create(SMOKE.manifest())
    assert bench.timed(SMOKE, store, asked, force=False) == []
    system = machine.system("cpu")
    assert calls == [(system.id, "1" * 40, "smoke", "cpu", ["rnn", "lstm"])]
    rows = {row.phase: row for row in store.throughput() if row.model == "rnn"}
    assert rows["training"].seconds_per_token == 2e-6
    assert rows["training"].quartiles == pytest.approx((1.5e-6, 2.5e-6))
    assert rows["training"].rounds == 3
    assert rows["training"].peak_memory == 4096
    assert rows["training"].commit == "1" * 40
    assert (rows["training"].length, rows["training"].batch, rows["training"].members) == (12, 4, 1)
    assert rows["training"].sizes == {"hidden": 30}
    assert rows["training"].compile_seconds is None
    assert rows["streaming"].scan == "step"
    (other,) = [row for row in store.throughput() if row.model == "lstm"]
    assert (other.phase, other.compile_seconds) == ("streaming", 0.5)
    assert 0 < other.floor_per_token < 1e-6
    assert store.validate() == []


def test_steps_that_are_there_are_not_timed_again(tmp_path, monkeypatch):
    plan = throughput.plan(["rnn", "lstm"], TIMINGS["smoke"], SMOKE.parameters, "cpu")
    everything = {throughput.identity(facts) for facts in plan.values()}
    assert len(everything) == 2 * 2 * len(PHASES)
    monkeypatch.setattr(throughput, "measured", lambda *_: everything)
    monkeypatch.setattr(collect, "run_asv", lambda *_: pytest.fail("asv was run"))
    assert (
        bench.timed(SMOKE, Store(tmp_path), RunSpec(device="cpu", models=("rnn", "lstm")), False)
        == []
    )


def test_asv_s_failure_is_told_and_fails_the_run(tmp_path, monkeypatch, capsys):
    def fail(*_):
        raise collect.AsvFailed("asv says why")

    monkeypatch.setattr(collect, "run_asv", fail)
    monkeypatch.setattr(machine, "commit", lambda: ("1" * 40, False))
    store = Store(tmp_path / "out").create(SMOKE.manifest())
    assert bench.timed(SMOKE, store, RunSpec(device="cpu", models=("rnn",)), False) == [1]
    assert "asv says why" in capsys.readouterr().err
    assert store.throughput() == []


def test_without_a_commit_the_steps_are_timed_without_asv(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "commit", lambda: ("unknown", False))
    monkeypatch.setattr(collect, "run_asv", lambda *_: pytest.fail("asv was run"))
    store = Store(tmp_path / "out").create(SMOKE.manifest())
    assert bench.timed(SMOKE, store, RunSpec(device="cpu", models=("rnn",)), False) == []
    assert len(store.throughput()) == 6


def test_asv_finds_the_benchmarks_without_torch():
    program = (
        "import sys; sys.path.insert(0, 'benchmarks'); from timing import step\n"
        "assert 'torch' not in sys.modules\n"
        "print(step.Step.params, step.Step.param_names)"
    )
    environment = os.environ | {"SEQBENCH_PROFILE": "smoke", "SEQBENCH_MODELS": "rnn,gru"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "(['rnn', 'gru'], ('training', 'inference', 'streaming'), ('auto',), (12,), (4,), (1, 2), (None,))"
    )


@pytest.mark.slow
def test_asv_runs_and_leaves_nothing_behind(tmp_path, monkeypatch):
    commit, _ = machine.commit()
    if commit == "unknown":
        pytest.skip("asv needs a git commit")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    file = collect.run_asv("a-test", commit, "smoke", "cpu", ["rnn"])
    try:
        found = collect.steps(file)
        assert len(found) == 6
        for seconds, memory, compiling in found.values():
            assert compiling is None
            assert len(seconds) == 3
            assert min(seconds) > 0
            assert memory >= 0
        assert list(home.iterdir()) == []
        assert os.uname().nodename not in file.read_text()
    finally:
        for left in file.parent.iterdir():
            left.unlink()
        file.parent.rmdir()


# The driver

BAD = {
    "--profile quik": "did you mean 'quick'?",
    "--tasks ading": "did you mean 'adding'?",
    "--models lsm": "did you mean 'lstm'?",
    "--profile smoke --tasks adding --lags 7": "unknown lag '7'",
    "--lags x": "a lag is a whole number",
    "--seeds 0": "seeds must be greater than 0",
    "--workers 0": "workers must be greater than 0",
    "--budget 9x": "90s, 9m or 1.5h",
    "--device gpu": "unknown device 'gpu'",
    "--tasks moving-shapes --models lstm": "'moving-shapes'",
    "--sedes 3": "--seeds",
}


@pytest.mark.parametrize("arguments", BAD)
def test_bad_input_gets_one_sentence_and_writes_nothing(call, arguments):
    code, out, err = call(*arguments.split())
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert BAD[arguments] in err
    assert list(Path().iterdir()) == []


def test_results_of_another_specification_are_not_joined(call):
    manifest = SMOKE.manifest().model_copy(update={"specification": "0" * 16})
    write(Path("there", "manifest.json"), manifest.canonical())
    code, out, err = call("--profile", "smoke", "--out", "there")
    assert (code, out) == (3, "")
    assert "specification" in err


NOTEBOOK = """\
---
kernelspec:
  name: python3
  display_name: Python 3
---

```{{code-cell}}
:tags: [parameters]

profile = device = results = "?"
models = []
seeds = None
run = False
```

```{{code-cell}}
{code}
```
"""
SAYS = """
import json, os
os.makedirs(results + "/notebooks", exist_ok=True)
with open(results + "/notebooks/said.json", "w") as file:
    said = {name: os.environ.get(name) for name in ("SEQBENCH_WORKERS", "SEQBENCH_BUDGET")}
    json.dump([profile, device, models, seeds, run, said], file)
"""
FAILS = """
from seqbench.errors import BadInput
raise BadInput("this can't be")
"""


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """Let the notebooks be those of this folder, and time no steps."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(bench, "NOTEBOOKS", folder)
    monkeypatch.setattr(bench, "timed", lambda *_: [])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return folder


def test_notebooks_run_side_by_side_and_one_that_fails_stops_nobody(call, notebooks):
    (notebooks / "adding.md").write_text(NOTEBOOK.format(code=FAILS))
    (notebooks / "latch.md").write_text(NOTEBOOK.format(code=SAYS))
    code, _, err = call(
        "--profile", "smoke", "--tasks", "adding,latch", "--models", "rnn", "--seeds", 1,
        "--device", "cpu", "--workers", 4, "--budget", "1h", "--out", "out",
    )  # fmt: skip
    assert code == 2
    assert "adding: this can't be" in err
    assert "latch: measured in" in err
    assert "files of tables are in out/tables" in err
    assert not Path("out/notebooks/adding.ipynb").exists()
    assert "said.json" in Path("out/notebooks/latch.ipynb").read_text()
    *told, said = json.loads(Path("out/notebooks/said.json").read_text())
    assert told == ["smoke", "cpu", ["rnn"], 1, True]
    assert said["SEQBENCH_WORKERS"] == "2"
    assert 3500 < float(said["SEQBENCH_BUDGET"]) < 3600


def test_a_task_without_a_notebook_is_run_directly_and_only_once(call, notebooks, monkeypatch):
    measure = ("--profile", "smoke", "--tasks", "latch", "--models", "rnn", "--out", "out")
    code, out, err = call(*measure, "--workers", 1)
    assert code == 0, err
    assert "latch: 2 of 2 members are to be measured" in err
    assert "latch" in out
    assert "nox -s book -- --results out" in err
    store = Store("out")
    assert len(store.records()) == 2
    assert (store.path / "tables" / "T1.csv").is_file()
    before = {file: file.read_bytes() for file in store.path.rglob("*.jsonl")}

    (notebooks / "latch.md").write_text(NOTEBOOK.format(code=FAILS))  # not executed: all is there
    code, _, err = call(*measure)
    assert code == 0, err
    assert "latch: all 2 members are measured already" in err
    assert before == {file: file.read_bytes() for file in store.path.rglob("*.jsonl")}


def test_a_run_that_failed_is_told_and_fails_the_command(call, notebooks):
    store = Store("out").create(SMOKE.manifest())
    store.add_system(SYSTEM)
    unit = unit_of(next(SMOKE.conditions()), SMOKE)
    by = PROVENANCE.model_copy(update={"specification": SMOKE.specification})
    job = Job(unit, (Member(seed=0, learning_rate=unit.budget.learning_rate),), by)
    store.append([failed(job, "it could not be")])
    code, _, err = call(
        "-p", "smoke", "--tasks", unit.task, "--models", unit.model, "--seeds", 1, "--out", "out"
    )
    assert code == 1
    assert "1 runs failed; seqbench report runs out says why" in err


def test_a_task_whose_data_is_missing_is_skipped_with_a_line(capsys, monkeypatch):
    from user_defined import Absent

    from seqbench.measure.select import select
    from seqbench.tasks import TASKS

    monkeypatch.setitem(TASKS.added, "absent", Absent)
    asked = RunSpec(profile="smoke", tasks=("absent",), lags=(3,), models=("rnn",), device="cpu")
    assert bench.lacking_tasks(select(asked), Store("nowhere")) == []
    assert capsys.readouterr().err == "absent is skipped: nobody knows where it is\n"


def test_when_the_time_is_up_nothing_is_started(call, notebooks, monkeypatch):
    (notebooks / "latch.md").write_text(NOTEBOOK.format(code=FAILS))
    monkeypatch.setattr(bench, "timed", lambda *_: pytest.fail("steps were timed"))
    code, _, err = call("-p", "smoke", "--tasks", "latch", "--budget", "0.000001s", "--out", "out")
    assert code == 0
    assert "the time is up" in err
    assert Store("out").records() == []


# Paired ratios


def test_a_ratio_is_a_median_with_its_interval():
    found = paired.Median.of([1.0, 1.1, 1.2, 1.3, 9.0])
    assert found.value == 1.2
    assert 1.0 <= found.low <= 1.2 <= found.high <= 9.0
    assert found.rounds == 5


def test_sides_are_timed_in_turns():
    turns = []
    sides = [lambda name=name: turns.append(name) or len(turns) for name in "ab"]
    assert paired.in_turns(sides, 2) == [[3, 4], [6, 5]]
    assert "".join(turns) == "baabba"


def test_the_bare_loop_learns_what_the_trainer_learns():
    """Else their times could not be compared."""
    from seqbench.measure.job import build
    from seqbench.records.schema import Member
    from seqbench.tasks import TASKS
    from seqbench.training.loop import train

    unit, task = overhead.unit_of("lstm", steps=3), TASKS["adding"](lag=overhead.T)
    ours, theirs = (build(unit, task, [4], overhead.CPU)[0] for _ in range(2))
    train(task, ours, [Member(seed=4, learning_rate=overhead.RATE)], unit.budget, overhead.CPU)
    overhead.bare(task, theirs, 4, unit.budget)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-5)


# Convolutions of many members


def test_a_convolution_is_the_same_in_all_three_ways():
    wanted, *others = (frames.steps(3, 1, "cpu")(way) for way in frames.WAYS)
    assert wanted.shape == (3, 32 * 9, 8, 3, 3)
    for maps in others:
        torch.testing.assert_close(maps, wanted)


def test_the_groups_are_those_of_the_model():
    from seqbench.random import Keys

    keys = Keys.span("cnn_lstm", 1, "weights", 0, 0, 2)
    eye = MODELS["cnn_lstm"](keys, inputs=(1, 12, 12), outputs=2, hidden=4).eye
    layers = [eye.conv_1, eye.conv_2]
    x = torch.rand(6, 2, 1, 12, 12)
    maps = eye.conv_2(eye.conv_1(x.flatten(1, 2))).unflatten(1, (2, -1)).transpose(0, 1)
    torch.testing.assert_close(frames.groups(x, layers), maps)
